package rounds

import (
	"errors"
	"fmt"

	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// tables are the slot tables of a group: of every layer, one for each device that
// owns rows.
type tables struct {
	spec   *Spec
	layers []layerTables
	hot    [][]uint32 // per layer: rows that every device holds
	ends   []int      // per unit: the round behind its last

	trades []trade // per round

	late *load // what eager write-backs move below host memory: the next unit's go with it

	parts  [][]part // of the unit that is being planned: what is left to plan
	load   *load    // of the first of these parts, so far
	work   Work     // of the parts before
	splits int      // units that were cut into parts
	waits  int      // times that a unit waited for slots
}

// layerTables are the tables of one layer.
type layerTables struct {
	*Layer
	owners   *lookups.Owners
	units    *lookups.Trace   // its lookups, a unit a round
	traces   []*lookups.Trace // the same by owner
	profiles []*lookups.Trace // by owner, where the layer has one
	tables   []*slots.Table   // by owner
	tiers    []*Hierarchy     // by owner
	uniquer  *lookups.Uniquer // for parts
	raw      []uint32
	counter  // of what the devices ask of each other
}

// part is what one table has to plan of a part of a unit.
type part struct {
	layer, owner int
	round        lookups.Round
}

func newTables(spec *Spec) (*tables, error) {
	t := &tables{spec: spec, late: newLoad(spec), trades: make([]trade, spec.Rounds)}
	for i := range spec.Layers {
		t.hot = append(t.hot, spec.Layers[i].hottest(spec))
	}
	t.ends = t.unitEnds()
	for i := range spec.Layers {
		l := layerTables{Layer: &spec.Layers[i]}
		l.units = l.Trace
		if spec.Pass > 1 || l.Trace.Rounds() > spec.Rounds {
			l.units = l.Trace.Passes(t.ends)
		}
		l.owners = lookups.NewOwners(l.units, spec.Devices)
		if hot := t.hot[i]; len(hot) > 0 {
			l.owners.Replicate(hot)
		}
		if err := l.shares(spec.Devices, l.owners.Replicated()); err != nil {
			return nil, err
		}
		if err := l.counters(spec); err != nil {
			return nil, fmt.Errorf("layer %q: %w", l.Name, err)
		}
		l.traces = l.owners.Traces()
		if l.Profile != nil {
			l.profiles = l.owners.TracesOf(l.Profile)
		}
		for w, own := range l.traces {
			cfg := l.config(own, w, spec)
			table, err := slots.New(cfg)
			if err != nil {
				return nil, fmt.Errorf("slot table of layer %q: %w", l.Name, err)
			}
			tiers, err := NewHierarchy(l.hierarchy(own, w, spec))
			if err != nil {
				return nil, fmt.Errorf("tiers below the slots of layer %q: %w", l.Name, err)
			}
			l.tables, l.tiers = append(l.tables, table), append(l.tiers, tiers)
		}
		t.layers = append(t.layers, l)
	}
	return t, nil
}

// config is the table of one owner: its share of the slots.
func (l *layerTables) config(own *lookups.Trace, owner int, spec *Spec) slots.Config {
	cfg := l.Slots
	cfg.Slots = share(cfg.Slots, owner, spec.Devices) - l.owners.Replicated()
	cfg.Rows, cfg.Future, cfg.Origin = own.Rows(), own, own.Origins()
	cfg.Profile = nil
	if l.profiles != nil {
		cfg.Profile = l.profiles[owner]
	}
	cfg.Eager = spec.WriteBack == Eager
	cfg.ReadOnly = cfg.ReadOnly || spec.ReadOnly
	return cfg
}

// hierarchy is the tiers below the slots of one owner: its share of the hosts'
// memory. A compact trace has fewer rows than the layer; what it never touches
// takes no part, but memory for some of a layer's rows is a cache all the same.
func (l *layerTables) hierarchy(own *lookups.Trace, owner int, spec *Spec) HierarchyConfig {
	cfg := HierarchyConfig{Rows: own.Rows(), Host: own.Rows(), Slots: l.BelowSlots, Store: l.BelowHosts}
	if l.Hosted > 0 {
		cfg.Host = int64(share(int(l.Hosted), owner, spec.Devices))
		cfg.Rows = max(cfg.Rows, cfg.Host+1)
	}
	return cfg
}

// share divides n things among owners, the first ones get what is left over.
func share(n, owner, owners int) int {
	s := n / owners
	if owner < n%owners {
		s++
	}
	return s
}

// unitEnds divides the rounds into units: Pass rounds each; under Split a pass
// whose rows exceed the slots is cut in halves until they fit or it is one round.
func (t *tables) unitEnds() []int {
	var ends []int
	for first := 0; first < t.spec.Rounds; {
		end := min(first+t.spec.Pass, t.spec.Rounds)
		if t.spec.Layers[0].Slots.Shortage == slots.Split {
			whole := end
			for end-first > 1 && !t.fits(first, end) {
				end = first + (end-first+1)/2
			}
			if end < whole {
				t.splits++
			}
		}
		ends = append(ends, end)
		first = end
	}
	return ends
}

// fits reports whether the rows of rounds [first, end) fit into the slots of their
// owners, beside those that every device holds.
func (t *tables) fits(first, end int) bool {
	for i := range t.spec.Layers {
		l := &t.spec.Layers[i]
		held := make([]int, t.spec.Devices)
		seen := map[uint32]bool{}
		for _, k := range t.hot[i] {
			seen[k] = true
		}
		for r := first; r < end; r++ {
			for _, k := range l.Trace.Round(r).Keys {
				if !seen[k] {
					seen[k] = true
					held[int(l.Trace.Original(k))%t.spec.Devices]++
				}
			}
		}
		for w, n := range held {
			if n > share(l.Slots.Slots, w, t.spec.Devices)-len(t.hot[i]) {
				return false
			}
		}
	}
	return true
}

// lookups returns the lookups of unit u.
func (t *tables) lookups(u int) (n int) {
	for i := range t.layers {
		n += t.layers[i].units.Round(u).Lookups
	}
	return n
}

// inFlight is the number of units whose rows are pinned.
func (t *tables) inFlight() int {
	last := &t.layers[len(t.layers)-1]
	return last.tables[len(last.tables)-1].InFlight()
}

// release drops the pins of the oldest unit that has them and commits its updates.
// Where the backward pass is still to come, what moves waits for it.
func (t *tables) release() {
	for i := range t.layers {
		for w, table := range t.layers[i].tables {
			t.commit(i, w, table)
		}
	}
}

// commit releases the oldest round of a table. Eager write-backs reach the tier below.
func (t *tables) commit(layer, owner int, table *slots.Table) {
	table.Release()
	l := &t.layers[layer]
	t.late.down(owner, l.tiers[owner].WriteBack(table.Flushed()), l.Layer)
}

// drain releases everything in flight.
func (t *tables) drain() {
	for t.inFlight() > 0 {
		t.release()
	}
}

// mayWait reports whether the shortage rule lets a unit wait for slots.
func (t *tables) mayWait() bool {
	rule := t.layers[0].Slots.Shortage
	return rule == slots.Wait || rule == slots.Split
}

// dump writes every row back and, where the tables are rebuilt, empties them. It
// returns what moves.
func (t *tables) dump() Work {
	t.drain()
	load := newLoad(t.spec)
	for i := range t.layers {
		l := &t.layers[i]
		for w, table := range l.tables {
			n := table.Flush()
			load.counts.WriteBacks += n
			load.down(w, l.tiers[w].WriteBack(table.Flushed()), l.Layer)
			if t.spec.Rebuild {
				table.Clear()
				load.down(w, l.tiers[w].Evict(table.Evictions()), l.Layer)
			}
		}
	}
	return load.work()
}

// errParts says that a unit is cut into parts, of which one leaves for the next: all
// units before must be released first.
var errParts = errors.New("a unit in parts is planned with others in flight")

// plan plans unit u on all tables. On errParts and a *slots.ShortageError it may be called again
// after a release, and goes on where it was.
func (t *tables) plan(u int) (Work, error) {
	if t.parts == nil {
		for t.inFlight() > t.spec.Lookahead {
			t.release()
		}
		t.parts, t.work = t.divide(u), Work{}
		t.load = newLoad(t.spec)
		t.countReplicated(u)
		t.tradeAll(u)
		t.load.storeDown, t.late = t.late.storeDown, newLoad(t.spec)
	}
	if len(t.parts) > 1 && t.inFlight() > 0 {
		return Work{}, errParts
	}
	for {
		if err := t.planPart(); err != nil {
			return Work{}, err
		}
		t.work.add(t.load.work())
		if t.parts = t.parts[1:]; len(t.parts) == 0 {
			t.parts = nil
			return t.work, nil
		}
		t.drain() // the next part computes after this one
		t.load = newLoad(t.spec)
		t.load.used = t.copies()
	}
}

// countReplicated counts the lookups of rows that every device holds: hits.
func (t *tables) countReplicated(u int) {
	for i := range t.layers {
		l := &t.layers[i]
		n := l.owners.Replicated()
		if n == 0 {
			continue
		}
		c := &t.load.counts
		r := l.units.Round(u)
		for j, k := range r.Keys {
			if l.owners.IsReplicated(l.owners.Number(k)) {
				c.Unique, c.Hits = c.Unique+1, c.Hits+1
				c.Lookups, c.HitLookups = c.Lookups+int(r.Counts[j]), c.HitLookups+int(r.Counts[j])
			}
		}
	}
	t.load.used += t.copies()
}

// copies is the slots that replicated rows take, all devices together.
func (t *tables) copies() (n int) {
	for i := range t.layers {
		n += t.layers[i].owners.Replicated() * t.spec.Devices
	}
	return n
}

// tradeAll counts what the devices exchange in the rounds of unit u.
func (t *tables) tradeAll(u int) {
	first := 0
	if u > 0 {
		first = t.ends[u-1]
	}
	for r := first; r < t.ends[u]; r++ {
		t.trades[r] = t.trade(r)
		t.work.Traded += t.trades[r].bytes
		if !t.spec.ReadOnly {
			_, bytes := t.state(r)
			t.work.Past += 2 * bytes
		}
		if t.spec.Scope == PerDevice { // every device asks each owner
			for owner, n := range t.trades[r].asked {
				t.load.index[owner] += n
			}
		}
	}
}

// planPart plans what is left of the first part.
func (t *tables) planPart() error {
	for len(t.parts[0]) > 0 {
		p := &t.parts[0][0]
		l := &t.layers[p.layer]
		c, err := l.tables[p.owner].Plan(p.round)
		if err != nil {
			return &tableError{spec: t.spec, layer: l, owner: p.owner, err: err}
		}
		tiers := l.tiers[p.owner]
		t.load.plan(p.owner, c, l.Layer)
		t.load.down(p.owner, tiers.Evict(l.tables[p.owner].Evictions()), l.Layer)
		t.load.up(p.owner, tiers.Fetch(l.tables[p.owner].Fills()), l.Layer)
		t.load.serves(p.owner, tiers.Bypass(l.tables[p.owner].Bypassed(), !t.spec.ReadOnly), l.Layer)
		t.parts[0] = t.parts[0][1:]
	}
	return nil
}
