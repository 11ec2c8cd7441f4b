package lookups

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// The encodings of integers, as https://parquet.apache.org/docs/file-format/data-pages/encodings
// describes them. Each decodes as it is asked, so that counts in the data are
// claims that take no memory.

// valueDecoder hands out the values of a page.
type valueDecoder interface {
	// decode fills dst and returns how many values it decoded: fewer come with an
	// error. Values of 4 bytes may have anything in the upper half.
	decode(dst []uint64) (n int, err error)
}

// plainDictionary is what old writers call dictionary encoding, in both kinds of
// pages.
const plainDictionary format.Encoding = 2

var errValuesCut = errors.New("the page has fewer values than its header says: the file is damaged")

func newValueDecoder(encoding format.Encoding, data []byte, size int, dict []byte) (valueDecoder, error) {
	if len(data) == 0 { // of a page without values, in any encoding
		return &plainValues{nil, size}, nil
	}
	switch encoding {
	case format.Plain:
		return &plainValues{data, size}, nil
	case format.RLEDictionary, plainDictionary:
		return newDictValues(data, size, dict)
	case format.DeltaBinaryPacked:
		return newDeltaValues(data)
	case format.ByteStreamSplit:
		return &splitValues{data: data, streams: size}, nil
	}
	return nil, fmt.Errorf("encoded as %s: want PLAIN, RLE_DICTIONARY, DELTA_BINARY_PACKED or BYTE_STREAM_SPLIT", encoding)
}

// plainValues are little-endian.
type plainValues struct {
	data []byte
	size int
}

func (p *plainValues) decode(dst []uint64) (n int, err error) {
	n = min(len(dst), len(p.data)/p.size)
	if p.size == 8 {
		for i := range dst[:n] {
			dst[i] = binary.LittleEndian.Uint64(p.data[8*i:])
		}
	} else {
		for i := range dst[:n] {
			dst[i] = uint64(binary.LittleEndian.Uint32(p.data[4*i:]))
		}
	}
	p.data = p.data[n*p.size:]
	if n < len(dst) {
		err = errValuesCut
	}
	return n, err
}

// splitValues are the first bytes of all values, then the second ones, ….
type splitValues struct {
	data    []byte
	streams int
	next    int
}

func (s *splitValues) decode(dst []uint64) (n int, err error) {
	all := len(s.data) / s.streams
	n = min(len(dst), all-s.next)
	for i := range dst[:n] {
		v := uint64(0)
		for b := range s.streams {
			v |= uint64(s.data[b*all+s.next+i]) << (8 * b)
		}
		dst[i] = v
	}
	s.next += n
	if n < len(dst) {
		err = errValuesCut
	}
	return n, err
}

// dictValues are places in a dictionary of plain values.
type dictValues struct {
	places hybrid
	dict   []byte
	size   int
	some   [1024]uint32
}

func newDictValues(data []byte, size int, dict []byte) (*dictValues, error) {
	if dict == nil {
		return nil, errors.New("a page refers to a dictionary that did not come before it: the file is damaged")
	}
	d := &dictValues{dict: dict, size: size, places: hybrid{data: data[1:], width: uint(data[0])}}
	if d.places.width > 32 {
		return nil, fmt.Errorf("places of %d bits in a dictionary: the file is damaged", d.places.width)
	}
	return d, nil
}

func (d *dictValues) decode(dst []uint64) (n int, err error) {
	known := uint32(len(d.dict) / d.size)
	for n < len(dst) {
		some := d.some[:min(len(dst)-n, len(d.some))]
		got, err := d.places.read(some)
		for _, at := range some[:got] {
			if at >= known {
				return n, fmt.Errorf("place %d in a dictionary of %d values: the file is damaged", at, known)
			}
			if d.size == 8 {
				dst[n] = binary.LittleEndian.Uint64(d.dict[8*at:])
			} else {
				dst[n] = uint64(binary.LittleEndian.Uint32(d.dict[4*at:]))
			}
			n++
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// hybrid decodes runs of one number and bit-packed numbers, mixed (RLE).
type hybrid struct {
	data  []byte
	width uint // bits of a number, at most 32

	run    uint64 // numbers left in the run
	packed bool
	value  uint32 // of a run of one number
	bits   bitReader
}

func (h *hybrid) read(dst []uint32) (n int, err error) {
	for n < len(dst) {
		if h.run == 0 {
			if err := h.start(); err != nil {
				return n, err
			}
			continue
		}
		take := int(min(h.run, uint64(len(dst)-n)))
		if h.packed {
			for i := range take {
				v, ok := h.bits.next(h.width)
				if !ok {
					return n + i, errValuesCut
				}
				dst[n+i] = uint32(v)
			}
		} else {
			for i := range take {
				dst[n+i] = h.value
			}
		}
		n += take
		h.run -= uint64(take)
	}
	return n, nil
}

// start reads the head of a run: its length, and whether it is packed.
func (h *hybrid) start() error {
	head, n := binary.Uvarint(h.data)
	if n <= 0 {
		return errValuesCut
	}
	h.data = h.data[n:]
	h.run, h.packed = head>>1, head&1 == 1
	if h.packed { // in groups of 8 numbers, which take width bytes
		size := uint64(len(h.data))
		if h.width > 0 {
			size = min(h.run, size/uint64(h.width)+1) * uint64(h.width) // the last may be cut
		} else {
			size = 0
		}
		size = min(size, uint64(len(h.data)))
		h.bits = bitReader{data: h.data[:size]}
		h.data = h.data[size:]
		h.run = min(h.run, 1<<40) * 8
		return nil
	}
	bytes := int(h.width+7) / 8
	if len(h.data) < bytes {
		return errValuesCut
	}
	h.value = 0
	for i, b := range h.data[:bytes] {
		h.value |= uint32(b) << (8 * i)
	}
	h.data = h.data[bytes:]
	return nil
}

// bitReader takes numbers off a string of bits, least significant first.
type bitReader struct {
	data []byte
	at   uint64 // bit
}

// next returns the next number of width <= 64 bits; ok is false when the data end
// in it.
func (b *bitReader) next(width uint) (v uint64, ok bool) {
	if b.at+uint64(width) > 8*uint64(len(b.data)) {
		return 0, false
	}
	byteAt, shift := int(b.at>>3), uint(b.at&7)
	b.at += uint64(width)
	mask := uint64(1)<<width - 1
	if byteAt+8 <= len(b.data) {
		v = binary.LittleEndian.Uint64(b.data[byteAt:]) >> shift
		if shift+width > 64 {
			v |= uint64(b.data[byteAt+8]) << (64 - shift)
		}
		return v & mask, true
	}
	for i := uint(0); i < shift+width; i += 8 {
		v |= uint64(b.data[byteAt]) << i >> shift
		byteAt++
	}
	return v & mask, true
}

// deltaValues are the differences of neighbours, in blocks of small ones.
type deltaValues struct {
	data  []byte
	last  uint64
	left  uint64 // values that the page's header claims
	first bool   // the first value is to come

	perMini uint64 // values of a miniblock
	least   uint64 // smallest difference of the block
	widths  []byte // of the miniblocks to come
	width   uint
	inMini  uint64 // values left in the miniblock
	bits    bitReader
	minis   uint64 // per block
}

const maxDeltaBlock = 1 << 20 // values

func newDeltaValues(data []byte) (*deltaValues, error) {
	d := &deltaValues{data: data, first: true}
	block, ok1 := d.uvarint()
	minis, ok2 := d.uvarint()
	left, ok3 := d.uvarint()
	first, ok4 := d.uvarint()
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, errValuesCut
	}
	if block == 0 || block > maxDeltaBlock || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return nil, fmt.Errorf("blocks of %d differences in %d parts: the file is damaged", block, minis)
	}
	d.minis, d.perMini = minis, block/minis
	d.left, d.last = left, unzigzag(first)
	return d, nil
}

func (d *deltaValues) decode(dst []uint64) (n int, err error) {
	for n < len(dst) {
		if d.left == 0 {
			return n, errValuesCut
		}
		if d.first {
			d.first = false
		} else {
			if d.inMini == 0 {
				if err := d.mini(); err != nil {
					return n, err
				}
			}
			delta, ok := d.bits.next(d.width)
			if !ok {
				return n, errValuesCut
			}
			d.inMini--
			d.last += d.least + delta
		}
		dst[n] = d.last
		n++
		d.left--
	}
	return n, nil
}

// mini goes to the next miniblock, and the next block when there is none.
func (d *deltaValues) mini() error {
	if len(d.widths) == 0 {
		least, ok := d.uvarint()
		if !ok || uint64(len(d.data)) < d.minis {
			return errValuesCut
		}
		d.least = unzigzag(least)
		d.widths, d.data = d.data[:d.minis], d.data[d.minis:]
	}
	d.width, d.widths = uint(d.widths[0]), d.widths[1:]
	if d.width > 64 {
		return fmt.Errorf("differences of %d bits: the file is damaged", d.width)
	}
	size := min(d.perMini/8*uint64(d.width), uint64(len(d.data)))
	d.bits = bitReader{data: d.data[:size]}
	d.data = d.data[size:]
	d.inMini = d.perMini
	return nil
}

func (d *deltaValues) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		return 0, false
	}
	d.data = d.data[n:]
	return v, true
}

// unzigzag undoes the mapping of signed numbers to 0, -1, 1, -2, ….
func unzigzag(v uint64) uint64 { return v>>1 ^ -(v & 1) }
