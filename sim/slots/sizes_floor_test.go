package slots

import "testing"

// forcedRows returns the rows whose marks a replay of several sizes has to reach, in
// order: that of every lookup from the given one on, then those that the hand of each
// size comes to which misses it. Nothing but a policy with another rule can do with
// fewer.
func forcedRows(policy string, keys []uint32, rows int, sizes []int, from int) []uint32 {
	var forced []uint32
	tables := make([]forcedTable, len(sizes))
	for j, slots := range sizes {
		tables[j] = forcedTable{state: make([]uint8, rows), queue: make([]uint32, slots+slots/4+1), free: slots}
	}
	for i, k := range keys {
		if i == from {
			forced = make([]uint32, 0, 8*(len(keys)-from))
		}
		forced = append(forced, k)
		for j := range tables {
			t := &tables[j]
			if t.state[k] != absent {
				if policy != "fifo" {
					t.state[k] = hit
				}
				continue
			}
			t.state[k] = fresh
			forced = t.enter(k, policy == "sieve", forced)
		}
	}
	return forced
}

// forcedTable is a table of FIFO, CLOCK or SIEVE: the queue as bareSIEVE has it. CLOCK
// puts a row that its hand spares behind the newest.
type forcedTable struct {
	state           []uint8
	queue           []uint32
	kept, hand, end int
	free            int
}

// enter inserts k, after it has evicted a row if it must, and appends the rows that
// the hand came to.
func (t *forcedTable) enter(k uint32, stays bool, passed []uint32) []uint32 {
	if t.free > 0 {
		t.free--
		t.push(k)
		return passed
	}
	for {
		if t.hand == t.end {
			t.kept, t.hand, t.end = 0, 0, t.kept
		}
		old := t.queue[t.hand]
		t.hand++
		passed = append(passed, old)
		t.state[old]--
		if t.state[old] == absent {
			break
		}
		if stays {
			t.queue[t.kept] = old
			t.kept++
		} else {
			t.push(old)
		}
	}
	if t.hand == t.end && stays {
		t.kept, t.hand, t.end = 0, 0, t.kept
	}
	t.push(k)
	return passed
}

func (t *forcedTable) push(k uint32) {
	if t.end == len(t.queue) {
		t.hand, t.end = t.kept, t.kept+copy(t.queue[t.kept:], t.queue[t.hand:t.end])
	}
	t.queue[t.end] = k
	t.end++
}

// bareMarks is the floor of replaying several sizes in one pass: it marks the rows that
// must be reached, and knows them before.
func bareMarks(forced []uint32, marks []uint16) {
	for _, k := range forced {
		marks[k] |= 1
	}
}

// TestForcedRows: without the lookups themselves there is one row for every miss of a
// full table, and one for every row spared.
func TestForcedRows(t *testing.T) {
	keys := intZipf(1e4, 50000)
	for _, policy := range []string{"fifo", "clock", "sieve"} {
		sizes := []int{1, 100, 1000}
		forced := forcedRows(policy, keys, 1e4, sizes, 0)
		misses, err := ReplaySizes(keys, policy, 1e4, sizes)
		if err != nil {
			t.Fatal(err)
		}
		evicted := 0
		for j, n := range misses {
			evicted += int(n) - sizes[j]
		}
		switch got := len(forced) - len(keys); {
		case policy == "fifo" && got != evicted:
			t.Errorf("fifo: %d rows are forced beside the lookups, %d are evicted", got, evicted)
		case policy != "fifo" && got <= evicted:
			t.Errorf("%s: %d rows are forced beside the lookups, with %d evicted none is spared", policy, got, evicted)
		}
	}
}
