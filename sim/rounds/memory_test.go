package rounds

import "fmt"

// memory is the dumb model of what a feed moves: the version of every row in host
// memory and in every slot, and the version that was committed last, one more with
// each update. It watches the steps of a feed and notes the first thing that goes
// wrong. Units that are cut into parts are beyond it.
type memory struct {
	f      *Feed
	layers []memoryLayer
	units  []memoryUnit
	eager  [][]homing // per round: what its eager write-back holds
	wrong  string
	moved  int // bypassed rows that were updated in slots, which later units had filled
}

type memoryLayer struct {
	host, committed []int // version per row
	due             []int // version that the next round must read
	where           []int // row -> slot by the mapping, -1: in none
	slots           []held
	bases           []int // owner -> its first slot
}

// held is what a slot holds.
type held struct{ row, version int }

type memoryUnit struct {
	leaves, comes []mover
	home          bool          // what left is in host memory
	at            []map[int]int // layer -> row -> slot when it was planned; -1: bypassed
}

// mover is a row that leaves a slot or comes into one, and the version under way.
type mover struct {
	layer, row, slot, version int
	dirty                     bool
}

// homing is the version of a row that is on its way home.
type homing struct{ layer, row, version int }

const empty = -1

// watch gives a feed a memory. Call it before Start.
func watch(f *Feed) *memory {
	m := &memory{f: f, units: make([]memoryUnit, len(f.units)), eager: make([][]homing, len(f.rounds))}
	for i := range f.tables.layers {
		l := &f.tables.layers[i]
		var ml memoryLayer
		rows := int(l.Trace.Rows())
		ml.host, ml.committed, ml.due, ml.where = make([]int, rows), make([]int, rows), make([]int, rows), make([]int, rows)
		for k := range ml.where {
			ml.where[k] = empty
		}
		for _, table := range l.tables {
			ml.bases = append(ml.bases, len(ml.slots))
			for range table.Slots() {
				ml.slots = append(ml.slots, held{empty, 0})
			}
		}
		m.layers = append(m.layers, ml)
	}
	f.shadow = m.step
	return m
}

func (m *memory) fail(format string, args ...any) {
	if m.wrong == "" {
		m.wrong = fmt.Sprintf("at %v: ", m.f.e.Now()) + fmt.Sprintf(format, args...)
	}
}

func (m *memory) step(s step, i int) {
	switch s {
	case planned:
		m.plan(i)
	case leave:
		m.leave(i)
	case backEnds:
		m.units[i].home = true
		for _, v := range m.units[i].leaves {
			if v.dirty {
				m.layers[v.layer].host[v.row] = v.version
			}
		}
	case stageStarts:
		m.stage(i)
	case fillStarts:
		for j := range m.units[i].comes {
			v := &m.units[i].comes[j]
			v.version = m.layers[v.layer].host[v.row]
		}
	case fillEnds:
		for _, v := range m.units[i].comes {
			c := &m.layers[v.layer].slots[v.slot]
			if c.row != empty {
				m.fail("unit %d writes row %d into slot %d, where row %d still is", i, v.row, v.slot, c.row)
			}
			*c = held{v.row, v.version}
		}
	case extracts:
		m.read(i)
	case updateEnds:
		m.update(i)
	case eagerEnds:
		for _, c := range m.eager[i] {
			m.layers[c.layer].host[c.row] = c.version
		}
	case dumpEnds:
		m.dump()
	}
}

// plan notes the rows that a unit moves, and changes the mapping.
func (m *memory) plan(u int) {
	unit := &m.units[u]
	for i := range m.layers {
		l, ml := &m.f.tables.layers[i], &m.layers[i]
		for w, table := range l.tables {
			row := func(k uint32) int {
				if len(l.tables) == 1 {
					return int(k)
				}
				return int(l.traces[w].Original(k))
			}
			for _, v := range table.Evictions() {
				k := row(v.Key)
				ml.where[k] = empty
				unit.leaves = append(unit.leaves, mover{layer: i, row: k, slot: ml.bases[w] + int(v.Slot), dirty: v.Dirty})
			}
			for _, v := range table.Fills() {
				k := row(v.Key)
				ml.where[k] = ml.bases[w] + int(v.Slot)
				unit.comes = append(unit.comes, mover{layer: i, row: k, slot: ml.where[k]})
			}
		}
		at := map[int]int{}
		for _, k := range l.units.Round(u).Keys {
			at[int(k)] = ml.where[k]
		}
		unit.at = append(unit.at, at)
	}
}

// stage reads what unit u needs in the store. It does not know which rows come from
// there, and wants all that left before to be home.
func (m *memory) stage(u int) {
	for _, v := range m.units[u].comes {
		for before := range m.units[:u] {
			for _, w := range m.units[before].leaves {
				if w.layer == v.layer && w.row == v.row && !m.units[before].home {
					m.fail("unit %d reads row %d below host memory, which is on its way there since unit %d", u, v.row, before)
				}
			}
		}
	}
}

// leave reads victims out of their slots.
func (m *memory) leave(u int) {
	for j := range m.units[u].leaves {
		v := &m.units[u].leaves[j]
		c := &m.layers[v.layer].slots[v.slot]
		if c.row != v.row {
			m.fail("unit %d moves row %d out of slot %d, where row %d is", u, v.row, v.slot, c.row)
		}
		v.version = c.version
		*c = held{empty, 0}
	}
}

// read lets the devices read the rows of a round.
func (m *memory) read(r int) {
	m.rows(r, func(layer, k, planned int) {
		l := &m.layers[layer]
		s := l.where[k]
		version := l.host[k]
		switch {
		case s != empty && l.slots[s].row == k:
			version = l.slots[s].version
		case planned != empty:
			m.fail("round %d reads row %d in slot %d, where it is not", r, k, planned)
			return
		}
		if version != l.due[k] {
			m.fail("round %d reads version %d of row %d, want %d", r, version, k, l.due[k])
		}
		if !m.f.spec.ReadOnly {
			l.due[k]++
		}
	})
}

// update updates the rows of a round where they are: in the slots where they were
// when the round was planned, or by now for what was bypassed; else on the host.
func (m *memory) update(r int) {
	if m.f.spec.ReadOnly {
		return
	}
	m.rows(r, func(layer, k, planned int) {
		l := &m.layers[layer]
		l.committed[k]++
		s := planned
		if s == empty && l.where[k] != empty && l.slots[l.where[k]].row == k {
			s = l.where[k]
			m.moved++
		}
		switch {
		case s == empty:
			l.host[k]++
		case l.slots[s].row != k:
			m.fail("round %d updates row %d in slot %d, where it is not", r, k, s)
		default:
			l.slots[s].version++
			m.eager[r] = append(m.eager[r], homing{layer, k, l.slots[s].version})
		}
	})
}

func (m *memory) dump() {
	for i := range m.layers {
		l := &m.layers[i]
		for s, c := range l.slots {
			if c.row == empty {
				continue
			}
			l.host[c.row] = c.version
			if m.f.spec.Rebuild {
				l.slots[s] = held{empty, 0}
				l.where[c.row] = empty
			}
		}
	}
}

// rows calls do with the rows of a round that one device owns, and the slot that
// its unit planned for each.
func (m *memory) rows(r int, do func(layer, row, planned int)) {
	at := m.units[m.f.unitOf[r]].at
	for i := range m.layers {
		l := &m.f.tables.layers[i]
		for _, k := range l.Trace.Round(r).Keys {
			if l.owners.IsReplicated(l.owners.Number(k)) {
				continue
			}
			planned, ok := empty, at != nil
			if ok {
				planned = at[i][int(k)]
			}
			if !ok {
				m.fail("round %d reads before it is planned", r)
				return
			}
			do(i, int(k), planned)
		}
	}
}

// end checks what is left after the last round: no update is lost.
func (m *memory) end() string {
	for i := range m.layers {
		l := &m.layers[i]
		for k, want := range l.committed {
			version := l.host[k]
			if s := l.where[k]; s != empty {
				version = l.slots[s].version
			}
			if version != want {
				m.fail("row %d is left with version %d, committed is %d", k, version, want)
			}
		}
	}
	return m.wrong
}
