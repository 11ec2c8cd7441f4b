package slots

import (
	"context"
	"fmt"
	"math/bits"
	"testing"
)

// bareHash is open addressing at load <= 1/2 from 64-bit keys to slots: the floor of
// replaying sparse keys.
type bareHash struct {
	cells []bareCell
	shift uint
}

type bareCell struct {
	key  uint64
	slot int32 // plus one; 0: free
}

func newBareHash(slots int) bareHash {
	n := 1 << bits.Len(uint(2*slots-1))
	return bareHash{make([]bareCell, n), uint(65 - bits.Len(uint(n)))}
}

// find returns the cell of k, or the free one where it goes.
func (h *bareHash) find(k uint64) int {
	at := int(k * 0x9e3779b97f4a7c15 >> h.shift)
	for h.cells[at].slot != 0 && h.cells[at].key != k {
		at = (at + 1) & (len(h.cells) - 1)
	}
	return at
}

func (h *bareHash) remove(k uint64) {
	mask := len(h.cells) - 1
	gap := h.find(k)
	for at := (gap + 1) & mask; h.cells[at].slot != 0; at = (at + 1) & mask {
		home := int(h.cells[at].key * 0x9e3779b97f4a7c15 >> h.shift)
		if (at-home)&mask >= (at-gap)&mask {
			h.cells[gap] = h.cells[at]
			gap = at
		}
	}
	h.cells[gap] = bareCell{}
}

func bareSparseFIFO(keys []uint64, slots int) (misses int) {
	h := newBareHash(slots)
	ring := make([]uint64, slots)
	used, hand := 0, 0
	for _, k := range keys {
		if h.cells[h.find(k)].slot != 0 {
			continue
		}
		misses++
		if used < slots {
			used++
		} else {
			h.remove(ring[hand])
		}
		ring[hand] = k
		h.cells[h.find(k)] = bareCell{k, 1}
		if hand++; hand == slots {
			hand = 0
		}
	}
	return misses
}

func bareSparseLRU(keys []uint64, slots int) (misses int) {
	h := newBareHash(slots)
	held := make([]uint64, slots)
	r := newRing(slots)
	used := int32(0)
	for _, k := range keys {
		if s := h.cells[h.find(k)].slot - 1; s >= 0 {
			r.touch(s)
			continue
		}
		misses++
		s := used
		if int(used) < slots {
			used++
			r.push(s)
		} else {
			s = r.rotate()
			h.remove(held[s])
		}
		held[s] = k
		h.cells[h.find(k)] = bareCell{k, s + 1}
	}
	return misses
}

// sparse spreads keys over 64 bits.
func sparse(keys []uint32) []uint64 {
	wide := make([]uint64, len(keys))
	for i, k := range keys {
		wide[i] = fmix64(uint64(k))
	}
	return wide
}

func TestBareSparse(t *testing.T) {
	keys := intZipf(1e4, 100000)
	for _, slots := range []int{1, 2, 1000} {
		if got, want := bareSparseFIFO(sparse(keys), slots), bareFIFO(keys, 1e4, slots); got != want {
			t.Errorf("%d slots: the sparse FIFO misses %d, the dense one %d", slots, got, want)
		}
		if got, want := bareSparseLRU(sparse(keys), slots), bareLRU(keys, 1e4, slots); got != want {
			t.Errorf("%d slots: the sparse LRU misses %d, the dense one %d", slots, got, want)
		}
	}
}

// replayAll feeds a trace to a Replayer of one worker.
func replayAll[K uint32 | uint64](b *testing.B, tables []Config, opt ReplayOptions, keys []K, feed func(*Replayer, []K) error) {
	r, err := NewReplayer(tables, opt)
	if err != nil {
		b.Fatal(err)
	}
	for ; len(keys) > 0; keys = keys[min(len(keys), 10000):] {
		if err := feed(r, keys[:min(len(keys), 10000)]); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := r.Finish(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReplayer reports processor time per lookup of streaming replays of dense
// and of sparse keys, in turns with the bare loop for such keys: of one table, and of
// six tables in one read, per table, against the bare loops of the same six.
func BenchmarkReplayer(b *testing.B) {
	for _, trace := range benchTraces() {
		keys := intZipf(trace.rows, trace.n)
		wide := sparse(keys)
		run := func(name string, tables []Config) {
			b.Run(name+"/keys=dense", func(b *testing.B) {
				inTurns(b, len(keys)*len(tables), func() {
					for _, c := range tables {
						floors[c.Policy](keys, int(trace.rows), c.Slots)
					}
				}, func() {
					replayAll(b, tables, ReplayOptions{Rows: trace.rows}, keys, (*Replayer).FeedDense)
				})
			})
			b.Run(name+"/keys=sparse", func(b *testing.B) {
				inTurns(b, len(keys)*len(tables), func() {
					for _, c := range tables {
						if c.Policy == "lru" {
							bareSparseLRU(wide, c.Slots)
						} else {
							bareSparseFIFO(wide, c.Slots)
						}
					}
				}, func() {
					replayAll(b, tables, ReplayOptions{}, wide, (*Replayer).Feed)
				})
			})
		}
		for _, slots := range trace.slots {
			for _, policy := range []string{"fifo", "lru"} {
				run(fmt.Sprintf("trace=%s/slots=%d/tables=%s", trace.name, slots, policy), []Config{{Policy: policy, Slots: slots}})
			}
		}
		s := trace.slots[0]
		run(fmt.Sprintf("trace=%s/slots=%d/tables=six", trace.name, s), []Config{
			{Policy: "fifo", Slots: s}, {Policy: "lru", Slots: s}, {Policy: "fifo", Slots: 2 * s}, {Policy: "lru", Slots: 2 * s}, {Policy: "fifo", Slots: s / 2}, {Policy: "lru", Slots: s / 2},
		})
	}
}
