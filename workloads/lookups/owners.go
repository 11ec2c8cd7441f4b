package lookups

import (
	"cmp"
	"slices"
)

// Passes returns the trace whose rounds are passes over rounds of t, made unique
// over the pass: pass i holds the rounds before ends[i] that no pass before it
// holds. Keys are those of t.
func (t *Trace) Passes(ends []int) *Trace {
	p := &Trace{rows: t.rows, origin: t.origin}
	at := make([]uint32, t.rows) // key -> 1 + its place in p.keys
	first := 0
	for _, end := range ends {
		start, lookups := uint32(len(p.keys)), 0
		for i := first; i < end; i++ {
			r := t.Round(i)
			lookups += r.Lookups
			for j, k := range r.Keys {
				if at[k] > start {
					p.counts[at[k]-1] += r.Counts[j]
					continue
				}
				p.keys, p.counts = append(p.keys, k), append(p.counts, r.Counts[j])
				at[k] = uint32(len(p.keys))
			}
		}
		p.ends = append(p.ends, int64(len(p.keys)))
		p.lookups = append(p.lookups, lookups)
		first = end
	}
	return p
}

// Hottest returns the n keys with the most lookups, hottest first. Among equals a
// hash of Original decides: a compact trace numbers keys by their first lookup, so
// that by key the early rounds would get more than their share.
func (t *Trace) Hottest(n int) []uint32 {
	total := make([]uint64, t.rows)
	for i, k := range t.keys {
		total[k] += uint64(t.counts[i])
	}
	keys, hash := make([]uint32, t.rows), make([]uint64, t.rows)
	for k := range keys {
		keys[k] = uint32(k)
		hash[k] = fmix64(uint64(t.Original(uint32(k))))
	}
	slices.SortFunc(keys, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(hash[a], hash[b]), cmp.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}

// fmix64 is the finaliser of MurmurHash3, a bijection.
func fmix64(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Owners divides the keys of a trace among owners: row k belongs to owner
// Original(k) mod n, unless it is replicated: then all have it. Each owner numbers
// its keys 0, 1, 2, …
type Owners struct {
	trace *Trace
	n     uint32
	owner []uint32 // key -> owner; nil for one owner
	local []uint32 // key -> number with its owner
	rows  []int64  // per owner

	hot    []bool // per key, nil: none replicated
	hotBy  []bool // per Number
	copies int

	rounds []Round // of Divide, reused
}

// NewOwners divides the keys of t among n owners.
func NewOwners(t *Trace, n int) *Owners {
	o := &Owners{trace: t, n: uint32(n), rows: make([]int64, n), rounds: make([]Round, n)}
	if n == 1 {
		o.rows[0] = t.rows
		return o
	}
	o.owner, o.local = make([]uint32, t.rows), make([]uint32, t.rows)
	for k := range o.local {
		w := t.Original(uint32(k)) % o.n
		o.owner[k], o.local[k] = w, uint32(o.rows[w])
		o.rows[w]++
	}
	return o
}

// Replicate takes keys out of Divide and Traces: every owner has them.
func (o *Owners) Replicate(keys []uint32) {
	o.hot, o.hotBy, o.copies = make([]bool, o.trace.rows), make([]bool, o.Rows()), len(keys)
	for _, k := range keys {
		o.hot[k], o.hotBy[o.Number(k)] = true, true
	}
}

// Replicated returns how many keys every owner has.
func (o *Owners) Replicated() int { return o.copies }

// IsReplicated reports whether every owner has the key of a Number.
func (o *Owners) IsReplicated(number uint32) bool { return o.hotBy != nil && o.hotBy[number] }

// Owner returns who owns key k.
func (o *Owners) Owner(k uint32) int {
	if o.owner == nil {
		return 0
	}
	return int(o.owner[k])
}

// Number returns a number for key k that is small and leads to its owner: Owner(k)
// is Number(k) mod n. Numbers are below Rows.
func (o *Owners) Number(k uint32) uint32 {
	if o.local == nil {
		return k
	}
	return o.local[k]*o.n + o.owner[k]
}

// Rows bounds the numbers.
func (o *Owners) Rows() int64 { return max(1, slices.Max(o.rows)*int64(o.n)) }

// Divide returns the part of a round that each owner has, in the round's order,
// replicated keys left out. The slices are valid until the next call; with one owner
// they are the round's.
func (o *Owners) Divide(r Round) []Round {
	if o.local == nil {
		o.rounds[0] = r
		return o.rounds
	}
	for w := range o.rounds {
		q := &o.rounds[w]
		q.Lookups, q.Keys, q.Counts = 0, q.Keys[:0], q.Counts[:0]
	}
	for i, k := range r.Keys {
		if o.hot != nil && o.hot[k] {
			continue
		}
		q := &o.rounds[o.Owner(k)]
		q.Keys = append(q.Keys, o.local[k])
		q.Counts = append(q.Counts, r.Counts[i])
		q.Lookups += int(r.Counts[i])
	}
	return o.rounds
}

// Traces returns the trace of every owner: its part of each round. Keys are the
// owner's own numbers, and Original leads back to the rows of the layer.
func (o *Owners) Traces() []*Trace { return o.TracesOf(o.trace) }

// TracesOf is Traces for another trace with the same keys.
func (o *Owners) TracesOf(t *Trace) []*Trace {
	if o.local == nil {
		return []*Trace{t}
	}
	ts := make([]*Trace, o.n)
	for w := range ts {
		rows := max(o.rows[w], 1) // a trace has rows, if nobody looks them up
		ts[w] = &Trace{rows: rows, origin: make([]uint32, rows)}
	}
	for k, l := range o.local {
		ts[o.Owner(uint32(k))].origin[l] = o.trace.Original(uint32(k))
	}
	for i := range t.Rounds() {
		for w, r := range o.Divide(t.Round(i)) {
			ts[w].append(r)
		}
	}
	return ts
}
