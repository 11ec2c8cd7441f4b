package rounds

import (
	"fmt"

	"stowage/workloads/lookups"
)

// Demand is what W accelerators need of each other in one round. Row k belongs to
// accelerator k mod W, unless it is replicated: then all have it.
type Demand struct {
	Rows    [][]int // [device][owner]: rows that the device gets of the owner, W x W; its own on the diagonal
	Buckets []int   // [owner]: distinct rows of the global batch that it owns
	Copies  []int   // [device]: rows that it reads from its own copies of replicated ones
	Hot     int     // distinct replicated rows of the global batch
}

// Devices returns W.
func (d *Demand) Devices() int { return len(d.Rows) }

// MaxBucket returns the most distinct rows that one accelerator owns: the length to
// which padded collectives fill up every bucket.
func (d *Demand) MaxBucket() (n int) {
	for _, b := range d.Buckets {
		n = max(n, b)
	}
	return n
}

// pulled is the bytes that go from owners to the devices that need their rows, of row
// bytes each. What a device owns itself does not move.
func (d *Demand) pulled(row float64) func(from, to int) float64 {
	return func(from, to int) float64 { return float64(d.Rows[to][from]) * row }
}

// pushed is the bytes of gradients that go back to the owners.
func (d *Demand) pushed(row float64) func(from, to int) float64 {
	return func(from, to int) float64 { return float64(d.Rows[from][to]) * row }
}

// DemandCounter counts the demand of round after round, without allocating once its
// buffers have grown. It belongs to one goroutine.
type DemandCounter struct {
	scope      Scope
	rows       int64
	replicated func(row uint32) bool
	unique     *lookups.Uniquer // of one device
	all        *lookups.Uniquer // of the batch
	joined     []uint32         // rows of all devices, unique in each
	demand     Demand
}

// NewDemandCounter returns a counter for the lookups of devices accelerators in a
// layer of rows. Under PerBatch and PerPass every accelerator gets all rows of the
// batch, or of the pass when its lookups are counted together: the collectives that
// make rows unique so far cannot tell who needs them. replicated tells the rows that
// every accelerator has; nil: none.
func NewDemandCounter(rows int64, devices int, scope Scope, replicated func(row uint32) bool) (*DemandCounter, error) {
	if rows < 1 || rows > lookups.MaxRows {
		return nil, fmt.Errorf("rows = %d: want 1 to %d", rows, int64(lookups.MaxRows))
	}
	if devices < 1 {
		return nil, fmt.Errorf("devices = %d: want at least 1", devices)
	}
	if err := oneOf("scope", scope, Scopes()); err != nil {
		return nil, err
	}
	if replicated == nil {
		replicated = func(uint32) bool { return false }
	}
	c := &DemandCounter{
		scope: scope, rows: rows, replicated: replicated,
		unique: lookups.NewUniquer(rows), all: lookups.NewUniquer(rows),
		demand: Demand{
			Rows: make([][]int, devices), Buckets: make([]int, devices), Copies: make([]int, devices),
		},
	}
	for d := range c.demand.Rows {
		c.demand.Rows[d] = make([]int, devices)
	}
	return c, nil
}

// Count returns the demand of one round, given the lookups of each device. It is
// valid until the next Count. Another number of devices, or a key that is not below
// the rows of the layer, is a broken promise of the caller and panics.
func (c *DemandCounter) Count(keys [][]uint32) *Demand {
	d := &c.demand
	if len(keys) != d.Devices() {
		panic(fmt.Sprintf("rounds: lookups of %d devices, want %d", len(keys), d.Devices()))
	}
	c.joined = c.joined[:0]
	for i, own := range keys {
		clear(d.Rows[i])
		d.Copies[i] = 0
		r := c.unique.Unique(own)
		c.joined = append(c.joined, r.Keys...)
		c.device(i, r)
	}
	c.batch()
	return d
}

// device counts the lookups of device i.
func (c *DemandCounter) device(i int, r lookups.Round) {
	w, rows := uint32(c.demand.Devices()), c.demand.Rows[i]
	for j, k := range r.Keys {
		n := 1
		if c.scope == NoUnique {
			n = int(r.Counts[j])
		}
		if c.replicated(k) {
			c.demand.Copies[i] += n
		} else {
			rows[k%w] += n
		}
	}
}

// batch counts what is distinct among the rows of all devices.
func (c *DemandCounter) batch() {
	d := &c.demand
	w := uint32(d.Devices())
	clear(d.Buckets)
	d.Hot = 0
	for _, k := range c.all.Unique(c.joined).Keys {
		if c.replicated(k) {
			d.Hot++
		} else {
			d.Buckets[k%w]++
		}
	}
	if c.scope == PerBatch || c.scope == PerPass {
		for i := range d.Rows {
			copy(d.Rows[i], d.Buckets)
		}
	}
}
