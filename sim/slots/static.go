package slots

import (
	"cmp"
	"slices"

	"stowage/workloads/lookups"
)

// static holds a hot set that is chosen before the run and stays: no other row is
// ever admitted. It is what UGache places by its hotness statistics (Song et al.:
// UGACHE, a unified GPU cache for embedding-based deep learning, SOSP 2023), and
// PaGraph and GNNLab before it by degree or pre-sampling.
//
// The hottest rows are those with the most lookups in Config.Profile, or else in the
// future trace. Among equals a hash of the row decides (Config.Origin where there is
// one): the row that is looked up first would favour the rounds at the beginning. The
// first rows of the layer follow, as tables are often sorted, hot rows first. A replay
// without either trace counts its own lookups in a first pass, where it makes no
// difference to the whole which of equals are hot; the keys of its first call are the
// whole future. The rows are in their slots before the first lookup, so that even
// that one hits: on a trace that was its own profile, and that looks up no more rows
// than there are slots, there are no misses.
//
// State: none per slot.
type static struct {
	t      *Table
	ranked []uint32 // rows by lookups; the others follow by key
	known  bool     // the lookups have been counted
	rest   []uint32 // of a replay
}

func newStatic(t *Table) (policy, error) {
	profile := t.cfg.profile()
	p := &static{t: t, known: profile != nil}
	if p.known {
		p.ranked = rankRows(profile, t.cfg.original)
	}
	return p, nil
}

// profile is the trace that says which rows are hot; nil: none does.
func (c Config) profile() *lookups.Trace {
	if c.Profile != nil {
		return c.Profile
	}
	return c.Future
}

// rankRows returns the rows that a trace looks up, most lookups first; original is
// the row behind a key.
func rankRows(trace *lookups.Trace, original func(k uint32) uint64) []uint32 {
	h := newHeat(trace.Rows(), int(trace.Keys()/16))
	for r := range trace.Rounds() {
		round := trace.Round(r)
		for i, k := range round.Keys {
			h.add(k, uint64(round.Counts[i]))
		}
	}
	return h.ranked(original)
}

// heat counts the lookups of rows.
type heat struct {
	index index
	rows  []rowHeat
}

type rowHeat struct {
	lookups uint64
	hash    uint64
	key     uint32
}

func newHeat(rows int64, hint int) heat { return heat{index: newIndex(rows, hint)} }

func (h *heat) add(k uint32, n uint64) {
	i := h.index.get(k)
	if i == none {
		i = int32(len(h.rows))
		h.index.set(k, i)
		h.rows = append(h.rows, rowHeat{key: k})
	}
	h.rows[i].lookups += n
}

// ranked returns the rows, most lookups first; equals by the hash of the row behind
// the key, or without original in the order in which they were added.
func (h *heat) ranked(original func(k uint32) uint64) []uint32 {
	if original != nil {
		for i := range h.rows {
			h.rows[i].hash = fmix64(original(h.rows[i].key))
		}
	}
	slices.SortStableFunc(h.rows, func(a, b rowHeat) int {
		return cmp.Or(cmp.Compare(b.lookups, a.lookups), cmp.Compare(a.hash, b.hash))
	})
	keys := make([]uint32, len(h.rows))
	for i, r := range h.rows {
		keys[i] = r.key
	}
	return keys
}

// preload fills every slot: with the ranked rows, then with the lowest others.
func (p *static) preload() {
	t := p.t
	t.mapping()
	for _, k := range p.ranked[:min(len(p.ranked), len(t.keys))] {
		t.occupy(k)
	}
	if t.used == len(t.keys) {
		return
	}
	if t.cfg.Origin != nil {
		p.preloadByOrigin()
		return
	}
	for k := uint32(0); t.used < len(t.keys); k++ {
		if t.index.get(k) == none {
			t.occupy(k)
		}
	}
}

// preloadByOrigin fills the slots that are left where keys stand for rows of the
// layer: in the order of these, not of the keys.
func (p *static) preloadByOrigin() {
	t := p.t
	var others []uint32
	for k := range uint32(t.cfg.Rows) {
		if t.index.get(k) == none {
			others = append(others, k)
		}
	}
	slices.SortFunc(others, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(t.cfg.Origin[a], t.cfg.Origin[b]), cmp.Compare(a, b))
	})
	for _, k := range others[:len(t.keys)-t.used] {
		t.occupy(k)
	}
}

func (p *static) refuses()                  {}
func (p *static) begin(lookups.Round) error { return nil }
func (p *static) hit(slot int32, i int)     {}
func (p *static) victim(int) int32          { return none }
func (p *static) fill(slot int32, key int)  { panic("slots: static fills a slot") }

func (p *static) replay(keys []uint32) (misses int) {
	p.foretell(&foresight{keys: keys})
	return p.step(len(keys))
}

// foretell counts the lookups of the first trace that is foretold.
func (p *static) foretell(f *foresight) {
	if !p.known {
		p.count(f.keys)
	}
	p.rest = f.keys
}

func (p *static) step(n int) (misses int) {
	for _, k := range p.rest[:n] {
		if p.t.index.get(k) == none {
			misses++
		}
	}
	p.rest = p.rest[n:]
	return misses
}

// count chooses the hot set again, by the lookups of keys.
func (p *static) count(keys []uint32) {
	t := p.t
	h := newHeat(t.cfg.Rows, len(keys)/16)
	for _, k := range keys {
		h.add(k, 1)
	}
	p.ranked, p.known = h.ranked(nil), true
	for _, k := range t.keys {
		t.index.del(k)
	}
	t.used = 0
	p.preload()
}
