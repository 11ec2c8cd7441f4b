package lookups

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines hands out the lines of a text. The formats of text are built on it.
type lines struct {
	path    string
	in      *bufio.Reader // room for the longest line, its end and a byte more
	line    int64         // number of the last line read, from 1
	longest int           // bytes
}

// newLines passes over a UTF-8 byte order mark.
func newLines(src io.Reader, path string, longest int) (*lines, error) {
	// With a byte more than the longest line and its end, a buffer that is full
	// without a line end means a line that is too long.
	l := &lines{path: path, in: bufio.NewReaderSize(src, longest+2), longest: longest}
	mark, err := l.in.Peek(3)
	if err != nil {
		return l, nil // too short for a mark, or the first read says what is wrong
	}
	if bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, err = l.in.Discard(3)
	}
	return l, err
}

// LineError says that a line is longer than the limit.
type LineError struct {
	Longest int    // bytes that are accepted
	By      string // what raises the limit, as in "--max-line"; "": not known here
}

func (e *LineError) Error() string {
	by := e.By
	if by != "" {
		by = " by " + by
	}
	return fmt.Sprintf("the line is longer than %d bytes: raise the limit of bytes per line%s if that is right", e.Longest, by)
}

// next returns the next line without its end. The slice is valid until the next
// call. A line that is cut off by a read error is not returned: half a number
// is a wrong number.
func (l *lines) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if len(line) > 0 && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull)) {
		l.line++
	}
	if len(bytes.TrimSuffix(line, []byte{'\n'})) > l.longest || errors.Is(err, bufio.ErrBufferFull) {
		return nil, l.fault(line, &LineError{Longest: l.longest})
	}
	switch {
	case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
		return bytes.TrimSpace(line), nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	}
	return nil, err
}

func (l *lines) place(next bool) FileError {
	if next {
		return FileError{Line: l.line + 1}
	}
	return FileError{Line: l.line}
}

// maxQuoted is how much of a faulty text an error shows.
const maxQuoted = 40

// fault is an error in the last line.
func (l *lines) fault(text []byte, err error) *FileError {
	text = bytes.TrimSpace(text)
	if len(text) > maxQuoted {
		text = append(bytes.Clone(text[:maxQuoted]), "…"...)
	}
	return &FileError{Path: l.path, Line: l.line, Text: string(text), Err: err}
}
