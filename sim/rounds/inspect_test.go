package rounds

import "math/bits"

// What tests ask of a hierarchy, of traffic and of a demand.

// Add returns the sum of two counts.
func (t Traffic) Add(u Traffic) Traffic {
	return Traffic{
		HostReads:   t.HostReads + u.HostReads,
		StoreReads:  t.StoreReads + u.StoreReads,
		HostFills:   t.HostFills + u.HostFills,
		HostWrites:  t.HostWrites + u.HostWrites,
		StoreWrites: t.StoreWrites + u.StoreWrites,
		Drops:       t.Drops + u.Drops,
	}
}

// Places says where copies of a row are.
type Places struct {
	Slot, Host, Store bool
}

// Where returns where copies of row k are.
func (h *Hierarchy) Where(k uint32) Places {
	p := Places{Slot: h.slotted.get(k)}
	if h.whole {
		p.Host = !p.Slot || h.cfg.Slots == Inclusive
		return p
	}
	p.Host = h.cache.find(k) != none
	p.Store = h.stored == nil || h.stored.get(k)
	return p
}

// Cached returns how many rows host memory holds.
func (h *Hierarchy) Cached() int64 {
	switch {
	case !h.whole:
		return int64(len(h.cache.nodes))
	case h.cfg.Slots == Inclusive:
		return h.cfg.Rows
	}
	return h.cfg.Rows - h.slotted.count()
}

// Unique returns the distinct rows of the global batch that are not replicated.
func (d *Demand) Unique() (n int) {
	for _, b := range d.Buckets {
		n += b
	}
	return n
}

// Inflation returns by what padding multiplies the rows of a collective: MaxBucket x
// W / Unique. It is 1 without rows.
func (d *Demand) Inflation() float64 {
	unique := d.Unique()
	if unique == 0 {
		return 1
	}
	return float64(d.MaxBucket()*d.Devices()) / float64(unique)
}

func (b bitset) count() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}
