package lookups

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"stowage/hw/unit"
)

// errNotKey is what a text that is no key is told.
var errNotKey = errors.New("not a key: want one whole number from 0 to 18446744073709551615")

// parseKey parses a decimal number without a sign. It is strconv.ParseUint for
// bytes, without the allocation.
func parseKey(text []byte) (uint64, error) {
	if len(text) == 0 {
		return 0, errNotKey
	}
	var k uint64
	for _, c := range text {
		d := uint64(c - '0')
		if d > 9 || k > (1<<64-1)/10 {
			return 0, errNotKey
		}
		k *= 10
		if k+d < k {
			return 0, errNotKey
		}
		k += d
	}
	return k, nil
}

// textFormat has one key per line. With phases, lines of a single * are skipped,
// as in the traces of the LIRS paper (Jiang and Zhang, SIGMETRICS 2002).
type textFormat struct{ phases bool }

func (f textFormat) key(line []byte) (uint64, bool, error) {
	if len(line) == 0 || line[0] == '#' || f.phases && string(line) == "*" {
		return 0, false, nil
	}
	k, err := parseKey(line)
	if err != nil && !f.phases && string(line) == "*" {
		err = fmt.Errorf("%w, or choose the format lirs, which skips these marks", err)
	}
	return k, err == nil, err
}

// csvFormat has one key per record, in one column. Records are lines: a quoted
// field may hold commas and doubled quotes, but not a line end, because a field
// without end must not eat the memory.
type csvFormat struct {
	column int
	names  []string
	fields [][]byte // reused
}

// header reads the first line that is not blank and finds the column.
func (r *KeyReader) header() (format, error) {
	for {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil, &FileError{Path: r.path, Err: errors.New("no header line: a CSV trace wants the names of its columns first")}
		}
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		f, err := newCSVFormat(line, r.max.Column)
		if err != nil {
			return nil, r.fault(line, err)
		}
		return f, nil
	}
}

func newCSVFormat(header []byte, column string) (*csvFormat, error) {
	f := &csvFormat{}
	fields, err := splitCSV(nil, bytes.Clone(header))
	if err != nil {
		return nil, err
	}
	for _, name := range fields {
		f.names = append(f.names, string(bytes.TrimSpace(name)))
	}
	if column == "" {
		if len(f.names) == 1 {
			return f, nil
		}
		return nil, fmt.Errorf("the file has %d columns: name the one that holds the keys", len(f.names))
	}
	f.column = slices.Index(f.names, column)
	if f.column >= 0 {
		return f, nil
	}
	hint := ""
	if near := unit.Nearest(column, f.names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return nil, fmt.Errorf("no column %q: want one of %s%s", column, strings.Join(f.names, ", "), hint)
}

func (f *csvFormat) key(line []byte) (uint64, bool, error) {
	if len(line) == 0 {
		return 0, false, nil
	}
	var err error
	f.fields, err = splitCSV(f.fields[:0], line)
	if err != nil {
		return 0, false, err
	}
	if len(f.fields) != len(f.names) {
		return 0, false, fmt.Errorf("the record has %d fields, the header %d", len(f.fields), len(f.names))
	}
	k, err := parseKey(bytes.TrimSpace(f.fields[f.column]))
	if err != nil {
		name := f.names[f.column]
		return 0, false, fmt.Errorf("column %s is %w", name, err)
	}
	return k, true, nil
}

// splitCSV appends the fields of a record to dst, unquoted. They share line where
// they can.
func splitCSV(dst [][]byte, line []byte) ([][]byte, error) {
	for {
		if len(line) == 0 || line[0] != '"' {
			field, rest, more := bytes.Cut(line, []byte{','})
			if bytes.IndexByte(field, '"') >= 0 {
				return dst, errors.New(`a quote inside a bare field: quote the whole field and double its quotes`)
			}
			dst = append(dst, field)
			if !more {
				return dst, nil
			}
			line = rest
			continue
		}
		end := 1
		for ; end < len(line); end++ {
			if line[end] == '"' {
				if end+1 == len(line) || line[end+1] != '"' {
					break
				}
				end++
			}
		}
		if end >= len(line) {
			return dst, errors.New("a quoted field does not end on its line")
		}
		field := line[1:end]
		if bytes.IndexByte(field, '"') >= 0 {
			field = bytes.ReplaceAll(field, []byte(`""`), []byte{'"'})
		}
		dst = append(dst, field)
		line = line[end+1:]
		if len(line) == 0 {
			return dst, nil
		}
		if line[0] != ',' {
			return dst, errors.New("text between the end of a quoted field and the next comma")
		}
		line = line[1:]
	}
}
