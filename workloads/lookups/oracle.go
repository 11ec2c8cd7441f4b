package lookups

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// oracleFormat is libCacheSim's oracleGeneral: records of 24 bytes, little-endian
// and packed,
//
//	time u32 | key u64 | size u32 | next i64
//
// where next is the number of the lookup that comes to the key again, -1 when
// none does. Time and next are not looked at: MIN finds the next use itself. A
// size of 0, which some traces have for requests without an object, is given as
// 1.
type oracleFormat struct {
	path    string
	in      *bufio.Reader
	records int64 // read so far
}

const (
	oracleRecord = 24 // bytes
	oracleKey    = 4  // offset of the key
	oracleSize   = 12 // offset of the size
	oracleBuffer = 1 << 16
)

func newOracleFormat(src io.Reader, path string) *oracleFormat {
	return &oracleFormat{path: path, in: bufio.NewReaderSize(src, oracleBuffer)}
}

func (f *oracleFormat) read(dst []uint64, sizes []uint32) (n int, err error) {
	for n < len(dst) {
		w, err := f.in.Peek(oracleRecord)
		if err != nil {
			return n, f.end(len(w), err)
		}
		w, _ = f.in.Peek(f.in.Buffered())
		run := min(len(w)/oracleRecord, len(dst)-n)
		w = w[:run*oracleRecord]
		if sizes == nil {
			oracleKeys(dst[n:n+run], w)
		} else {
			oracleSized(dst[n:n+run], sizes[n:n+run], w)
		}
		f.in.Discard(len(w))
		f.records += int64(run)
		n += run
	}
	return n, nil
}

func oracleKeys(dst []uint64, w []byte) {
	for i := range dst {
		r := w[i*oracleRecord : i*oracleRecord+oracleRecord]
		dst[i] = binary.LittleEndian.Uint64(r[oracleKey:])
	}
}

func oracleSized(dst []uint64, sizes []uint32, w []byte) {
	for i := range dst {
		r := w[i*oracleRecord : i*oracleRecord+oracleRecord]
		dst[i] = binary.LittleEndian.Uint64(r[oracleKey:])
		sizes[i] = max(binary.LittleEndian.Uint32(r[oracleSize:]), 1)
	}
}

// end returns the error of a file that ends, or breaks off, left bytes into a
// record.
func (f *oracleFormat) end(left int, err error) error {
	if !errors.Is(err, io.EOF) || left == 0 {
		return err
	}
	e := f.place(true)
	e.Path = f.path
	e.Err = fmt.Errorf("the file ends after %d of the record's %d bytes: it was cut, or is not in the format %s", left, oracleRecord, OracleFormat)
	return &e
}

func (f *oracleFormat) place(next bool) FileError {
	record := f.records
	if next {
		record++
	}
	return FileError{Record: record, Offset: max(record-1, 0) * oracleRecord}
}
