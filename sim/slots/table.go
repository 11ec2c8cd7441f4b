package slots

import (
	"fmt"
	"math"

	"stowage/workloads/lookups"
)

// Config describes a slot table. It never changes and may be shared.
type Config struct {
	// Slots is the capacity in rows, 1 to 2^31-1. Memory is taken for at most
	// Rows of them.
	Slots int

	// Rows is the number of rows of the layer: all keys are below it.
	Rows int64

	// Policy is the name of a replacement policy, one of Policies().
	Policy string

	// Ways is the number of slots of a set: a row may be in the slots of its set
	// only, which its key's hash decides (see sets.go). 0: one set, any row in any
	// slot. The capacity is then rounded up to whole sets.
	Ways int

	// Origin is the key that decides the set of each key, where keys were
	// renumbered (lookups.Trace.Compact), for all Rows of them; nil: the key itself.
	Origin []uint32

	// Shortage says what Plan does when the rows of the rounds in flight leave too
	// few slots to a round; empty: Evict.
	Shortage Shortage

	// Eager writes the rows of a round back as soon as its updates are committed;
	// otherwise a row is written back when it leaves, or by Flush.
	Eager bool

	// NoDirtyBit writes every row back that leaves, changed or not, as FBGEMM and
	// ColossalAI do.
	NoDirtyBit bool

	// Future is the trace that Plan will be given, from its first round on. The
	// policies min and lookahead cannot plan without it, static takes its hot set
	// from it when it has no Profile; the others ignore it. Replay does not need it.
	Future *lookups.Trace

	// Profile is a trace whose lookups say which rows are hot: the policy static takes
	// its hot set from it. A profile sampled apart from the run is what a system has
	// that measures before it trains; nil: Future, which is the most that a fixed set
	// can reach on it.
	Profile *lookups.Trace

	// Window is the number of rounds that the policy lookahead knows beyond the one
	// that it plans, in replay of lookups. 0: DefaultWindow; less: none. The others
	// ignore it.
	Window int

	// ReadOnly says that rounds do not update rows (inference): no row becomes
	// dirty, and none is written back.
	ReadOnly bool
}

// Counts are the figures of one round, or sums over rounds (Used is then that of
// the last round).
type Counts struct {
	Lookups    int // before the round was made unique
	Unique     int // = Hits + Misses
	Hits       int // unique keys that were in a slot
	HitLookups int // lookups whose row was in a slot when the round was planned
	Misses     int // unique keys that were in no slot = fills + Bypasses
	Evictions  int
	WriteBacks int // rows written back to make room for this round
	Used       int // slots that hold a row after the round was planned

	// Bypasses are the unique keys that got no slot (a full set, or a policy that
	// would not admit them) and are read and updated in the memory below in this
	// round; BypassLookups are their lookups. FBGEMM calls them conflict (unique)
	// misses.
	Bypasses      int
	BypassLookups int
}

// HitRatio is the share of lookups whose row was in a slot; 0 without lookups.
func (c Counts) HitRatio() float64 { return ratio(c.HitLookups, c.Lookups) }

// UniqueHitRatio is the share of unique keys that were in a slot: what decides
// the bytes moved. 0 without keys.
func (c Counts) UniqueHitRatio() float64 { return ratio(c.Hits, c.Unique) }

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Fills is the number of rows written into slots.
func (c Counts) Fills() int { return c.Misses - c.Bypasses }

// Add returns the sum of two counts; Used is that of d, the later one.
func (c Counts) Add(d Counts) Counts {
	return Counts{
		Lookups:    c.Lookups + d.Lookups,
		Unique:     c.Unique + d.Unique,
		Hits:       c.Hits + d.Hits,
		HitLookups: c.HitLookups + d.HitLookups,
		Misses:     c.Misses + d.Misses,
		Evictions:  c.Evictions + d.Evictions,
		WriteBacks: c.WriteBacks + d.WriteBacks,
		Used:       d.Used,

		Bypasses:      c.Bypasses + d.Bypasses,
		BypassLookups: c.BypassLookups + d.BypassLookups,
	}
}

// Move is a row that entered or left a slot.
type Move struct {
	Key   uint32
	Slot  int32
	Dirty bool // the row is written back; evictions only
}

// Table is a slot table: the mapping between slots and rows, what pins and dirties
// them, and the order of replacement.
type Table struct {
	cfg    Config
	policy policy
	sets   *sets // nil: one set, ordered by policy

	index index    // key -> slot
	keys  []uint32 // slot -> key; vacant where the slot is free
	pins  []uint32 // per slot: rounds in flight that use its row
	dirty []bool   // per slot

	// Without sets, slots are taken from the lowest on, and a victim's slot is
	// filled in the same Plan: occupied slots are exactly those below used.
	used   int
	peak   int // the most that used has been before the last Clear
	pinned int // slots with pins > 0

	flights flights
	planned int // rounds planned so far
	single  bool

	// Of a replay whose keys are interned: what keyed policies see are ids.
	ids      *interner
	idBuffer []uint32
	interned []uint64 // the 64-bit key behind each key, where there is one; else nil

	fills, evictions []Move
	bypassed         []uint32
	flushed          []uint32
}

// vacant is the key of a free slot: no row has it (lookups.MaxRows).
const vacant = math.MaxUint32

// New returns an empty table. The error says what is wrong with cfg.
func New(cfg Config) (*Table, error) {
	if cfg.Slots < 1 || cfg.Slots > math.MaxInt32 {
		return nil, fmt.Errorf("slots = %d: want 1 to %d", cfg.Slots, math.MaxInt32)
	}
	if cfg.Rows < 1 || cfg.Rows > lookups.MaxRows {
		return nil, fmt.Errorf("rows = %d: want 1 to %d", cfg.Rows, int64(lookups.MaxRows))
	}
	if cfg.Future != nil && cfg.Future.Rows() > cfg.Rows {
		return nil, fmt.Errorf("rows = %d: the future trace has %d rows", cfg.Rows, cfg.Future.Rows())
	}
	if cfg.Profile != nil && cfg.Profile.Rows() > cfg.Rows {
		return nil, fmt.Errorf("rows = %d: the profile has %d rows", cfg.Rows, cfg.Profile.Rows())
	}
	if cfg.Origin != nil && int64(len(cfg.Origin)) < cfg.Rows {
		return nil, fmt.Errorf("rows = %d: the keys of %d rows only have an origin", cfg.Rows, len(cfg.Origin))
	}
	if err := cfg.Shortage.validate(); err != nil {
		return nil, err
	}
	t := &Table{cfg: cfg}
	var err error
	if cfg.Ways != 0 {
		if t.sets, err = newSets(t); err == nil {
			t.mapping() // it never replays
		}
	} else {
		t.policy, err = newPolicy(t)
	}
	if err != nil {
		return nil, err
	}
	t.preload()
	return t, nil
}

// mapping readies the mapping between slots and rows. Its memory is taken when it
// is first needed: a replay by key does without.
func (t *Table) mapping() {
	if t.keys != nil {
		return
	}
	n := t.cfg.occupiable()
	t.index = newIndex(t.cfg.Rows, n)
	t.keys, t.pins, t.dirty = make([]uint32, n), make([]uint32, n), make([]bool, n)
	for s := range t.keys {
		t.keys[s] = vacant
	}
}

// occupiable is the number of slots that can ever hold a row.
func (c Config) occupiable() int {
	if c.Ways != 0 {
		return c.Slots // any set may be asked for more than its share of the rows
	}
	return int(min(int64(c.Slots), c.Rows))
}

// Slots returns the capacity.
func (t *Table) Slots() int { return t.cfg.Slots }

// Used returns the number of slots that hold a row.
func (t *Table) Used() int { return t.used }

// Peak returns the most slots that have held a row at one time.
func (t *Table) Peak() int { return max(t.peak, t.used) }

// Remaining returns the number of free slots, from the mapping.
func (t *Table) Remaining() int { return t.cfg.Slots - t.used }

// Pinned returns the number of slots whose row is used by a round in flight.
func (t *Table) Pinned() int { return t.pinned }

// InFlight returns the number of rounds planned whose rows are still pinned.
func (t *Table) InFlight() int { return t.flights.pinned() }

// Uncommitted returns the number of rounds planned whose updates have not been
// committed yet.
func (t *Table) Uncommitted() int { return t.flights.uncommitted() }

// Planned returns the number of rounds planned so far.
func (t *Table) Planned() int { return t.planned }

// Slot returns the slot that holds key, if one does. It knows the rows of planned
// rounds; a replay may keep rows without saying in which slot they are.
func (t *Table) Slot(key uint32) (slot int, ok bool) {
	if int64(key) >= t.cfg.Rows || t.keys == nil {
		return 0, false
	}
	s := t.index.get(key)
	return int(s), s != none
}

// Fills returns the rows that the last Plan wrote into slots, in order. The slice
// is valid until the next Plan.
func (t *Table) Fills() []Move { return t.fills }

// Evictions returns the rows that the last Plan moved out, in order, before its
// fills. The slice is valid until the next Plan.
func (t *Table) Evictions() []Move { return t.evictions }

// Bypassed returns the keys that the last Plan left without a slot, in the order in
// which it came to them. The slice is valid until the next Plan.
func (t *Table) Bypassed() []uint32 { return t.bypassed }

// Flushed returns the keys that the last Flush, or the last Commit of an eager table,
// wrote back. The slice is valid until the next of them.
func (t *Table) Flushed() []uint32 { return t.flushed }

// Flush writes every dirty row back (without a dirty bit: every row) and returns
// how many there were. The rows stay in their slots. It ends a pass or a run: no
// round may be in flight.
func (t *Table) Flush() (writeBacks int) {
	t.mustBeIdle("Flush")
	t.flushed = t.flushed[:0]
	for s, k := range t.keys {
		if k != vacant && t.leavesDirty(int32(s)) {
			t.flushed = append(t.flushed, k)
		}
		t.dirty[s] = false
	}
	return len(t.flushed)
}

// Clear frees every slot without writing anything back, and the policy forgets
// what it has seen: the table of the next pass starts as a new one. Call Flush
// first to keep the updates; Evictions are then the rows that were there. No round
// may be in flight.
func (t *Table) Clear() {
	t.mustBeIdle("Clear")
	t.evictions = t.evictions[:0]
	for s, k := range t.keys {
		if k != vacant {
			t.evictions = append(t.evictions, Move{Key: k, Slot: int32(s)})
			t.index.del(k)
			t.keys[s] = vacant
			t.dirty[s] = false
		}
	}
	t.peak, t.used, t.ids = t.Peak(), 0, nil
	if t.sets != nil {
		t.sets.clear()
		return
	}
	p, err := newPolicy(t)
	if err != nil {
		panic(err) // New has made the same
	}
	t.policy = p
	t.preload()
}

// preload lets a policy fill the slots before the first round.
func (t *Table) preload() {
	if p, ok := t.policy.(preloader); ok {
		p.preload()
	}
}

func (t *Table) mustBeIdle(method string) {
	if n := t.flights.n; n > 0 {
		panic(fmt.Sprintf("slots: %s with %d rounds in flight", method, n))
	}
}

// leavesDirty reports whether the row in slot s must be written back when it leaves.
func (t *Table) leavesDirty(s int32) bool {
	return t.dirty[s] || t.cfg.NoDirtyBit && !t.cfg.ReadOnly
}

// Replay looks keys up one by one, without rounds, pins or updates, and returns
// the misses. It may be called again to go on; for min and lookahead the keys
// of one call are the whole future, for static without Config.Future those of the
// first call. A table is used either for Replay or for
// Plan; all keys are below the table's rows.
func (t *Table) Replay(keys []uint32) (misses int) {
	if t.planned > 0 || t.sets != nil {
		panic("slots: Replay on a table that has planned rounds, or has sets")
	}
	if p, ok := t.policy.(keyed); ok {
		n := t.cfg.occupiable()
		if t.ids == nil && !markable(t.cfg.Rows, n) {
			t.ids = newInterner(2 * t.knows())
		}
		if t.ids != nil {
			t.single = true
			return t.replayInterned(p, keys)
		}
	}
	return t.replayNumbered(keys)
}

// replayNumbered is Replay for keys that are few enough for arrays.
func (t *Table) replayNumbered(keys []uint32) (misses int) {
	t.single = true
	if _, ok := t.policy.(keyed); !ok {
		t.mapping()
	}
	return t.policy.replay(keys)
}

// replayInterned replays keys of so many rows that they are interned first.
func (t *Table) replayInterned(p keyed, keys []uint32) (misses int) {
	if t.idBuffer == nil {
		t.idBuffer = make([]uint32, 4096)
	}
	for len(keys) > 0 {
		some := keys[:min(len(keys), len(t.idBuffer))]
		n := intern(t.ids, t.idBuffer, some)
		misses += p.replay(t.idBuffer[:n])
		keys = keys[n:]
		if n < len(some) {
			t.ids.sweep(t.mark)
		}
	}
	return misses
}

// occupy puts k into a free slot and returns it. Replay only.
func (t *Table) occupy(k uint32) int32 {
	s := int32(t.used)
	t.used++
	t.keys[s] = k
	t.index.set(k, s)
	return s
}

// replace puts k into the slot of a victim. Replay only.
func (t *Table) replace(s int32, k uint32) {
	t.index.del(t.keys[s])
	t.keys[s] = k
	t.index.set(k, s)
}
