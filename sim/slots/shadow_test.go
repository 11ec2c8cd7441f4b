package slots

import (
	"errors"
	"fmt"
	"slices"

	"stowage/workloads/lookups"
)

// shadow is the memory behind a table: how many updates of each row have landed on
// the host and in its slot. It carries out the table's moves, and after every call
// checks the table and its figures against what must hold whatever the policy does.
type shadow struct {
	failer
	table *Table
	cfg   Config

	host, slot map[uint32]int // updates in the copy
	committed  map[uint32]int // updates that must be in the newest copy
	used       map[uint32]int // rounds planned that use the row, but those whose updates Clear threw away
	rounds     []*shadowRound // neither unpinned and committed, by age
	peak       int
	total      Counts
}

type shadowRound struct {
	keys                []uint32
	at                  map[uint32]int // the slots that it was planned in; absent: bypassed
	before              map[uint32]int // rounds planned earlier that use the row
	unpinned, committed bool
}

func newShadow(t failer, cfg Config) *shadow {
	t.Helper()
	table := newTable(t, cfg)
	table.mapping() // else the first Plan takes its memory, and stateOf sees a change
	m := &shadow{
		failer: t, table: table, cfg: cfg,
		host: map[uint32]int{}, slot: map[uint32]int{}, committed: map[uint32]int{}, used: map[uint32]int{},
	}
	m.preload()
	return m
}

// preload copies the rows that a policy fills slots with before the first round.
func (m *shadow) preload() {
	if _, ok := m.table.policy.(preloader); !ok {
		return
	}
	for k := range uint32(m.cfg.Rows) {
		if _, ok := m.table.Slot(k); ok {
			m.slot[k] = m.host[k]
		}
	}
	m.peak = max(m.peak, len(m.slot))
}

func (m *shadow) pinnedRounds() (n int) {
	for _, r := range m.rounds {
		if !r.unpinned {
			n++
		}
	}
	return n
}

// pins counts the rounds in flight that hold the row in its slot.
func (m *shadow) pins(k uint32) (n int) {
	for _, r := range m.rounds {
		if _, there := r.at[k]; there && !r.unpinned {
			n++
		}
	}
	return n
}

// room is what a round finds: the rows in slots, and those among them that must
// stay, by set (all in set 0 without sets).
type room struct {
	stays  map[int]int // pinned or used by the round
	needs  map[int]int // stays + misses
	misses []uint32
}

func (m *shadow) setOf(k uint32) int {
	if m.table.sets == nil {
		return 0
	}
	return int(m.table.sets.setOf(k))
}

// ways is the number of slots of a set.
func (m *shadow) ways() int {
	if m.table.sets == nil {
		return m.table.Slots()
	}
	return m.cfg.Ways
}

func (m *shadow) look(r lookups.Round) room {
	out := room{map[int]int{}, map[int]int{}, nil}
	for k := range m.slot {
		if m.pins(k) > 0 || slices.Contains(r.Keys, k) {
			out.stays[m.setOf(k)]++
			out.needs[m.setOf(k)]++
		}
	}
	for _, k := range r.Keys {
		if _, hit := m.slot[k]; !hit {
			out.misses = append(out.misses, k)
			out.needs[m.setOf(k)]++
		}
	}
	return out
}

// refuses reports whether the policy may leave rows without a slot.
func (m *shadow) refuses() bool {
	if m.table.sets != nil {
		return m.cfg.Policy == "lfu"
	}
	return m.table.refuses()
}

// short reports whether the rule makes the round an error.
func (m *shadow) short(r lookups.Round, room room) bool {
	if m.cfg.Shortage == Bypass {
		return false
	}
	if m.cfg.Shortage == Fail && (m.pinnedRounds() > 0 || len(r.Keys) > m.table.Slots()) {
		return true
	}
	for _, need := range room.needs {
		if need > m.ways() && !m.refuses() {
			return true
		}
	}
	return false
}

// plan plans a round; it returns false when the table is, rightly, short of slots.
func (m *shadow) plan(r lookups.Round) bool {
	m.Helper()
	room := m.look(r)
	short := m.short(r, room)
	state := ""
	if short {
		state = stateOf(m.table)
	}
	given := lookups.Round{Lookups: r.Lookups, Keys: slices.Clone(r.Keys), Counts: slices.Clone(r.Counts)}
	c, err := m.table.Plan(given)
	clear(given.Keys) // they are the caller's
	clear(given.Counts)
	if short {
		m.checkShortage(r, room, err)
		if after := stateOf(m.table); after != state {
			m.Fatalf("after %v the table is\n%s\nand was\n%s", err, after, state)
		}
		m.check()
		return false
	}
	if err != nil {
		m.Fatal(err)
	}
	m.checkCounts(r, room, c)
	m.move(r)
	round := &shadowRound{keys: slices.Clone(r.Keys), at: map[uint32]int{}, before: map[uint32]int{}}
	for _, k := range r.Keys {
		if s, ok := m.table.Slot(k); ok {
			round.at[k] = s
		} else if !slices.Contains(m.table.Bypassed(), k) {
			m.Fatalf("row %d is in no slot and not bypassed", k)
		}
		round.before[k] = m.used[k]
		m.used[k]++
	}
	m.rounds = append(m.rounds, round)
	m.peak = max(m.peak, c.Used)
	m.total = m.total.Add(c)
	m.check()
	return true
}

// checkShortage checks the error of a round that is short of slots.
func (m *shadow) checkShortage(r lookups.Round, room room, err error) {
	m.Helper()
	var e *ShortageError
	if !errors.As(err, &e) {
		m.Fatalf("%s: error %v, want a shortage", m.cfg.Shortage, err)
	}
	waits := m.pinnedRounds() > 0 && (m.cfg.Shortage == Wait || m.cfg.Shortage == Split)
	if e.Rule != m.table.cfg.rule() || e.Unique != len(r.Keys) || e.InFlight != m.pinnedRounds() || e.Waits() != waits {
		m.Fatalf("%+v is not the shortage of %d rows with %d rounds in flight under %s", *e, len(r.Keys), m.pinnedRounds(), m.cfg.Shortage)
	}
	need, pinned, slots := 0, 0, m.table.Slots()
	for set, n := range room.needs {
		if e.Ways == 0 || set == e.Set {
			need += n
		}
	}
	for k := range m.slot {
		if m.pins(k) > 0 && (e.Ways == 0 || m.setOf(k) == e.Set) {
			pinned++
		}
	}
	if e.Ways != 0 {
		slots = m.cfg.Ways
	}
	if e.Need != need || e.Pinned != pinned || e.Slots != slots || e.Rule != Fail && need <= slots {
		m.Fatalf("%+v: %d rows are needed, %d of them pinned, for %d slots", *e, need, pinned, slots)
	}
}

// checkCounts checks that the figures of a round add up, and that as many rows were
// filled as there was room for.
func (m *shadow) checkCounts(r lookups.Round, room room, c Counts) {
	m.Helper()
	var want Counts
	want.Lookups, want.Unique = r.Lookups, len(r.Keys)
	bypassed := m.table.Bypassed()
	for i, k := range r.Keys {
		switch {
		case !slices.Contains(room.misses, k):
			want.Hits++
			want.HitLookups += int(r.Counts[i])
		case slices.Contains(bypassed, k):
			want.Bypasses++
			want.BypassLookups += int(r.Counts[i])
		}
	}
	want.Misses = len(room.misses)
	want.Evictions = len(m.table.Evictions())
	for _, v := range m.table.Evictions() {
		if v.Dirty {
			want.WriteBacks++
		}
	}
	want.Used = len(m.slot) + len(m.table.Fills()) - len(m.table.Evictions())
	if c != want || len(m.table.Fills()) != c.Fills() || len(bypassed) != c.Bypasses {
		m.Fatalf("counts %+v, want %+v; %d fills, %d bypassed", c, want, len(m.table.Fills()), len(bypassed))
	}
	if c.Unique != c.Hits+c.Misses || c.Lookups < c.HitLookups+c.BypassLookups {
		m.Fatalf("counts do not add up: %+v", c)
	}
	if m.refuses() {
		return
	}
	if m.table.sets == nil {
		// Misses beyond the slots are bypassed, the last ones of the round.
		fills := min(len(room.misses), m.table.Slots()-room.stays[0])
		if !slices.Equal(bypassed, room.misses[fills:]) {
			m.Fatalf("bypassed %v, want those of %v behind the first %d", bypassed, room.misses, fills)
		}
		if free := m.table.Slots() - len(m.slot); c.Evictions != max(0, fills-free) {
			m.Fatalf("%d evictions for %d fills with %d slots free", c.Evictions, fills, free)
		}
		return
	}
	over := 0
	for _, need := range room.needs {
		over += max(0, need-m.ways())
	}
	if c.Bypasses != over {
		m.Fatalf("%d rows bypassed, %d are beyond the ways of their sets", c.Bypasses, over)
	}
}

// move carries out the moves of a round.
func (m *shadow) move(r lookups.Round) {
	m.Helper()
	free := map[int32]bool{}
	for s := range m.table.Slots() {
		free[int32(s)] = true
	}
	for k := range m.slot {
		// A row that has been evicted is no longer in the index: its move says where
		// it was.
		if s, ok := m.table.Slot(k); ok {
			free[int32(s)] = false
		}
	}
	for _, v := range m.table.Evictions() {
		if _, there := m.slot[v.Key]; !there || m.pins(v.Key) > 0 || slices.Contains(r.Keys, v.Key) {
			m.Fatalf("row %d is evicted: in a slot %v, pins %d, round %v", v.Key, there, m.pins(v.Key), r.Keys)
		}
		m.checkDirty(v.Key, v.Dirty)
		if v.Dirty {
			m.host[v.Key] = m.slot[v.Key]
		}
		delete(m.slot, v.Key)
	}
	for _, f := range m.table.Fills() {
		if !free[f.Slot] || f.Dirty {
			m.Fatalf("row %d is filled into slot %d, free %v, dirty %v", f.Key, f.Slot, free[f.Slot], f.Dirty)
		}
		free[f.Slot] = false
		if m.host[f.Key] != m.committed[f.Key] {
			m.Fatalf("row %d is filled with %d of %d updates", f.Key, m.host[f.Key], m.committed[f.Key])
		}
		m.slot[f.Key] = m.host[f.Key]
	}
}

// checkDirty checks that a row is written back exactly when its slot holds updates
// that the host lacks; without a dirty bit always, unless rounds do not update.
func (m *shadow) checkDirty(k uint32, dirty bool) {
	m.Helper()
	want := m.slot[k] != m.host[k] || m.cfg.NoDirtyBit && !m.cfg.ReadOnly
	if dirty != want {
		m.Fatalf("row %d is written back: %v; %d updates in its slot, %d on the host", k, dirty, m.slot[k], m.host[k])
	}
}

// unpin unpins the oldest round that is pinned. When its updates are not committed
// yet, what it has read may lack the updates of rounds that are older and not
// committed either, and nothing else.
func (m *shadow) unpin() {
	m.Helper()
	for _, r := range m.rounds {
		if r.unpinned {
			continue
		}
		for _, k := range r.keys {
			if r.committed {
				break
			}
			read, lacks := m.newest(k), 0
			for _, older := range m.rounds[:slices.Index(m.rounds, r)] {
				if !older.committed && slices.Contains(older.keys, k) {
					lacks++
				}
			}
			if !m.cfg.ReadOnly && read != r.before[k]-lacks {
				m.Fatalf("a round reads %d updates of row %d: %d older rounds use it, %d are not committed", read, k, r.before[k], lacks)
			}
		}
		r.unpinned = true
		m.table.Unpin()
		break
	}
	m.leave()
}

// newest returns the updates in the copy that a round uses.
func (m *shadow) newest(k uint32) int {
	if n, there := m.slot[k]; there {
		return n
	}
	return m.host[k]
}

// commit commits the oldest round that is not committed.
func (m *shadow) commit() {
	m.Helper()
	i := slices.IndexFunc(m.rounds, func(r *shadowRound) bool { return !r.committed })
	r := m.rounds[i]
	got := m.table.Commit()
	r.committed = true
	if want := m.land(r); got != want {
		m.Fatalf("%+v landed, want %+v", got, want)
	}
	if n := len(m.table.Flushed()); n != got.WriteBacks {
		m.Fatalf("%d rows are flushed, %d written back", n, got.WriteBacks)
	}
	m.leave()
}

func (m *shadow) land(r *shadowRound) (l Landed) {
	if m.cfg.ReadOnly {
		return l
	}
	for _, k := range r.keys {
		m.committed[k]++
		s, there := m.table.Slot(k)
		if !there {
			m.host[k]++
			l.Below++
			continue
		}
		m.slot[k]++
		l.Slots++
		if was, ok := r.at[k]; !ok || was != s {
			l.Moved++
		}
		if m.cfg.Eager {
			m.host[k] = m.slot[k]
			l.WriteBacks++
		}
	}
	return l
}

// release commits and unpins the oldest round, which is neither.
func (m *shadow) release() {
	m.Helper()
	r := m.rounds[0]
	got := m.table.Release()
	r.committed, r.unpinned = true, true
	if want := m.land(r); got != want {
		m.Fatalf("%+v landed, want %+v", got, want)
	}
	m.leave()
}

// leave forgets rounds that are over.
func (m *shadow) leave() {
	m.Helper()
	m.rounds = slices.DeleteFunc(m.rounds, func(r *shadowRound) bool { return r.unpinned && r.committed })
	m.check()
}

// flush ends a pass: afterwards the host has every update.
func (m *shadow) flush() {
	m.Helper()
	n := m.table.Flush()
	flushed := m.table.Flushed()
	if n != len(flushed) {
		m.Fatalf("%d rows written back, %d listed", n, len(flushed))
	}
	for k := range m.slot {
		m.checkDirty(k, slices.Contains(flushed, k))
	}
	for _, k := range flushed {
		m.host[k] = m.slot[k]
	}
	for k, n := range m.committed {
		if m.host[k] != n {
			m.Fatalf("after Flush the host has %d of %d updates of row %d", m.host[k], n, k)
		}
	}
	m.check()
}

// clear empties the table: updates that were not flushed are gone.
func (m *shadow) clear() {
	m.Helper()
	m.table.Clear()
	left := moved(m.table.Evictions())
	if len(left) != len(m.slot) {
		m.Fatalf("%d rows left, %d were in slots", len(left), len(m.slot))
	}
	for k := range m.slot {
		if !slices.Contains(left, k) {
			m.Fatalf("row %d did not leave", k)
		}
	}
	clear(m.slot)
	for k := range m.committed {
		m.committed[k] = m.host[k]
		m.used[k] = m.host[k]
	}
	m.preload()
	m.check()
}

// check checks the table against the memory behind it.
func (m *shadow) check() {
	m.Helper()
	t := m.table
	if t.Used() != len(m.slot) || t.Used()+t.Remaining() != t.Slots() || t.Peak() != m.peak {
		m.Fatalf("used %d, remaining %d of %d, peak %d; %d rows are in slots, at most %d were", t.Used(), t.Remaining(), t.Slots(), t.Peak(), len(m.slot), m.peak)
	}
	uncommitted := 0
	for _, r := range m.rounds {
		if !r.committed {
			uncommitted++
		}
		for k, was := range r.at {
			if s, ok := t.Slot(k); !r.unpinned && (!ok || s != was) {
				m.Fatalf("row %d is pinned and has left slot %d", k, was)
			}
		}
	}
	if t.InFlight() != m.pinnedRounds() || t.Uncommitted() != uncommitted {
		m.Fatalf("%d rounds in flight and %d uncommitted, want %d and %d", t.InFlight(), t.Uncommitted(), m.pinnedRounds(), uncommitted)
	}
	holder, pinned := map[int]uint32{}, 0
	for k := range uint32(t.cfg.Rows) {
		s, ok := t.Slot(k)
		if _, there := m.slot[k]; ok != there {
			m.Fatalf("row %d is in a slot: %v, want %v", k, ok, there)
		}
		if n := m.newest(k); n != m.committed[k] {
			m.Fatalf("the newest copy of row %d has %d of %d updates", k, n, m.committed[k])
		}
		if !ok {
			continue
		}
		if other, twice := holder[s]; twice || t.keys[s] != k || s >= t.Slots() {
			m.Fatalf("slot %d holds row %d, the mapping says rows %d and %d", s, t.keys[s], k, other)
		}
		holder[s] = k
		if int(t.pins[s]) != m.pins(k) {
			m.Fatalf("slot %d of row %d has %d pins, want %d", s, k, t.pins[s], m.pins(k))
		}
		if t.pins[s] > 0 {
			pinned++
		}
		if t.sets != nil && s/m.cfg.Ways != m.setOf(k) {
			m.Fatalf("row %d of set %d is in slot %d", k, m.setOf(k), s)
		}
	}
	if t.Pinned() != pinned {
		m.Fatalf("%d slots pinned, want %d", t.Pinned(), pinned)
	}
}

// run drives a table through a trace with at most ahead rounds in flight and late
// rounds uncommitted behind them. choose(n) decides, from 0 to n-1, what comes next
// among all that is allowed.
func (m *shadow) run(trace *lookups.Trace, ahead, late int, choose func(n int) int) {
	m.Helper()
	for r := 0; r < trace.Rounds(); {
		pinned, waiting := m.table.InFlight(), m.table.Uncommitted()
		type step struct {
			name  string
			legal bool
			do    func()
		}
		steps := []step{
			{"plan", pinned <= ahead && waiting <= ahead+late, nil},
			{"unpin", pinned > 0 && (waiting < pinned || late > 0), m.unpin},
			{"commit", waiting > 0, m.commit},
			{"release", pinned > 0 && pinned == waiting, m.release},
			{"flush", pinned+waiting == 0, m.flush},
			{"clear", pinned+waiting == 0 && choose(4) == 0, m.clear},
		}
		steps = slices.DeleteFunc(steps, func(s step) bool { return !s.legal })
		do := steps[choose(len(steps))]
		if do.name != "plan" {
			do.do()
			continue
		}
		if m.plan(trace.Round(r)) {
			r++
			continue
		}
		if m.table.InFlight() == 0 {
			break // the round alone is too large
		}
		if m.table.Uncommitted() == m.table.InFlight() {
			m.release()
		} else {
			m.unpin()
		}
	}
	for m.table.Uncommitted() > 0 {
		m.commit()
	}
	for m.table.InFlight() > 0 {
		m.unpin()
	}
	m.flush()
}

func (m *shadow) String() string {
	return fmt.Sprintf("%d slots, %d ways, %s, %s, eager %v, no dirty bit %v, read only %v", m.cfg.Slots, m.cfg.Ways, m.cfg.Policy, m.cfg.Shortage, m.cfg.Eager, m.cfg.NoDirtyBit, m.cfg.ReadOnly)
}
