package lookups

import (
	"errors"
	"fmt"
	"io"
)

// KeyReader reads the 64-bit keys of a trace file. Memory is bounded by the line
// limit and the decompression window (for Parquet, by the page limits),
// whatever the file holds.
type KeyReader struct {
	path   string
	format keyFormat
	keys   int64
	max    FileOptions
	err    error // sticky
	close  func() error
}

// keyFormat reads the keys of one format, in batches.
type keyFormat interface {
	// read fills dst from its start and returns how many keys it read: fewer than
	// len(dst) come with an error, which is io.EOF at the end. Unless sizes is nil,
	// it has the length of dst, and sizes[i] becomes the size that goes with dst[i].
	//
	// A fault of the file is a *FileError or a *LimitError; any other error is one
	// of reading or decompressing.
	read(dst []uint64, sizes []uint32) (n int, err error)

	// place returns a FileError with nothing but the place of the last line or
	// record read; next asks for the one that comes after it.
	place(next bool) FileError
}

// Read fills dst with the next keys and returns how many. Like io.Reader, it may
// return keys and an error together: the keys before a fault are never lost.
// At the end it returns io.EOF; any error stays.
func (r *KeyReader) Read(dst []uint64) (n int, err error) { return r.read(dst, nil) }

// ReadSized is Read with the size in bytes of each object looked up: sizes[i]
// goes with dst[i]. Sizes are at least 1, and 1 in the formats that have none. It
// fills no more than the shorter of the two.
func (r *KeyReader) ReadSized(dst []uint64, sizes []uint32) (n int, err error) {
	n = min(len(dst), len(sizes))
	return r.read(dst[:n], sizes[:n:n])
}

func (r *KeyReader) read(dst []uint64, sizes []uint32) (n int, err error) {
	for n < len(dst) && r.err == nil {
		room := int(min(int64(len(dst)-n), r.max.MaxKeys-r.keys))
		if room == 0 {
			r.err = r.full()
			break
		}
		var some []uint32
		if sizes != nil {
			some = sizes[n : n+room]
		}
		got, err := r.format.read(dst[n:n+room], some)
		n += got
		r.keys += int64(got)
		if err != nil {
			r.err = r.broken(err)
		}
	}
	if n == len(dst) && n > 0 {
		return n, nil // an error that is already known comes with the next call
	}
	return n, r.err
}

// full returns the error of a reader that has given its last allowed key: none
// but the end when the file ends there.
func (r *KeyReader) full() error {
	var one [1]uint64
	n, err := r.format.read(one[:], nil)
	if n == 0 {
		return r.broken(err)
	}
	at := r.At(nil)
	return &LimitError{
		What:  "keys",
		Limit: r.max.MaxKeys,
		Where: at.where(),
		Raise: "cut the trace, or raise the limit of keys per file",
	}
}

// broken gives errors of reading a place.
func (r *KeyReader) broken(err error) error {
	var limit *LimitError
	var fault *FileError
	if err == io.EOF || errors.As(err, &limit) || errors.As(err, &fault) {
		return err
	}
	e := r.format.place(true)
	e.Path, e.Err = r.path, fmt.Errorf("cannot read on after %d keys: %w", r.keys, err)
	return &e
}

// At returns err as an error about the place of the last key read.
func (r *KeyReader) At(err error) *FileError {
	e := r.format.place(false)
	e.Path, e.Err = r.path, err
	return &e
}

// Format returns the format by which the file is read: one of Formats().
func (r *KeyReader) Format() string { return r.max.Format }

// Keys returns how many keys were read.
func (r *KeyReader) Keys() int64 { return r.keys }

// Close ends decompression and closes the file that OpenKeys opened.
func (r *KeyReader) Close() error {
	if r.close == nil {
		return nil
	}
	err := r.close()
	r.close = nil
	return err
}

// FileError is a fault in a trace file.
type FileError struct {
	Path   string
	Line   int64  // from 1; 0 when the fault is not in a line of text
	Record int64  // from 1, in the formats that have records for lines; 0: not in one
	Offset int64  // byte, after decompression, at which the record, or the page that holds it, starts
	Text   string // the faulty text, shortened; may be empty
	Err    error  // what is wrong and what was wanted
}

func (e *FileError) Error() string {
	if e.Text != "" {
		return fmt.Sprintf("%s: %q: %v", e.where(), e.Text, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.where(), e.Err)
}

func (e *FileError) where() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("%s:%d", e.Path, e.Line)
	case e.Record > 0:
		return fmt.Sprintf("%s: record %d (byte %d)", e.Path, e.Record, e.Offset)
	}
	return e.Path
}

func (e *FileError) Unwrap() error { return e.Err }

// ones sets the sizes of a format that has none.
func ones(sizes []uint32) {
	for i := range sizes {
		sizes[i] = 1
	}
}
