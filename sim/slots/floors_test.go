package slots

import (
	"math/bits"
	"testing"
)

// The floors of replay: each policy as the fastest plain loop known to us over
// arrays indexed by key, and nothing else: no table, no second call, no room to
// grow. Keys are dense.

func bareFIFO(keys []uint32, rows, slots int) (misses int) {
	in := make([]uint8, rows)
	ring := make([]uint32, slots)
	used, hand := 0, 0
	for _, k := range keys {
		if in[k] != 0 {
			continue
		}
		misses++
		in[k] = 1
		if used < slots {
			ring[used] = k
			used++
			continue
		}
		in[ring[hand]] = 0
		ring[hand] = k
		if hand++; hand == slots {
			hand = 0
		}
	}
	return misses
}

func bareCLOCK(keys []uint32, rows, slots int) (misses int) {
	state := make([]uint8, rows)
	ring := make([]uint32, slots)
	used, hand := 0, 0
	for _, k := range keys {
		if state[k] != 0 {
			state[k] = 2
			continue
		}
		misses++
		state[k] = 1
		if used < slots {
			ring[used] = k
			used++
			continue
		}
		for {
			old := ring[hand]
			state[old]--
			if state[old] == 0 {
				break
			}
			if hand++; hand == slots {
				hand = 0
			}
		}
		ring[hand] = k
		if hand++; hand == slots {
			hand = 0
		}
	}
	return misses
}

func bareSIEVE(keys []uint32, rows, slots int) (misses int) {
	state := make([]uint8, rows)
	queue := make([]uint32, slots+slots/4+1)
	used, kept, hand, end := 0, 0, 0, 0
	for _, k := range keys {
		if state[k] != 0 {
			state[k] = 2
			continue
		}
		misses++
		state[k] = 1
		if used < slots {
			used++
		} else {
			for {
				if hand == end {
					kept, hand, end = 0, 0, kept
				}
				old := queue[hand]
				hand++
				state[old]--
				if state[old] == 0 {
					break
				}
				queue[kept] = old
				kept++
			}
			if hand == end {
				kept, hand, end = 0, 0, kept
			}
		}
		if end == len(queue) {
			hand, end = kept, kept+copy(queue[kept:], queue[hand:end])
		}
		queue[end] = k
		end++
	}
	return misses
}

// bareLRU keeps a log of uses. bareLRUList is the loop that one would write first,
// a list of slots; it is slower, see the benchmark.
func bareLRU(keys []uint32, rows, slots int) (misses int) {
	last := make([]uint32, rows) // position of the last use + 1
	log := make([]uint32, (3*slots+127)&^63)
	live := make([]uint64, len(log)/64)
	setAll(live)
	tail, end, used := 0, 0, 0
	for len(keys) > 0 {
		if end == len(log) {
			end = 0
			for g := range live {
				for word := live[g]; word != 0; word &= word - 1 {
					k := log[g<<6|bits.TrailingZeros64(word)]
					log[end] = k
					end++
					last[k] = uint32(end)
				}
			}
			setAll(live)
			tail = 0
		}
		now := keys[:min(len(keys), 64, len(log)-end)]
		keys = keys[len(now):]
		to := log[end : end+len(now)]
		for i, k := range now {
			to[i] = last[k] // fetches the entries together
		}
		for i, k := range now {
			at := last[k]
			last[k] = uint32(end + i + 1)
			to[i] = k
			if at != 0 {
				live[(at-1)>>6] &^= 1 << ((at - 1) & 63)
				continue
			}
			misses++
			if used < slots {
				used++
				continue
			}
			for live[tail>>6]>>(tail&63) == 0 {
				tail = (tail | 63) + 1
			}
			tail += bits.TrailingZeros64(live[tail>>6] >> (tail & 63))
			live[tail>>6] &^= 1 << (tail & 63)
			last[log[tail]] = 0
			tail++
		}
		end += len(now)
	}
	return misses
}

func bareLRUList(keys []uint32, rows, slots int) (misses int) {
	slot := make([]int32, rows) // plus one
	held := make([]uint32, slots)
	prev, next := make([]int32, slots), make([]int32, slots)
	used, oldest := int32(0), int32(0)
	for _, k := range keys {
		s := slot[k] - 1
		switch {
		case s >= 0:
			if s == oldest {
				oldest = next[s]
				continue
			}
			p, n := prev[s], next[s]
			next[p], prev[n] = n, p
			last := prev[oldest]
			prev[s], next[s] = last, oldest
			next[last], prev[oldest] = s, s
			continue
		case int(used) < slots:
			s = used
			used++
			last := prev[oldest]
			prev[s], next[s] = last, oldest
			next[last], prev[oldest] = s, s
		default:
			s = oldest
			oldest = next[s]
			slot[held[s]] = 0
		}
		misses++
		held[s] = k
		slot[k] = s + 1
	}
	return misses
}

// floors are the floors by policy. Those without one of their own are measured
// against LRU's.
var floors = map[string]func(keys []uint32, rows, slots int) int{
	"fifo": bareFIFO, "clock": bareCLOCK, "sieve": bareSIEVE, "lru": bareLRU,
}

func TestFloors(t *testing.T) {
	keys := intZipf(1e4, 100000)
	check := func(name, policy string, floor func(keys []uint32, rows, slots int) int) {
		for _, slots := range []int{1, 2, 1000, 9999} {
			table := newTable(t, Config{Slots: slots, Rows: 1e4, Policy: policy})
			if got, want := floor(keys, 1e4, slots), table.Replay(keys); got != want {
				t.Errorf("%d slots: %s misses %d, the table %d", slots, name, got, want)
			}
		}
	}
	for policy, floor := range floors {
		check(policy, policy, floor)
	}
	check("the list", "lru", bareLRUList)
}
