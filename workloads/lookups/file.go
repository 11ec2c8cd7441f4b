package lookups

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"stowage/hw/unit"
)

// The formats of trace files.
const (
	TextFormat   = "text"   // one key per line; blank lines and # comments are skipped
	LIRSFormat   = "lirs"   // text in which lines of a single * separate phases
	CSVFormat    = "csv"    // a header line, then one key per record in the named column
	ARCFormat    = "arc"    // lines "start count …": the keys start … start+count-1
	OracleFormat = "oracle" // libCacheSim's oracleGeneral: binary records of 24 bytes

	ParquetFormat = "parquet" // one integer column of a Parquet file
)

// oracleGeneral is libCacheSim's name of OracleFormat. It is accepted as well, and
// files are named by it.
const oracleGeneral = "oracleGeneral"

// FormatName returns the name that Formats() has for a format: oracle for
// oracleGeneral, any other as it is.
func FormatName(name string) string {
	if name == oracleGeneral {
		return OracleFormat
	}
	return name
}

// Formats lists the names that FileOptions.Format takes.
func Formats() []string {
	return []string{TextFormat, LIRSFormat, CSVFormat, ARCFormat, OracleFormat, ParquetFormat}
}

// Limits on trace files. FileOptions raises or lowers all but the last.
const (
	DefaultFileKeys  = 1 << 28 // keys of one file
	DefaultFileLine  = 1 << 16 // bytes of one line
	DefaultFileBytes = 1 << 36 // bytes of one file after decompression
	maxWindowBytes   = 1 << 27 // zstd window, as written by `zstd --long=27`
)

// FileOptions says how to read a trace file. The zero value reads by extension
// with the default limits.
type FileOptions struct {
	// Format is one of Formats(), or oracleGeneral for oracle; empty: by the name,
	// .gz and .zst cut off: .csv is csv, .parquet is parquet, .trace and .trc are
	// lirs, .lis is arc, a name with .oracleGeneral in it is oracle, all others
	// text. Compression is recognised by the first bytes, whatever the name;
	// Parquet has its own, inside.
	Format string

	// Column names the column of a CSV or Parquet file that holds the keys; in
	// Parquet, columns in groups are named group.column. It may be empty when the
	// file has one column only.
	Column string

	MaxKeys  int64 // 0: DefaultFileKeys
	MaxLine  int   // bytes; 0: DefaultFileLine
	MaxBytes int64 // bytes after decompression; 0: DefaultFileBytes
}

// OpenKeys opens a trace file in one of Formats(), plain or, but for Parquet,
// compressed by gzip or zstd. The caller closes the reader.
func OpenKeys(path string, opt FileOptions) (*KeyReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewKeyReader(f, path, opt)
	if err != nil {
		f.Close()
		return nil, err
	}
	inner := r.close
	r.close = func() error { return errors.Join(inner(), f.Close()) }
	return r, nil
}

// NewKeyReader reads keys from src. name stands for the file in errors, and its
// extension decides the format when the options do not. Parquet wants an *os.File,
// or a ReaderAt with a Size. Closing the reader does not close src.
func NewKeyReader(src io.Reader, name string, opt FileOptions) (*KeyReader, error) {
	if err := opt.complete(name); err != nil {
		return nil, err
	}
	r := &KeyReader{path: name, max: opt}
	if opt.Format == ParquetFormat {
		var err error
		if r.format, err = newParquetFormat(src, name, opt); err != nil {
			return nil, headError(name, err)
		}
		r.close = func() error { return nil }
		return r, nil
	}
	plain, done, err := decompress(bufio.NewReader(src))
	if err != nil {
		return nil, &FileError{Path: name, Err: err}
	}
	limited := &capped{src: plain, left: opt.MaxBytes, limit: opt.MaxBytes, name: name}
	r.close = done
	if r.format, err = newFormat(limited, name, opt); err != nil {
		done()
		return nil, headError(name, err)
	}
	return r, nil
}

// newFormat returns the reader of the format that the options name.
func newFormat(src io.Reader, name string, opt FileOptions) (keyFormat, error) {
	if opt.Format == OracleFormat {
		return newOracleFormat(src, name), nil
	}
	l, err := newLines(src, name, opt.MaxLine)
	if err != nil {
		return nil, err
	}
	switch opt.Format {
	case CSVFormat:
		return newCSVFormat(l, opt.Column)
	case ARCFormat:
		return &arcFormat{lines: l}, nil
	}
	return textFormat{lines: l, phases: opt.Format == LIRSFormat}, nil
}

// headError names the file in an error of its first bytes.
func headError(name string, err error) error {
	var limit *LimitError
	var fault *FileError
	if errors.As(err, &limit) || errors.As(err, &fault) {
		return err
	}
	return &FileError{Path: name, Err: err}
}

// complete checks the options and puts defaults where they are zero.
func (o *FileOptions) complete(name string) error {
	if o.Format == "" {
		o.Format = byExtension(name)
	}
	o.Format = FormatName(o.Format)
	switch o.Format {
	case TextFormat, LIRSFormat, ARCFormat, OracleFormat:
		if o.Column != "" {
			return fmt.Errorf("%s: column %q: only the formats csv and parquet have columns, this file is read as %s", name, o.Column, o.Format)
		}
	case CSVFormat, ParquetFormat:
	default:
		hint := ""
		if near := unit.Nearest(o.Format, Formats()); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return fmt.Errorf("%s: unknown format %q: want one of %s%s", name, o.Format, strings.Join(Formats(), ", "), hint)
	}
	if o.MaxKeys <= 0 {
		o.MaxKeys = DefaultFileKeys
	}
	if o.MaxLine <= 0 {
		o.MaxLine = DefaultFileLine
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultFileBytes
	}
	return nil
}

func byExtension(name string) string {
	for _, packed := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, packed)
	}
	if strings.Contains(filepath.Base(name), "."+oracleGeneral) {
		return OracleFormat
	}
	switch filepath.Ext(name) {
	case ".csv":
		return CSVFormat
	case ".parquet":
		return ParquetFormat
	case ".lis":
		return ARCFormat
	case ".trace", ".trc":
		return LIRSFormat
	}
	return TextFormat
}

// decompress looks at the first bytes of src and puts a decoder before it when
// they are gzip's or zstd's.
func decompress(src *bufio.Reader) (io.Reader, func() error, error) {
	magic, err := src.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case string(magic) == zstdMagic, skippable(magic):
		z, err := newZstd(src)
		if err != nil {
			return nil, nil, err
		}
		return z, func() error { z.Close(); return nil }, nil
	}
	return src, func() error { return nil }, nil
}

func newZstd(src io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(src,
		zstd.WithDecoderConcurrency(1), // no goroutines: same reads, same errors
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindowBytes),
		zstd.WithDecoderMaxMemory(maxWindowBytes))
}

const zstdMagic = "\x28\xb5\x2f\xfd"

// skippable tells the zstd frames that carry no data and may come first.
func skippable(magic []byte) bool {
	return len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})
}

// capped ends with an error when more than limit bytes come out of src.
type capped struct {
	src         io.Reader
	left, limit int64
	name        string
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left == 0 {
		// Only data beyond the limit is an error, not the end at the limit.
		var one [1]byte
		n, err := c.src.Read(one[:])
		if n == 0 {
			return 0, err
		}
		return 0, &LimitError{
			What:  "bytes after decompression",
			Limit: c.limit,
			Where: c.name,
			Raise: "cut the trace, or raise the limit of decoded bytes",
		}
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
