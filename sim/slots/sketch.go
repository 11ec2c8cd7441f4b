package slots

import "math/bits"

// sketch estimates how often keys were used lately, in 8 bytes per slot: the
// TinyLFU of Einziger, Friedman and Manes (TinyLFU: A highly efficient cache
// admission policy, ACM Transactions on Storage 13(4), 2017, section 3). It is a
// count-min sketch of four rows of 4-bit counters, of which only the smallest are
// raised (minimal increment), behind a doorkeeper, a Bloom filter that takes the
// first use of every key. After a sample of ten uses per slot all counters are
// halved and the doorkeeper is emptied.
//
// All bits of one key are in one cache line.
type sketch struct {
	blocks []sketchBlock
	uses   int // since the start of the sample
	sample int
}

// sketchBlock has four rows of 16 counters, and 256 bits of the doorkeeper.
type sketchBlock struct {
	rows [4]uint64
	door [4]uint64
}

const (
	sketchSample = 10 // uses per slot
	slotsPerLine = 8
	maxCount     = 15
	halfCounts   = 0x7777777777777777
)

func newSketch(slots int) sketch {
	return sketch{
		blocks: make([]sketchBlock, (slots+slotsPerLine-1)/slotsPerLine),
		sample: sketchSample * slots,
	}
}

// block returns the block of a hash, from its high bits: the rest decides where in
// it.
func (x *sketch) block(hash uint64) *sketchBlock {
	i, _ := bits.Mul64(hash, uint64(len(x.blocks)))
	return &x.blocks[i]
}

// shifts returns where the counters of a hash are in the four rows, from 16 of its
// low bits.
func shifts(hash uint64) (a, b, c, d uint64) {
	return hash & 15 * 4, hash >> 4 & 15 * 4, hash >> 8 & 15 * 4, hash >> 12 & 15 * 4
}

// doors returns the two bits of a hash in the doorkeeper, by word, from another 16
// of its low bits: one of the upper and one of the lower half.
func doors(hash uint64) (i int, first uint64, j int, second uint64) {
	return int(hash >> 16 & 1), hash >> 17 & 63, 2 + int(hash>>23&1), hash >> 24 & 63
}

// add counts a use of the key with this hash: in the doorkeeper, or when it is there
// already, by adding 1 to the smallest of its counters. What is done is computed, not
// branched on: a processor cannot foresee it.
func (x *sketch) add(hash uint64) {
	b := x.block(hash)
	i, first, j, second := doors(hash)
	s0, s1, s2, s3 := shifts(hash)
	n0, n1, n2, n3 := b.rows[0]>>(s0&63)&15, b.rows[1]>>(s1&63)&15, b.rows[2]>>(s2&63)&15, b.rows[3]>>(s3&63)&15
	known := b.door[i] >> first & (b.door[j] >> second) & 1
	b.door[i] |= 1 << first
	b.door[j] |= 1 << second
	// Counters below this are raised: none of a key that is new, none at its most.
	below := (min(n0, n1, n2, n3, maxCount-1) + 1) & -known
	b.rows[0] += (n0 - below) >> 63 << (s0 & 63)
	b.rows[1] += (n1 - below) >> 63 << (s1 & 63)
	b.rows[2] += (n2 - below) >> 63 << (s2 & 63)
	b.rows[3] += (n3 - below) >> 63 << (s3 & 63)
	x.uses++
	if x.uses == x.sample {
		x.age()
	}
}

// estimate returns about how often the key was used, never less than it was in
// this sample, up to 16.
func (x *sketch) estimate(hash uint64) uint64 {
	b := x.block(hash)
	s0, s1, s2, s3 := shifts(hash)
	n := min(b.rows[0]>>s0&15, b.rows[1]>>s1&15, b.rows[2]>>s2&15, b.rows[3]>>s3&15)
	i, first, j, second := doors(hash)
	return n + b.door[i]>>first&(b.door[j]>>second)&1
}

// age halves all counters and empties the doorkeeper; what the halving keeps are
// uses of the new sample.
func (x *sketch) age() {
	for i := range x.blocks {
		b := &x.blocks[i]
		for r := range b.rows {
			b.rows[r] = b.rows[r] >> 1 & halfCounts
		}
		b.door = [4]uint64{}
	}
	x.uses /= 2
}
