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
)

// oracleGeneral is libCacheSim's name of OracleFormat. It is accepted as well, and
// files are named by it.
const oracleGeneral = "oracleGeneral"

// Formats lists the names that FileOptions.Format takes.
func Formats() []string {
	return []string{TextFormat, LIRSFormat, CSVFormat, ARCFormat, OracleFormat}
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
	// .gz and .zst cut off: .csv is csv, .trace and .trc are lirs, .lis is arc, a
	// name with .oracleGeneral in it is oracle, all others text. Compression is
	// recognised by the first bytes, whatever the name.
	Format string

	// Column names the CSV column that holds the keys. It may be empty when the
	// file has one column only.
	Column string

	MaxKeys  int64 // 0: DefaultFileKeys
	MaxLine  int   // bytes; 0: DefaultFileLine
	MaxBytes int64 // bytes after decompression; 0: DefaultFileBytes
}

// OpenKeys opens a trace file in one of Formats(), plain or compressed by gzip or
// zstd. The caller closes the reader.
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
// extension decides the format when the options do not. Closing the reader does
// not close src.
func NewKeyReader(src io.Reader, name string, opt FileOptions) (*KeyReader, error) {
	if err := opt.complete(name); err != nil {
		return nil, err
	}
	plain, done, err := decompress(bufio.NewReader(src))
	if err != nil {
		return nil, &FileError{Path: name, Err: err}
	}
	limited := &capped{src: plain, left: opt.MaxBytes, limit: opt.MaxBytes, name: name}
	r := &KeyReader{path: name, max: opt, close: done}
	if r.format, err = newFormat(limited, name, opt); err != nil {
		done()
		return nil, headError(name, err)
	}
	return r, nil
}

// newFormat returns the reader of the format that the options name.
func newFormat(src io.Reader, name string, opt FileOptions) (format, error) {
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
	switch o.Format {
	case oracleGeneral:
		o.Format = OracleFormat
		fallthrough
	case TextFormat, LIRSFormat, ARCFormat, OracleFormat:
		if o.Column != "" {
			return fmt.Errorf("%s: column %q: only the format csv has columns, this file is read as %s", name, o.Column, o.Format)
		}
	case CSVFormat:
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
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), skippable(magic):
		z, err := zstd.NewReader(src,
			zstd.WithDecoderConcurrency(1), // no goroutines: same reads, same errors
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindowBytes),
			zstd.WithDecoderMaxMemory(maxWindowBytes))
		if err != nil {
			return nil, nil, err
		}
		return z, func() error { z.Close(); return nil }, nil
	}
	return src, func() error { return nil }, nil
}

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
