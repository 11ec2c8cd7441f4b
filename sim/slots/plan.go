package slots

import (
	"fmt"

	"stowage/workloads/lookups"
)

// Plan decides one round: its hits, victims and fills (see the package comment),
// and pins its rows until Unpin or Release. After an error the table is as it
// was: a *ShortageError (never under Bypass), or a round that the table cannot take (a key at or above
// its rows; under min and lookahead, a round that is not the next of the future).
func (t *Table) Plan(r lookups.Round) (Counts, error) {
	if t.single {
		panic("slots: Plan on a table that replays single lookups")
	}
	t.mapping()
	if len(r.Counts) != len(r.Keys) {
		return Counts{}, fmt.Errorf("round %d: %d counts for %d keys", t.planned, len(r.Counts), len(r.Keys))
	}
	slots := t.flights.buffer(r.Keys).slots
	c, fresh, err := t.classify(r, slots)
	if err != nil {
		return Counts{}, err
	}
	if t.sets != nil {
		t.sets.gather(r, slots)
	}
	if err := t.check(r, slots, c, fresh); err != nil {
		return Counts{}, err
	}
	if t.policy != nil {
		err = t.policy.begin(r)
	} else {
		err = t.sets.begin(r)
	}
	if err != nil {
		return Counts{}, err
	}
	t.touch(slots)
	t.fills, t.evictions, t.bypassed = t.fills[:0], t.evictions[:0], t.bypassed[:0]
	if t.policy != nil {
		t.write(r, slots, &c)
	} else {
		t.sets.write(r, slots, &c)
	}
	t.flights.push()
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

// check returns a *ShortageError when the round does not fit beside the rounds in
// flight and the rule does not leave rows without slots.
func (t *Table) check(r lookups.Round, slots []int32, c Counts, fresh int) error {
	need := t.pinned + fresh + c.Misses
	switch rule := t.cfg.rule(); {
	case rule == Bypass:
		return nil
	case rule == Fail && (t.InFlight() > 0 || c.Unique > t.cfg.Slots):
		// It asks before it looks at sets or at what the policy admits.
	case t.sets != nil:
		return t.sets.check(r, slots)
	case need <= t.cfg.Slots || t.refuses():
		return nil
	}
	return &ShortageError{
		Rule: t.cfg.rule(), Round: t.planned, Unique: c.Unique, InFlight: t.InFlight(),
		Pinned: t.pinned, Need: need, Slots: t.cfg.Slots,
	}
}

// refuser is a policy that does not admit every key, so that what a round needs
// at most says little: keys beyond the slots are bypassed.
type refuser interface{ refuses() }

func (t *Table) refuses() bool {
	_, ok := t.policy.(refuser)
	return ok
}

// touch pins the hits and tells the policy.
func (t *Table) touch(slots []int32) {
	for i, s := range slots {
		if s == none {
			continue
		}
		t.pin(s)
		if t.policy != nil {
			t.policy.hit(s, i)
		} else {
			t.sets.use(s, i)
		}
	}
}

func (t *Table) pin(s int32) {
	if t.pins[s] == 0 {
		t.pinned++
	}
	t.pins[s]++
}

// write fills the misses in order: free slots first, lowest first, then those of
// victims. A key that gets none is bypassed.
func (t *Table) write(r lookups.Round, slots []int32, c *Counts) {
	for i, s := range slots {
		if s != none {
			continue
		}
		switch {
		case t.used < len(t.keys):
			s = int32(t.used)
		case t.pinned < t.used:
			s = t.policy.victim(i)
		}
		if s == none {
			t.bypass(r, i, c)
			continue
		}
		t.fill(s, r.Keys[i], c)
		t.policy.fill(s, i)
		slots[i] = s
	}
}

// bypass leaves key i of the round in the memory below.
func (t *Table) bypass(r lookups.Round, i int, c *Counts) {
	c.bypass(r.Counts[i])
	t.bypassed = append(t.bypassed, r.Keys[i])
}

func (c *Counts) bypass(lookups uint32) {
	c.Bypasses++
	c.BypassLookups += int(lookups)
}

// fill writes row k into slot s, whose row, if there is one, leaves.
func (t *Table) fill(s int32, k uint32, c *Counts) {
	if old := t.keys[s]; old != vacant {
		if t.pins[s] > 0 {
			panic(fmt.Sprintf("slots: policy %s evicts slot %d, which is pinned", t.cfg.Policy, s))
		}
		t.index.del(old)
		back := t.leavesDirty(s)
		t.dirty[s] = false
		t.evictions = append(t.evictions, Move{old, s, back})
		c.Evictions++
		if back {
			c.WriteBacks++
		}
	} else {
		t.used++
	}
	if t.index.put(k, s) != none {
		panic(fmt.Sprintf("slots: key %d is twice in round %d: rounds must be unique", k, t.planned))
	}
	t.keys[s] = k
	t.pin(s)
	t.fills = append(t.fills, Move{Key: k, Slot: s})
}

// Landed says where the updates of a round went: Slots + Below are its unique
// rows. All are zero where rounds do not update rows (ReadOnly).
type Landed struct {
	Slots      int // rows updated in their slots, which are dirty now (Eager: written back)
	Below      int // rows updated in the memory below: bypassed, or evicted after Unpin
	Moved      int // of Slots: rows that are in another slot than planned, or in one where they had none
	WriteBacks int // rows written back at once (Eager)
}

// Release ends the oldest round in flight: its updates are committed and its pins
// dropped. Where rounds are unpinned before they are committed, or after, call
// Commit and Unpin instead.
func (t *Table) Release() Landed {
	if t.flights.free != t.flights.done {
		panic("slots: Release when the oldest round is unpinned or committed already")
	}
	l := t.Commit()
	t.Unpin()
	return l
}

// Unpin drops the pins of the oldest round that has them. Before its updates are
// committed (FBGEMM unlocks before the backward pass), a later round may then
// evict its rows: Commit finds where they are.
func (t *Table) Unpin() {
	if t.flights.pinned() == 0 {
		panic("slots: Unpin without a pinned round")
	}
	for _, s := range t.flights.unpin().slots {
		if s == none {
			continue
		}
		t.pins[s]--
		if t.pins[s] == 0 {
			t.pinned--
		}
	}
}

// Commit applies the updates of the oldest round that has not been committed: in
// the slots where its rows are now, which become dirty, or in the memory below.
// A row that was bypassed and has been filled by a later round since is updated in
// its slot, else the copy there would lack the update (FBGEMM recomputes the
// locations before the backward pass).
func (t *Table) Commit() (l Landed) {
	if t.flights.uncommitted() == 0 {
		panic("slots: Commit without an uncommitted round")
	}
	t.flushed = t.flushed[:0]
	f := t.flights.commit()
	if t.cfg.ReadOnly {
		return Landed{}
	}
	for i, s := range f.slots {
		if s == none || t.keys[s] != f.keys[i] {
			if s = t.index.get(f.keys[i]); s == none {
				l.Below++
				continue
			}
			l.Moved++
		}
		l.Slots++
		if t.cfg.Eager {
			l.WriteBacks++
			t.flushed = append(t.flushed, t.keys[s])
		} else {
			t.dirty[s] = true
		}
	}
	return l
}
