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
	TextFormat = "text" // one key per line; blank lines and # comments are skipped
	LIRSFormat = "lirs" // text in which lines of a single * separate phases
	CSVFormat  = "csv"  // a header line, then one key per record in the named column
)

// Formats lists the names that FileOptions.Format takes.
func Formats() []string { return []string{TextFormat, LIRSFormat, CSVFormat} }

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
	// Format is one of Formats(); empty: by extension, .gz and .zst cut off:
	// .csv is csv, .trace and .trc are lirs, all others text. Compression is
	// recognised by the first bytes, whatever the name.
	Format string

	// Column names the CSV column that holds the keys. It may be empty when the
	// file has one column only.
	Column string

	MaxKeys  int64 // 0: DefaultFileKeys
	MaxLine  int   // bytes; 0: DefaultFileLine
	MaxBytes int64 // bytes after decompression; 0: DefaultFileBytes
}

// KeyReader reads the 64-bit keys of a trace file. Memory is bounded by the line
// limit and the decompression window, whatever the file holds.
type KeyReader struct {
	path   string
	format format
	lines  *bufio.Reader
	line   int64 // number of the last line read, from 1
	keys   int64
	max    FileOptions
	err    error // sticky
	close  func() error
}

// format parses the lines of one format.
type format interface {
	// key returns the key of a line; ok is false for a line without one. The
	// error says what was wanted instead.
	key(line []byte) (k uint64, ok bool, err error)
}

// FileError is a fault in a trace file.
type FileError struct {
	Path string
	Line int64  // from 1; 0 when the fault is not in a line
	Text string // the faulty text, shortened; may be empty
	Err  error  // what is wrong and what was wanted
}

func (e *FileError) Error() string {
	where := e.Path
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.Path, e.Line)
	}
	if e.Text != "" {
		return fmt.Sprintf("%s: %q: %v", where, e.Text, e.Err)
	}
	return fmt.Sprintf("%s: %v", where, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// OpenKeys opens a trace file: text, CSV or LIRS, plain or compressed by gzip or
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
	r := &KeyReader{
		path: name,
		// Room for the longest line and its end, and a byte more: a buffer that is
		// full without a line end then means a line that is too long.
		lines: bufio.NewReaderSize(limited, opt.MaxLine+2),
		max:   opt,
		close: done,
	}
	if err := r.skipMark(); err != nil {
		done()
		return nil, err
	}
	switch opt.Format {
	case CSVFormat:
		r.format, err = r.header()
	case LIRSFormat:
		r.format = textFormat{phases: true}
	default:
		r.format = textFormat{}
	}
	if err != nil {
		done()
		return nil, err
	}
	return r, nil
}

// complete checks the options and puts defaults where they are zero.
func (o *FileOptions) complete(name string) error {
	if o.Format == "" {
		o.Format = byExtension(name)
	}
	switch o.Format {
	case TextFormat, LIRSFormat:
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
	switch filepath.Ext(name) {
	case ".csv":
		return CSVFormat
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
