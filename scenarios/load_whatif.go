package scenarios

import (
	"slices"

	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/sim/placement"
)

// whatifFile holds questions about variations of the scenario.
type whatifFile struct {
	Price   *priceFile      `toml:"price"`
	Node    *nodeFile       `toml:"node"`
	Cluster *cheapClustFile `toml:"cluster"`
}

type priceFile struct {
	Pool string      `toml:"pool"` // the pool whose price varies
	From *unit.Price `toml:"from"` // default: a hundredth of the present price
	To   *unit.Price `toml:"to"`   // default: ten times the present price
}

type nodeFile struct {
	Pools []string `toml:"pools"` // default: all
}

type cheapClustFile struct {
	Throughput float64     `toml:"throughput"` // samples/s to reach
	Limit      []limitFile `toml:"limit"`      // default: the counts of the cluster
}

type limitFile struct {
	Pool  string `toml:"pool"`  // name of a pool
	Count int    `toml:"count"` // the most devices of it
}

// whatIf reads the section of that name.
func (b *builder) whatIf() {
	f := b.f.WhatIf
	if f == nil || b.sc.Cluster == nil {
		return
	}
	at := spec.Path{"whatif"}
	if f.Price == nil && f.Node == nil && f.Cluster == nil {
		b.fail(at, "no question: it has sections price, node and cluster")
		return
	}
	if b.sc.Policy.Name == "fixed" {
		b.fail(at, `a placement policy answers its questions, and "fixed" has no choice`)
		return
	}
	w := &WhatIf{}
	if f.Price != nil {
		w.Price = b.priceQuestion(f.Price)
	}
	if f.Node != nil {
		w.Node = b.nodeQuestion(f.Node)
	}
	if f.Cluster != nil {
		w.Cluster = b.clusterQuestion(f.Cluster)
	}
	b.sc.WhatIf = w
}

func (b *builder) poolNames() (names []string) {
	for i := range b.sc.Cluster.Pools {
		names = append(names, b.sc.Cluster.Pools[i].Name)
	}
	return names
}

// poolNamed finds a pool by its name; -1: there is none.
func (b *builder) poolNamed(at spec.Path, name string) int {
	names := b.poolNames()
	if !b.oneOf(at, name, names) {
		return -1
	}
	return slices.Index(names, name)
}

func (b *builder) priceQuestion(f *priceFile) *PriceQuestion {
	at := func(key string) spec.Path { return spec.Path{"whatif", "price", key} }
	if !b.doc.Has(at("pool")) {
		b.missing(at("pool"), "the pool whose price varies")
		return nil
	}
	w := &PriceQuestion{Pool: b.poolNamed(at("pool"), f.Pool)}
	if w.Pool < 0 {
		return nil
	}
	present := float64(b.sc.Cluster.Pools[w.Pool].Price)
	w.From, w.To = present/100, present*10
	if f.From != nil {
		w.From = float64(*f.From)
	}
	if f.To != nil {
		w.To = float64(*f.To)
	}
	switch {
	case present == 0 && f.To == nil:
		b.missing(at("to"), "the highest price to look at: the pool is free now")
	case !(w.From < w.To):
		b.fail(at("from"), "%v USD/h: want less than whatif.price.to = %v USD/h", w.From, w.To)
	case w.From == 0 && b.sc.Problem.Objective == placement.Cost:
		b.fail(at("from"), "0 USD/h: above 0 with objective = %q, else schemes on free devices alone all cost nothing", placement.Cost)
	}
	return w
}

func (b *builder) nodeQuestion(f *nodeFile) *NodeQuestion {
	w := &NodeQuestion{}
	if len(f.Pools) == 0 {
		for i := range b.sc.Cluster.Pools {
			w.Pools = append(w.Pools, i)
		}
	}
	for i, name := range f.Pools {
		at := spec.Path{"whatif", "node", "pools", i}
		t := b.poolNamed(at, name)
		switch {
		case slices.Contains(w.Pools, t):
			b.fail(at, "%q: it is named twice", name)
		case t >= 0:
			w.Pools = append(w.Pools, t)
		}
	}
	return w
}

func (b *builder) clusterQuestion(f *cheapClustFile) *ClusterQuestion {
	at := spec.Path{"whatif", "cluster", "throughput"}
	if !b.doc.Has(at) {
		b.missing(at, "the samples/s to reach")
		return nil
	}
	if !(f.Throughput > 0) {
		b.fail(at, "%v: samples/s, more than 0", f.Throughput)
	}
	w := &ClusterQuestion{Throughput: f.Throughput, Limits: make([]int, len(b.sc.Cluster.Pools))}
	limited := make([]bool, len(w.Limits))
	for i, l := range f.Limit {
		path := spec.Path{"whatif", "cluster", "limit", i}
		if l.Count < 1 || l.Count > MaxDevices {
			b.fail(append(path[:len(path):len(path)], "count"), "%d: from 1 to MaxDevices = %d devices", l.Count, MaxDevices)
		}
		at := append(path[:len(path):len(path)], "pool")
		t := b.poolNamed(at, l.Pool)
		switch {
		case t < 0:
		case limited[t]:
			b.fail(at, "%q: a second limit of this pool", l.Pool)
		default:
			w.Limits[t], limited[t] = l.Count, true
		}
	}
	return w
}
