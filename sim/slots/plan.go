package slots

import (
	"fmt"

	"stowage/workloads/lookups"
)

// ShortageError says that the rows of the rounds in flight do not fit into the
// slots together: no eviction can help, because all of them are pinned.
type ShortageError struct {
	Round    int // the round that could not be planned, from 0
	Unique   int // its unique rows
	InFlight int // rounds in flight beside it
	Pinned   int // slots that they pin
	Need     int // distinct rows of this round and those in flight: slots that would do
	Slots    int
}

func (e *ShortageError) Error() string {
	if e.InFlight == 0 {
		return fmt.Sprintf("round %d has %d unique rows, the table %d slots: give it at least %d slots, or take a smaller batch",
			e.Round, e.Unique, e.Slots, e.Need)
	}
	return fmt.Sprintf("round %d and the %d rounds in flight before it use %d distinct rows, the table has %d slots: give it at least %d slots, or take a smaller look-ahead or batch",
		e.Round, e.InFlight, e.Need, e.Slots, e.Need)
}

// Plan decides one round: its hits, victims and fills (see the package comment),
// and pins its rows until Release. After an error the table is as it was: a
// *ShortageError, or a round that the table cannot take (a key at or above its
// rows; under min, a round that is not the next of the future).
func (t *Table) Plan(r lookups.Round) (Counts, error) {
	if t.single {
		panic("slots: Plan on a table that replays single lookups")
	}
	if len(r.Counts) != len(r.Keys) {
		return Counts{}, fmt.Errorf("round %d: %d counts for %d keys", t.planned, len(r.Counts), len(r.Keys))
	}
	slots := t.flights.buffer(len(r.Keys))
	c, fresh, err := t.classify(r, slots)
	if err != nil {
		return Counts{}, err
	}
	if need := t.pinned + fresh + c.Misses; need > t.cfg.Slots {
		return Counts{}, &ShortageError{
			Round: t.planned, Unique: c.Unique, InFlight: t.flights.n,
			Pinned: t.pinned, Need: need, Slots: t.cfg.Slots,
		}
	}
	if err := t.policy.begin(r); err != nil {
		return Counts{}, err
	}
	t.touch(slots)
	t.makeRoom(c.Misses, &c)
	t.write(r, slots)
	t.flights.push(slots)
	t.planned++
	c.Used = t.used
	return c, nil
}

// classify finds the slot of every key, none for a miss. fresh counts the hits
// that no round in flight pins yet.
func (t *Table) classify(r lookups.Round, slots []int32) (c Counts, fresh int, err error) {
	c.Lookups, c.Unique = r.Lookups, len(r.Keys)
	for i, k := range r.Keys {
		if int64(k) >= t.cfg.Rows {
			return c, 0, fmt.Errorf("round %d: key %d is not below the %d rows of the table", t.planned, k, t.cfg.Rows)
		}
		s := t.index.get(k)
		slots[i] = s
		if s == none {
			c.Misses++
			continue
		}
		c.Hits++
		c.HitLookups += int(r.Counts[i])
		if t.pins[s] == 0 {
			fresh++
		}
	}
	return c, fresh, nil
}

// touch pins the hits and tells the policy.
func (t *Table) touch(slots []int32) {
	for i, s := range slots {
		if s != none {
			t.pin(s)
			t.policy.hit(s, i)
		}
	}
}

func (t *Table) pin(s int32) {
	if t.pins[s] == 0 {
		t.pinned++
	}
	t.pins[s]++
}

// makeRoom evicts until need slots are free. The victims' slots go to the fills
// of the same round, after the free ones.
func (t *Table) makeRoom(need int, c *Counts) {
	t.evictions = t.evictions[:0]
	t.victims = t.victims[:0]
	short := need - t.Remaining()
	if short <= 0 {
		return
	}
	t.victims = t.policy.victims(short, t.pins, t.victims)
	if len(t.victims) != short {
		panic(fmt.Sprintf("slots: policy %s gave %d victims of %d", t.cfg.Policy, len(t.victims), short))
	}
	for _, s := range t.victims {
		if t.pins[s] > 0 {
			panic(fmt.Sprintf("slots: policy %s evicts slot %d, which is pinned", t.cfg.Policy, s))
		}
		t.index.del(t.keys[s])
		t.evictions = append(t.evictions, Move{t.keys[s], s, t.dirty[s]})
		if t.dirty[s] {
			c.WriteBacks++
			t.dirty[s] = false
		}
	}
	c.Evictions = short
}

// write fills the misses: free slots first, lowest first, then the victims'.
func (t *Table) write(r lookups.Round, slots []int32) {
	t.fills = t.fills[:0]
	victims := t.victims
	for i, s := range slots {
		if s != none {
			continue
		}
		if t.used < len(t.keys) {
			s = int32(t.used)
			t.used++
		} else {
			s, victims = victims[0], victims[1:]
		}
		k := r.Keys[i]
		if t.index.put(k, s) != none {
			panic(fmt.Sprintf("slots: key %d is twice in round %d: rounds must be unique", k, t.planned))
		}
		t.keys[s] = k
		slots[i] = s
		t.pin(s)
		t.policy.fill(s, i)
		t.fills = append(t.fills, Move{Key: k, Slot: s})
	}
}

// Release ends the oldest round in flight: its updates are committed to the
// slots, which become dirty, and its pins are dropped.
func (t *Table) Release() {
	if t.flights.n == 0 {
		panic("slots: Release without a round in flight")
	}
	for _, s := range t.flights.pop() {
		t.pins[s]--
		if t.pins[s] == 0 {
			t.pinned--
		}
		t.dirty[s] = !t.cfg.ReadOnly
	}
}

// flights is the queue of the rounds in flight: the slots of each. Buffers are
// used again, so that a steady run does not allocate.
type flights struct {
	ring [][]int32 // len is a power of two or 0
	head int       // the oldest
	n    int
}

// buffer returns n slots to fill for the round behind the newest. It stays free
// until push.
func (f *flights) buffer(n int) []int32 {
	if f.n == len(f.ring) {
		f.grow()
	}
	at := (f.head + f.n) & (len(f.ring) - 1)
	if cap(f.ring[at]) < n {
		f.ring[at] = make([]int32, n)
	}
	return f.ring[at][:n]
}

// push takes the buffer just handed out as the newest round.
func (f *flights) push(slots []int32) {
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = slots
	f.n++
}

// pop removes the oldest round. Its slots are valid until the next buffer.
func (f *flights) pop() []int32 {
	slots := f.ring[f.head]
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	return slots
}

func (f *flights) grow() {
	ring := make([][]int32, max(4, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = f.ring[(f.head+i)&(len(f.ring)-1)]
	}
	f.ring, f.head = ring, 0
}
