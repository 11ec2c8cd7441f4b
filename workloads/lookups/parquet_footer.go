package lookups

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

const (
	parquetMagic  = "PAR1"
	parquetSealed = "PARE" // encrypted
	parquetTail   = 8      // bytes after the footer: its length and the magic
)

// parquetFooter reads the footer and says where it starts.
func parquetFooter(file randomFile) (*format.FileMetaData, int64, error) {
	size := file.Size()
	var head [4]byte
	if err := readFull(file, head[:], 0); err != nil {
		return nil, 0, errors.New("not a Parquet file: it is shorter than one")
	}
	switch {
	case string(head[:]) == parquetSealed:
		return nil, 0, errors.New("the Parquet file is encrypted")
	case head[0] == 0x1f && head[1] == 0x8b, string(head[:]) == zstdMagic:
		return nil, 0, errPacked
	case string(head[:]) != parquetMagic:
		return nil, 0, fmt.Errorf("not a Parquet file: it starts with %q, not %q", head[:], parquetMagic)
	}
	var tail [parquetTail]byte
	if err := readFull(file, tail[:], size-parquetTail); err != nil || string(tail[4:]) != parquetMagic {
		return nil, 0, fmt.Errorf("the Parquet file does not end with %q: it was cut", parquetMagic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	end := size - parquetTail - length
	if end < int64(len(head)) {
		return nil, 0, fmt.Errorf("the Parquet footer claims %d bytes in a file of %d: the file is damaged", length, size)
	}
	if length > maxParquetFooter {
		return nil, 0, fmt.Errorf("the Parquet footer has %d bytes, more than %d: write larger row groups", length, maxParquetFooter)
	}
	data := make([]byte, length)
	if err := readFull(file, data, end); err != nil {
		return nil, 0, err
	}
	meta := new(format.FileMetaData)
	if _, err := decodeThrift(data, meta); err != nil {
		return nil, 0, fmt.Errorf("footer: %w", err)
	}
	return meta, end, nil
}

// readFull is ReadAt for all of p or an error.
func readFull(file io.ReaderAt, p []byte, at int64) error {
	if at < 0 {
		return io.ErrUnexpectedEOF
	}
	n, err := file.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// parquetLeaf is a column of the schema.
type parquetLeaf struct {
	element  *format.SchemaElement
	name     string // groups and column, joined by dots
	optional int    // optional steps on the way
	repeated bool   // it is, or is inside, a list
}

// findParquetColumn returns the column that holds the keys. Its name may be empty
// when the file has one column only.
func findParquetColumn(schema []format.SchemaElement, column string) (parquetColumn, error) {
	leaves, err := parquetLeaves(schema)
	if err != nil {
		return parquetColumn{}, err
	}
	names := make([]string, len(leaves))
	for i, l := range leaves {
		names[i] = l.name
	}
	at, err := findColumn(names, column)
	if err != nil {
		return parquetColumn{}, err
	}
	l := &leaves[at]
	c := parquetColumn{name: l.name, index: at, optional: l.optional}
	if l.repeated {
		return c, fmt.Errorf("column %s is a list: want one integer in every row (%s)", l.name, integerColumns(leaves))
	}
	if c.bytes, c.unsigned = integer(l.element); c.bytes == 0 {
		return c, fmt.Errorf("column %s is %s: want integers (%s)", l.name, typeName(l.element), integerColumns(leaves))
	}
	return c, nil
}

// parquetLeaves lists the columns of a schema, which is a tree written depth first.
func parquetLeaves(schema []format.SchemaElement) ([]parquetLeaf, error) {
	damaged := errors.New("the Parquet schema is damaged: its groups do not add up")
	if len(schema) == 0 {
		return nil, damaged
	}
	type group struct {
		left     int32
		prefix   string
		optional int
		repeated bool
	}
	open := []group{{left: schema[0].NumChildren.V}}
	var leaves []parquetLeaf
	for i := range schema[1:] {
		e := &schema[1+i]
		for len(open) > 0 && open[len(open)-1].left == 0 {
			open = open[:len(open)-1]
		}
		if len(open) == 0 || len(open) > maxThriftDepth {
			return nil, damaged
		}
		in := &open[len(open)-1]
		in.left--
		optional, repeated := in.optional, in.repeated
		switch e.RepetitionType.V {
		case format.Optional:
			optional++
		case format.Repeated:
			optional++
			repeated = true
		}
		name := in.prefix + e.Name
		if !e.Type.Valid {
			open = append(open, group{e.NumChildren.V, name + ".", optional, repeated})
			continue
		}
		leaves = append(leaves, parquetLeaf{e, name, optional, repeated})
	}
	for _, g := range open {
		if g.left != 0 {
			return nil, damaged
		}
	}
	return leaves, nil
}

// integer returns the bytes of an integer column, 0 for any other, and whether it
// has no sign. Dates, times and decimals are stored as integers but are none.
func integer(e *format.SchemaElement) (bytes int, unsigned bool) {
	switch e.Type.V {
	case format.Int32:
		bytes = 4
	case format.Int64:
		bytes = 8
	default:
		return 0, false
	}
	switch t := e.LogicalType.Value.(type) {
	case *format.IntType:
		return bytes, !t.IsSigned
	case nil:
	default:
		return 0, false
	}
	if !e.ConvertedType.Valid {
		return bytes, false
	}
	switch e.ConvertedType.V {
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return bytes, true
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return bytes, false
	}
	return 0, false
}

func typeName(e *format.SchemaElement) string {
	if s := e.LogicalType.String(); s != "" {
		return s
	}
	if bytes, _ := integer(e); bytes == 0 && e.ConvertedType.Valid && (e.Type.V == format.Int32 || e.Type.V == format.Int64) {
		return fmt.Sprintf("a date, time or decimal stored as %s", e.Type.V)
	}
	return e.Type.V.String()
}

// integerColumns lists the columns that could hold keys.
func integerColumns(leaves []parquetLeaf) string {
	var names []string
	for _, l := range leaves {
		if bytes, _ := integer(l.element); bytes > 0 && !l.repeated {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return "the file has no column of integers"
	}
	return "columns of integers: " + strings.Join(names, ", ")
}

// levelBits returns the bits of one definition level.
func (c *parquetColumn) levelBits() uint { return uint(bits.Len(uint(c.optional))) }
