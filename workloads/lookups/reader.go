package lookups

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Read fills dst with the next keys and returns how many. Like io.Reader, it may
// return keys and an error together: the keys before a fault are never lost.
// At the end it returns io.EOF; any error stays.
func (r *KeyReader) Read(dst []uint64) (n int, err error) {
	for n < len(dst) && r.err == nil {
		line, err := r.next()
		if err != nil {
			r.err = err
			break
		}
		k, ok, err := r.format.key(line)
		if err != nil {
			r.err = r.fault(line, err)
			break
		}
		if !ok {
			continue
		}
		if r.keys == r.max.MaxKeys {
			r.err = &LimitError{
				What:  "keys",
				Limit: r.max.MaxKeys,
				Where: fmt.Sprintf("%s:%d", r.path, r.line),
				Raise: "cut the trace, or raise the limit of keys per file",
			}
			break
		}
		r.keys++
		dst[n] = k
		n++
	}
	if n == len(dst) && n > 0 {
		return n, nil // an error that is already known comes with the next call
	}
	return n, r.err
}

// Line returns the number of the last line read, from 1.
func (r *KeyReader) Line() int64 { return r.line }

// Close ends decompression and closes the file that OpenKeys opened.
func (r *KeyReader) Close() error {
	if r.close == nil {
		return nil
	}
	err := r.close()
	r.close = nil
	return err
}

// next returns the next line without its end. The slice is valid until the next
// call. A line that is cut off by a read error is not returned: half a number
// is a wrong number.
func (r *KeyReader) next() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	if len(line) > 0 {
		r.line++
	}
	if len(bytes.TrimSuffix(line, []byte{'\n'})) > r.max.MaxLine || errors.Is(err, bufio.ErrBufferFull) {
		return nil, r.fault(line, fmt.Errorf("the line is longer than %d bytes: raise the limit of bytes per line if that is right", r.max.MaxLine))
	}
	switch {
	case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
		return bytes.TrimSpace(line), nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	}
	var limit *LimitError
	if errors.As(err, &limit) {
		return nil, err
	}
	return nil, &FileError{Path: r.path, Line: r.line + 1, Err: fmt.Errorf("cannot read on after %d keys: %w", r.keys, err)}
}

// skipMark passes over a UTF-8 byte order mark.
func (r *KeyReader) skipMark() error {
	mark, err := r.lines.Peek(3)
	if err != nil {
		return nil // too short for a mark, or the first Read says what is wrong
	}
	if bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, err = r.lines.Discard(3)
	}
	return err
}

// maxQuoted is how much of a faulty text an error shows.
const maxQuoted = 40

func (r *KeyReader) fault(text []byte, err error) *FileError {
	text = bytes.TrimSpace(text)
	if len(text) > maxQuoted {
		text = append(bytes.Clone(text[:maxQuoted]), "…"...)
	}
	return &FileError{Path: r.path, Line: r.line, Text: string(text), Err: err}
}
