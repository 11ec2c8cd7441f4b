package placement

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Memo keeps the fitness of every scheme that a search evaluated, in the order
// of evaluation. A search that gets the memo of one that was stopped walks the
// same path again without evaluating, and goes on. It belongs to one search at a
// time, and to one problem and fidelity.
//
// It is a hash table with open addressing over an arena of schemes: a lookup
// allocates nothing, an insertion only when the arena grows.
type Memo struct {
	layers  int
	table   []uint32 // entry + 1 by hash, linear probing; 0: empty. Its length is a power of 2
	schemes []byte   // layers bytes per entry
	fitness []Fitness
	visited []uint32 // the search that saw the entry last
	search  uint32   // the present one
	most    int      // entries
}

// Limits of a memo. Schemes beyond them are evaluated again when a search comes
// back to them, and counted again.
const (
	MaxMemo      = 1 << 22 // schemes
	MaxMemoBytes = 1 << 29 // of schemes
)

// NewMemo returns an empty memo for searches on p.
func NewMemo(p *Problem) *Memo {
	return &Memo{layers: p.layers, table: make([]uint32, 256), most: min(MaxMemo, MaxMemoBytes/p.layers)}
}

// Len returns the number of schemes.
func (m *Memo) Len() int { return len(m.fitness) }

// begin starts a search, to which every scheme is new.
func (m *Memo) begin(p *Problem) {
	if m.layers != p.layers {
		panic(fmt.Sprintf("placement: a memo of schemes of %d layers for a problem of %d", m.layers, p.layers))
	}
	m.search++
}

func (m *Memo) scheme(at int) Scheme { return Scheme(m.schemes[at*m.layers : (at+1)*m.layers]) }

// visit returns the entry of a scheme, which it makes if there is none, and
// whether this search sees it for the first time. The entry is -1 when the memo
// is full.
func (m *Memo) visit(sc Scheme) (at int, fresh bool) {
	mask := uint64(len(m.table) - 1)
	slot := sc.hash() & mask
	for ; m.table[slot] != 0; slot = (slot + 1) & mask {
		at := int(m.table[slot] - 1)
		if string(m.schemes[at*m.layers:(at+1)*m.layers]) == string(sc) {
			fresh = m.visited[at] != m.search
			m.visited[at] = m.search
			return at, fresh
		}
	}
	if len(m.fitness) >= m.most {
		return -1, true
	}
	at = len(m.fitness)
	m.table[slot] = uint32(at + 1)
	m.schemes = append(m.schemes, sc...)
	m.fitness = append(m.fitness, Fitness{})
	m.visited = append(m.visited, m.search)
	if 2*len(m.fitness) > len(m.table) {
		m.grow()
	}
	return at, true
}

// known reports whether an entry has its fitness: no scheme is worth 0.
func (m *Memo) known(at int) bool { return m.fitness[at].Value != 0 }

// put gives an entry its fitness; of an entry below 0 nothing is kept.
func (m *Memo) put(at int, f Fitness) {
	if at >= 0 {
		m.fitness[at] = f
	}
}

// seen reports whether this search has visited a scheme.
func (m *Memo) seen(sc Scheme) bool {
	mask := uint64(len(m.table) - 1)
	for slot := sc.hash() & mask; m.table[slot] != 0; slot = (slot + 1) & mask {
		at := int(m.table[slot] - 1)
		if string(m.schemes[at*m.layers:(at+1)*m.layers]) == string(sc) {
			return m.visited[at] == m.search
		}
	}
	return false
}

// leave takes back that a scheme was visited: nobody evaluates it. A new entry
// is the last one, and goes.
func (m *Memo) leave(at int) {
	if at < 0 {
		return
	}
	m.visited[at] = 0
	if m.known(at) {
		return
	}
	if at != len(m.fitness)-1 {
		panic("placement: a scheme is left that is not the last one")
	}
	mask := uint64(len(m.table) - 1)
	slot := m.scheme(at).hash() & mask
	for m.table[slot] != uint32(at+1) {
		slot = (slot + 1) & mask
	}
	m.table[slot] = 0 // the last one inserted: no probe goes past it
	m.schemes = m.schemes[:at*m.layers]
	m.fitness, m.visited = m.fitness[:at], m.visited[:at]
}

// grow doubles the table.
func (m *Memo) grow() {
	m.table = make([]uint32, 2*len(m.table))
	mask := uint64(len(m.table) - 1)
	for at := range m.fitness {
		slot := m.scheme(at).hash() & mask
		for m.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		m.table[slot] = uint32(at + 1)
	}
}

// hash mixes eight layers at a time by a multiplication of 128 bits, as wyhash
// (Wang Yi, 2019) does.
func (s Scheme) hash() uint64 {
	const a, b = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	h := uint64(len(s)) ^ a
	for len(s) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(s), b)
		s = s[8:]
	}
	var rest uint64
	for i, t := range s {
		rest |= uint64(t) << (8 * i)
	}
	return fold(h^rest, a)
}

// fold multiplies and joins both halves of the product.
func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}
