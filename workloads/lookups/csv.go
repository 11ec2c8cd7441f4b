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

// csvFormat has one key per record, in one column. Records are lines: a quoted
// field may hold commas and doubled quotes, but not a line end, because a field
// without end must not eat the memory.
type csvFormat struct {
	*lines
	column int
	names  []string
	fields [][]byte // reused
}

// newCSVFormat reads the first line that is not blank and finds the column.
func newCSVFormat(l *lines, column string) (*csvFormat, error) {
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil, &FileError{Path: l.path, Err: errors.New("no header line: a CSV trace wants the names of its columns first")}
		}
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		f := &csvFormat{lines: l}
		if err := f.header(line, column); err != nil {
			return nil, l.fault(line, err)
		}
		return f, nil
	}
}

func (f *csvFormat) header(line []byte, column string) error {
	fields, err := splitCSV(nil, bytes.Clone(line))
	if err != nil {
		return err
	}
	for _, name := range fields {
		f.names = append(f.names, string(bytes.TrimSpace(name)))
	}
	f.column, err = findColumn(f.names, column)
	return err
}

// findColumn returns where a column stands among the names. Its name may be empty
// when there is one column only.
func findColumn(names []string, column string) (int, error) {
	if column == "" {
		if len(names) == 1 {
			return 0, nil
		}
		return 0, fmt.Errorf("the file has %d columns: name the one that holds the keys by column: one of %s", len(names), strings.Join(names, ", "))
	}
	if i := slices.Index(names, column); i >= 0 {
		return i, nil
	}
	hint := ""
	if near := unit.Nearest(column, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return 0, fmt.Errorf("no column %q: want one of %s%s", column, strings.Join(names, ", "), hint)
}

func (f *csvFormat) read(dst []uint64, sizes []uint32) (n int, err error) {
	for n < len(dst) {
		var line []byte
		if line, err = f.next(); err != nil {
			break
		}
		k, ok, bad := f.key(line)
		if bad != nil {
			err = f.fault(line, bad)
			break
		}
		if ok {
			dst[n] = k
			n++
		}
	}
	ones(sizes[:min(n, len(sizes))])
	return n, err
}

// key returns the key of a record; ok is false for a blank line.
func (f *csvFormat) key(line []byte) (uint64, bool, error) {
	if len(line) == 0 {
		return 0, false, nil
	}
	field, fields, err := f.field(line)
	if err != nil {
		return 0, false, err
	}
	if fields != len(f.names) {
		return 0, false, fmt.Errorf("the record has %d fields, the header %d", fields, len(f.names))
	}
	k, err := parseKey(bytes.TrimSpace(field))
	if err != nil {
		name := f.names[f.column]
		return 0, false, fmt.Errorf("column %s is %w", name, err)
	}
	return k, true, nil
}

// field returns the record's field in the column, nil when it has none there, and
// how many fields it has.
func (f *csvFormat) field(line []byte) (field []byte, fields int, err error) {
	if bytes.IndexByte(line, '"') >= 0 {
		f.fields, err = splitCSV(f.fields[:0], line)
		if f.column < len(f.fields) {
			field = f.fields[f.column]
		}
		return field, len(f.fields), err
	}
	start := 0
	for i, c := range line {
		if c != ',' {
			continue
		}
		if fields == f.column {
			field = line[start:i]
		}
		fields++
		start = i + 1
	}
	if fields == f.column {
		field = line[start:]
	}
	return field, fields + 1, nil
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
