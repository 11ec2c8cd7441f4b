package slots

import (
	"encoding/binary"
	"math/bits"
)

// blockSizes replays up to eight sizes, a block of lookups at a time, within which one
// size goes after the other.
type blockSizes struct {
	marks  []uint16 // the word of each row
	queues []sizeQueue
	block  sizeBlock
}

// The word of a row. Bit j says that the row is in a slot of size j, and bit hitShift+j
// that it was hit there since the hand last passed. Of a row that the block looks
// up, words has the word; its own has no lower bit, and 1 + its first lookup above.
const (
	groupSizes = 8 // bits each
	hitShift   = groupSizes
)

// sizeQueue is the queue of one size, the j-th.
type sizeQueue interface {
	// run looks up a block, of which the given lookups find their rows if all
	// rows stay that were there when it began. It returns those of them that
	// are hits to be marked when the block ends.
	run(b *sizeBlock, marks []uint16, found uint64, j int) uint64
	missed() int64
}

func newBlockSizes(rows int64, queues []sizeQueue) *blockSizes {
	return &blockSizes{marks: make([]uint16, rows), queues: queues}
}

func (s *blockSizes) misses() []int64 {
	misses := make([]int64, len(s.queues))
	for j, q := range s.queues {
		misses[j] = q.missed()
	}
	return misses
}

func (s *blockSizes) mark(known []uint64) {
	for k, m := range s.marks {
		if uint8(m) != 0 {
			known[k>>6] |= 1 << (k & 63)
		}
	}
}

func (s *blockSizes) run(keys []uint32) {
	b := &s.block
	for len(keys) > 0 {
		n := min(len(keys), blockLookups)
		found := b.begin(keys[:n], s.marks, len(s.queues))
		for j, q := range s.queues {
			hits := q.run(b, s.marks, found[j], j)
			b.without(found[j]&^hits, j)
		}
		b.end(s.marks)
		keys = keys[n:]
	}
}

// sizeBlock is a block of lookups. Which of them each size misses is found for all at
// once, without a branch, where a branch per lookup, or a loop over the sizes that miss it,
// is one that a processor cannot foresee.
//
// What is found holds for the beginning of the block. A size changes it as it goes, where
// its hand comes to a row that the block looks up as well: it may have been hit before that
// lookup or not, and if it is evicted a later lookup misses it.
type sizeBlock struct {
	n     int // lookups
	all   uint64
	keys  [blockLookups]uint32
	first [blockLookups]uint8  // per lookup: the first one of the same row
	words [blockLookups]uint16 // per first lookup: the row's word
	again uint64               // those that are not the first

	// A byte per lookup: the sizes at which it is a hit that is to be marked.
	hits [blockLookups / 8]uint64

	of     [blockLookups]uint64 // per first lookup: all of the row's
	listed bool                 // of is made: few blocks need it
}

const blockLookups = 64 // a bit each

// begin takes lookups, and returns those that find their rows, by size. Their rows are
// in all of the sizes from then on, until they are evicted.
func (b *sizeBlock) begin(lookups []uint32, marks []uint16, sizes int) (found [groupSizes]uint64) {
	b.n = copy(b.keys[:], lookups)
	b.all = ^uint64(0) >> (blockLookups - b.n)
	b.listed = false
	b.takeWords(marks, 1<<sizes-1)
	var bySize [groupSizes * len(b.hits)]uint8
	b.again = 0
	for g := range b.hits {
		first := binary.LittleEndian.Uint64(b.first[8*g:])
		self := 0x0706050403020100 + 8*eachByte*uint64(g)
		again := (first ^ self + 0x7f*eachByte) >> 7 & eachByte // as all are below 128
		b.again |= again * 0x0102040810204080 >> 56 << (8 * g)  // a bit of each byte
		b.hits[g] = (b.hits[g] | again*0xff) & (eachByte * (1<<sizes - 1))
		x := transpose8(b.hits[g])
		bySize[g], bySize[8+g], bySize[16+g], bySize[24+g] = uint8(x), uint8(x>>8), uint8(x>>16), uint8(x>>24)
		bySize[32+g], bySize[40+g], bySize[48+g], bySize[56+g] = uint8(x>>32), uint8(x>>40), uint8(x>>48), uint8(x>>56)
	}
	b.again &= b.all
	for j := range found {
		found[j] = binary.LittleEndian.Uint64(bySize[8*j:]) & b.all
	}
	return found
}

const eachByte = 0x0101010101010101

// takeWords moves the words of the block's rows into it.
func (b *sizeBlock) takeWords(marks []uint16, in uint16) {
	for g := range (b.n + 7) / 8 {
		b.hits[g%8] = takeWords8((*[8]uint32)(b.keys[8*g:]), marks, (*[8]uint16)(b.words[8*g:]), in)
	}
	keys := b.keys[:b.n]
	for i := len(keys) - 1; i >= 0; i-- { // what is written last stays: the first of a row
		marks[keys[i]] = uint16(i+1) << hitShift
	}
	for i, k := range keys {
		b.first[i%blockLookups] = uint8(marks[k]>>hitShift - 1)
	}
}

// takeWords8 is what takeWords does first, of eight rows: a loop would take half again as long.
func takeWords8(keys *[8]uint32, marks []uint16, words *[8]uint16, in uint16) (found uint64) {
	m0, m1, m2, m3 := marks[keys[0]], marks[keys[1]], marks[keys[2]], marks[keys[3]]
	words[0], words[1], words[2], words[3] = m0|in, m1|in, m2|in, m3|in
	m4, m5, m6, m7 := marks[keys[4]], marks[keys[5]], marks[keys[6]], marks[keys[7]]
	words[4], words[5], words[6], words[7] = m4|in, m5|in, m6|in, m7|in
	return uint64(uint8(m0)) | uint64(uint8(m1))<<8 | uint64(uint8(m2))<<16 | uint64(uint8(m3))<<24 |
		uint64(uint8(m4))<<32 | uint64(uint8(m5))<<40 | uint64(uint8(m6))<<48 | uint64(uint8(m7))<<56
}

// end puts the words back, with the hits.
func (b *sizeBlock) end(marks []uint16) {
	for i, p := range b.first[:b.n] {
		hits := b.hits[uint(i)/8%8] >> (uint(i) % 8 * 8)
		b.words[p%blockLookups] |= uint16(hits) << hitShift
	}
	for i, k := range b.keys[:b.n] {
		marks[k] = b.words[b.first[i%blockLookups]%blockLookups]
	}
}

// without says that lookups are no hits to be marked at size j.
func (b *sizeBlock) without(lookups uint64, j int) {
	for ; lookups != 0; lookups &= lookups - 1 {
		i := bits.TrailingZeros64(lookups)
		b.hits[i/8] &^= 1 << (i%8*8 + j)
	}
}

// row returns the word of a row that the block looks up, and its lookups; mark is what
// is in place of the word.
func (b *sizeBlock) row(mark uint16) (word *uint16, lookups uint64) {
	if !b.listed {
		b.list()
	}
	first := (mark>>hitShift - 1) % blockLookups
	return &b.words[first], b.of[first]
}

//go:noinline
func (b *sizeBlock) list() {
	for i := range b.of {
		b.of[i] = 1 << i
	}
	for left := b.again; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		b.of[b.first[i]%blockLookups] |= 1 << i
	}
	b.listed = true
}

// evictRow evicts a row from a size that the block looks up, and returns the first of its
// lookups that are still to come, or 0: that one misses, and brings it back.
func evictRow(word *uint16, toCome uint64, in uint16) uint64 {
	if toCome == 0 {
		*word &^= in
	}
	return toCome & -toCome
}

// transpose8 transposes a matrix of 8 x 8 bits (Warren, Hacker's Delight, 7-3).
func transpose8(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}
