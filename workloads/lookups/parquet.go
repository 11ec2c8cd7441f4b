package lookups

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/parquet-go/parquet-go/format"
)

// parquetFormat reads one integer column of a Parquet file
// (https://parquet.apache.org/docs/file-format), page by page: no more than one
// page and one dictionary are in memory.
//
// Footer and page headers are decoded by parquet-go, after a look at what they
// claim (thrift.go). Pages are decoded here, because a library that takes a damaged
// page's word for its number of values, or decompresses it without a limit, can
// take all memory, and that cannot be recovered from.
type parquetFormat struct {
	path   string
	file   randomFile
	end    int64 // where the footer starts
	column parquetColumn
	groups []format.RowGroup // those not yet started
	rows   int64             // read so far
	chunk  *parquetChunk     // nil: the next group is to be started
	unpacker
}

// Limits on Parquet files, beside FileOptions.
const (
	maxParquetFooter  = 16 << 20 // bytes
	maxParquetStructs = 1 << 18  // structures in the footer's lists: about row groups x columns
	maxParquetPage    = 64 << 20 // bytes of one page, packed or unpacked
	maxParquetHeader  = 1 << 14  // bytes of one page header
)

// randomFile is a file that can be read at any place.
type randomFile interface {
	io.ReaderAt
	Size() int64
}

// sizedFile is a regular file with its size.
type sizedFile struct {
	*os.File
	size int64
}

func (f sizedFile) Size() int64 { return f.size }

// errPacked says what to do about a compressed Parquet file.
var errPacked = errors.New("a Parquet file is compressed inside, page by page, and read at random: unpack the file itself first")

// atRandom returns src as a file that can be read at any place.
func atRandom(src io.Reader) (randomFile, error) {
	if f, ok := src.(*os.File); ok {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, errors.New("want a regular file, not a pipe or a folder: Parquet is read at random")
		}
		return sizedFile{f, info.Size()}, nil
	}
	if f, ok := src.(randomFile); ok {
		return f, nil
	}
	return nil, errors.New("want a file, not a stream: Parquet is read at random")
}

func newParquetFormat(src io.Reader, path string, opt FileOptions) (*parquetFormat, error) {
	file, err := atRandom(src)
	if err != nil {
		return nil, err
	}
	if file.Size() > opt.MaxBytes {
		return nil, &LimitError{
			What:  "bytes in the file",
			Limit: opt.MaxBytes,
			Where: path,
			Raise: "cut the trace, or raise the limit of decoded bytes",
		}
	}
	meta, end, err := parquetFooter(file)
	if err != nil {
		return nil, err
	}
	f := &parquetFormat{path: path, file: file, end: end, groups: meta.RowGroups}
	f.column, err = findParquetColumn(meta.Schema, opt.Column)
	return f, err
}

func (f *parquetFormat) read(dst []uint64, sizes []uint32) (n int, err error) {
	for n < len(dst) && err == nil {
		if f.chunk == nil {
			if err = f.start(); err != nil {
				break
			}
		}
		var got int
		got, err = f.chunk.read(dst[n:])
		n += got
		f.rows += int64(got)
		if err == io.EOF {
			f.chunk, err = nil, nil
		}
	}
	ones(sizes[:min(n, len(sizes))])
	if err != nil && err != io.EOF {
		e := f.place(true)
		e.Path, e.Err = f.path, fmt.Errorf("column %s: %w", f.column.name, err)
		err = &e
	}
	return n, err
}

// start goes to the column's chunk in the next row group; io.EOF after the last.
func (f *parquetFormat) start() error {
	if len(f.groups) == 0 {
		return io.EOF
	}
	g := &f.groups[0]
	if f.column.index >= len(g.Columns) {
		return fmt.Errorf("a row group has %d columns, the schema more: the file is damaged", len(g.Columns))
	}
	chunk, err := newParquetChunk(f.file, f.end, &g.Columns[f.column.index], f.column, &f.unpacker)
	if err != nil {
		return err
	}
	if chunk.left != g.NumRows {
		return fmt.Errorf("%d values in a row group of %d rows: the file is damaged", chunk.left, g.NumRows)
	}
	f.chunk, f.groups = chunk, f.groups[1:]
	return nil
}

func (f *parquetFormat) place(next bool) FileError {
	e := FileError{Record: f.rows}
	if next {
		e.Record++
	}
	if f.chunk != nil {
		e.Offset = f.chunk.pageAt
	}
	return e
}

// parquetColumn is a column of integers.
type parquetColumn struct {
	name     string
	index    int // among the leaves of the schema
	bytes    int // 4 or 8
	unsigned bool
	optional int // the definition level of a value that is there; 0: all are
}

// key returns the key of a stored value.
func (c *parquetColumn) key(v uint64) (uint64, error) {
	signed := int64(v)
	if c.bytes == 4 {
		v &= math.MaxUint32
		signed = int64(int32(v))
	}
	if signed < 0 && !c.unsigned {
		return 0, fmt.Errorf("%d: keys are not negative; write them as unsigned integers if these are hashes", signed)
	}
	return v, nil
}
