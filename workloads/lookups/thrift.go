package lookups

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// decodeThrift decodes the structure at the start of data (compact protocol) into
// v and returns how many bytes it takes. First it walks over the bytes: a decoder
// that reads "a list of 2^31 row groups" makes room for them, and runs out of stack
// on structures inside structures without end.
func decodeThrift(data []byte, v any) (n int, err error) {
	w := thriftWalk{data: data, structs: maxParquetStructs}
	if err := w.structure(0); err != nil {
		return 0, err
	}
	defer func() {
		if p := recover(); p != nil { // the library's, on bytes that it did not expect
			err = fmt.Errorf("damaged header: %v", p)
		}
	}()
	var compact thrift.CompactProtocol
	r := compact.NewReaderFromBytes(data[:w.at])
	if err := thrift.NewDecoder(r).Decode(v); err != nil {
		return 0, err
	}
	return w.at, nil
}

// thriftWalk steps over a Thrift structure and checks what it claims.
type thriftWalk struct {
	data    []byte
	at      int
	structs int // in lists, that may still come
}

// The types of the compact protocol.
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
)

const maxThriftDepth = 32

var errThriftCut = errors.New("the header is cut off")

func (w *thriftWalk) structure(depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("damaged header: more than %d structures in each other", maxThriftDepth)
	}
	for {
		b, err := w.byte()
		if err != nil || b == thriftStop {
			return err
		}
		if b>>4 == 0 { // the field's number stands by itself
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		if b &= 0x0f; b == thriftTrue || b == thriftFalse {
			continue // the type is the value
		}
		if err := w.value(b, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.uvarint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftBinary:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		return w.list(depth)
	case thriftMap:
		return errors.New("damaged header: it has a map, and Parquet has none")
	case thriftStruct:
		return w.structure(depth + 1)
	}
	return fmt.Errorf("damaged header: type %d", kind)
}

func (w *thriftWalk) list(depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("damaged header: more than %d lists in each other", maxThriftDepth)
	}
	b, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(b >> 4)
	if n == 15 {
		if n, err = w.uvarint(); err != nil {
			return err
		}
	}
	if n > uint64(len(w.data)-w.at) { // an item takes a byte at least
		return fmt.Errorf("damaged header: a list of %d items in %d bytes", n, len(w.data)-w.at)
	}
	kind := b & 0x0f
	if kind == thriftStruct {
		if w.structs -= int(n); w.structs < 0 {
			return fmt.Errorf("more than %d row groups x columns in the footer: write larger row groups", maxParquetStructs)
		}
	}
	for range n {
		if err := w.value(kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *thriftWalk) byte() (byte, error) {
	if w.at == len(w.data) {
		return 0, errThriftCut
	}
	w.at++
	return w.data[w.at-1], nil
}

func (w *thriftWalk) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.data[w.at:])
	if n <= 0 {
		return 0, errThriftCut
	}
	w.at += n
	return v, nil
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.data)-w.at) {
		return errThriftCut
	}
	w.at += int(n)
	return nil
}
