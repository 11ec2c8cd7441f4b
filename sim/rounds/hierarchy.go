package rounds

import (
	"fmt"
	"math"

	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Rule says whether a row that moves up a tier leaves the lower one.
type Rule string

// The rules.
const (
	Inclusive Rule = "inclusive" // the lower tier keeps a copy, which may be stale until a write-back
	Exclusive Rule = "exclusive" // the row leaves the lower tier, and always goes back when it leaves the upper one
)

// Level is where a row is read from.
type Level uint8

// The levels below the slots.
const (
	Host  Level = iota // host memory
	Store              // what is behind it: an SSD or parameter servers
)

// HierarchyConfig describes the tiers below the slots of one table. It never
// changes and may be shared.
type HierarchyConfig struct {
	Rows int64 // of the layer: all keys are below it

	// Host is how many rows host memory holds. Rows or more: all of them, from
	// the beginning, and there is no store. 0: none is kept, rows pass through.
	// Else host memory is an LRU cache over the store, which holds all rows at
	// the beginning.
	Host int64

	// Slots is the rule between the slots and host memory; empty: Inclusive.
	// Exclusive makes host memory the place where rows go that leave the slots.
	// Where host memory keeps none, Store rules between the slots and the store.
	Slots Rule

	// Store is the rule between host memory and the store; empty: Inclusive.
	// Exclusive is Paddle's SSD table: a row that is read into memory is deleted
	// from RocksDB (ssd_sparse_table.cc).
	Store Rule
}

// Traffic counts the rows that moved between tiers.
type Traffic struct {
	HostReads   int // read from host memory, into slots or past them
	StoreReads  int // read from the store, through host memory
	HostFills   int // kept in host memory on their way up from the store
	HostWrites  int // written into host memory from above
	StoreWrites int // written into the store
	Drops       int // clean copies that host memory forgot
}

// Hierarchy says which tiers hold each row of a layer while rows move between
// them and the slots. It has no clock and belongs to one goroutine. Rows that are
// read find the last version that was written: a copy that is newer than the ones
// below it is written down before it goes.
type Hierarchy struct {
	cfg   HierarchyConfig
	whole bool // host memory holds all rows
	cache lru  // rows that host memory holds otherwise

	slotted bitset // rows in a slot
	owed    bitset // rows in a slot whose copies below are older or gone, if clean too
	stored  bitset // rows in the store; nil: all of them

	sources []Level
}

// NewHierarchy returns the state before the first round: no row is in a slot, and
// host memory holds either all rows or none. The error says what is wrong with cfg.
func NewHierarchy(cfg HierarchyConfig) (*Hierarchy, error) {
	if cfg.Rows < 1 || cfg.Rows > lookups.MaxRows {
		return nil, fmt.Errorf("rows = %d: want 1 to %d", cfg.Rows, int64(lookups.MaxRows))
	}
	if cfg.Host < 0 || cfg.Host < cfg.Rows && cfg.Host > math.MaxInt32 {
		return nil, fmt.Errorf("host rows = %d: want 0 to %d, or all %d rows of the layer", cfg.Host, math.MaxInt32, cfg.Rows)
	}
	for _, r := range []struct {
		name string
		rule *Rule
	}{{"slots", &cfg.Slots}, {"store", &cfg.Store}} {
		switch *r.rule {
		case "":
			*r.rule = Inclusive
		case Inclusive, Exclusive:
		default:
			return nil, fmt.Errorf("%s = %q: want %s or %s", r.name, string(*r.rule), Inclusive, Exclusive)
		}
	}
	if cfg.Host == 0 {
		cfg.Slots = cfg.Store
	}
	h := &Hierarchy{cfg: cfg, whole: cfg.Host >= cfg.Rows, slotted: newBitset(cfg.Rows)}
	if h.whole {
		return h, nil
	}
	h.cache = newLRU(cfg.Rows, int(cfg.Host))
	h.owed = newBitset(cfg.Rows)
	if cfg.Store == Exclusive {
		h.stored = newBitset(cfg.Rows)
		h.stored.fill(cfg.Rows)
	}
	return h, nil
}

// Fetch moves rows that missed the slots into them. Sources then says where each
// came from. A row that is in a slot already is a broken promise of the caller and
// panics.
func (h *Hierarchy) Fetch(fills []slots.Move) Traffic {
	var t Traffic
	h.sources = h.sources[:0]
	for i := range fills {
		h.sources = append(h.sources, h.up(fills[i].Key, &t))
	}
	return t
}

// Sources returns where the rows of the last Fetch or Bypass came from, in their
// order. The slice is valid until the next one.
func (h *Hierarchy) Sources() []Level { return h.sources }

// up moves one row into a slot.
func (h *Hierarchy) up(k uint32, t *Traffic) Level {
	if !h.slotted.set(k) {
		panic(fmt.Sprintf("rounds: row %d is fetched, but in a slot already", k))
	}
	if h.whole {
		t.HostReads++
		return Host
	}
	if n := h.cache.find(k); n != none {
		t.HostReads++
		if h.cfg.Slots == Inclusive {
			h.cache.touch(n)
		} else if h.cache.remove(n) {
			h.owed.set(k)
		}
		return Host
	}
	t.StoreReads++
	only := h.leaveStore(k)
	if h.cfg.Slots == Inclusive && h.cfg.Host > 0 {
		t.HostFills++
		h.keep(k, only, t)
	} else if only {
		h.owed.set(k)
	}
	return Store
}

// leaveStore deletes a row from an exclusive store that it is read from, and
// reports whether it did.
func (h *Hierarchy) leaveStore(k uint32) bool {
	if h.stored == nil {
		return false
	}
	if !h.stored.clear(k) {
		panic(fmt.Sprintf("rounds: row %d is in no tier", k))
	}
	return true
}

// Evict takes rows that left their slots; dirty ones are newer than every copy
// below. A row that is in no slot is a broken promise of the caller and panics.
func (h *Hierarchy) Evict(evictions []slots.Move) Traffic {
	var t Traffic
	for i := range evictions {
		h.down(evictions[i].Key, evictions[i].Dirty, &t)
	}
	return t
}

// down takes one row out of its slot.
func (h *Hierarchy) down(k uint32, dirty bool, t *Traffic) {
	if !h.slotted.clear(k) {
		panic(fmt.Sprintf("rounds: row %d is evicted, but in no slot", k))
	}
	if h.whole {
		if dirty || h.cfg.Slots == Exclusive {
			t.HostWrites++
		}
		return
	}
	newer := h.owed.clear(k) || dirty
	if newer || h.cfg.Slots == Exclusive {
		h.write(k, newer, t)
	}
}

// write puts a row from above into host memory, or past it into the store. newer
// says that an inclusive store has not this version.
func (h *Hierarchy) write(k uint32, newer bool, t *Traffic) {
	switch n := h.cache.find(k); {
	case n != none:
		t.HostWrites++
		h.cache.touch(n)
		if newer {
			h.cache.mark(n)
		}
	case h.cfg.Host > 0:
		t.HostWrites++
		h.stored.clear(k) // what the store has may be stale, and one copy is the rule
		h.keep(k, newer, t)
	case newer:
		t.StoreWrites++
		h.stored.set(k)
	}
}

// keep adds a row to host memory. The oldest makes room; if dirty, it is written
// to the store.
func (h *Hierarchy) keep(k uint32, dirty bool, t *Traffic) {
	if h.cache.full() {
		if old, newer := h.cache.oldest(); newer {
			t.StoreWrites++
			h.stored.set(old)
		} else {
			t.Drops++
		}
	}
	h.cache.add(k, dirty)
}

// WriteBack writes rows that stay in their slots down to the tier below: eager
// write-back, or the end of a pass. An exclusive tier below has no copy of such a
// row and takes it when it leaves its slot, not before.
func (h *Hierarchy) WriteBack(keys []uint32) Traffic {
	var t Traffic
	for _, k := range keys {
		switch {
		case !h.slotted.get(k):
			panic(fmt.Sprintf("rounds: row %d is written back, but in no slot", k))
		case h.cfg.Slots == Exclusive:
			h.owed.set(k)
		case h.whole:
			t.HostWrites++
		default:
			h.write(k, true, &t)
		}
	}
	return t
}

// exclusive reports whether the tier below the slots holds no copies of rows in them.
func (h *Hierarchy) exclusive() bool { return h.cfg.Slots == Exclusive }

// Bypass reads rows without a slot, and writes them back at once if update:
// conflict misses, which are served from host memory. Sources says where each came
// from. A row that is in a slot is a broken promise of the caller and panics: it
// may be newer there.
func (h *Hierarchy) Bypass(keys []uint32, update bool) Traffic {
	var t Traffic
	h.sources = h.sources[:0]
	for _, k := range keys {
		if h.slotted.get(k) {
			panic(fmt.Sprintf("rounds: row %d bypasses the slots, but is in one", k))
		}
		h.sources = append(h.sources, h.past(k, update, &t))
	}
	return t
}

func (h *Hierarchy) past(k uint32, update bool, t *Traffic) Level {
	if h.whole {
		t.HostReads++
		if update {
			t.HostWrites++
		}
		return Host
	}
	from := h.pass(k, t)
	if update {
		h.write(k, true, t)
	}
	return from
}

// pass reads one row that goes into no slot.
func (h *Hierarchy) pass(k uint32, t *Traffic) Level {
	if n := h.cache.find(k); n != none {
		t.HostReads++
		h.cache.touch(n)
		return Host
	}
	t.StoreReads++
	if h.cfg.Host > 0 {
		t.HostFills++
		h.keep(k, h.leaveStore(k), t)
	}
	return Store
}
