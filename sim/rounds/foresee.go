package rounds

import (
	"fmt"
	"math/bits"
	"slices"

	"stowage/workloads/lookups"
)

// Prospect is what devices would ask of each other in one layer, by how many they are.
// It never changes and may be shared.
type Prospect struct {
	sizes   []int    // numbers of devices, ascending, from 2
	demands []Demand // of as many devices
	row     float64  // bytes that cross
}

// Foresee counts what groups of 2 to most devices would ask of each other in the last
// round of a layer, by the rules of a spec.
func Foresee(spec Spec, most int) (*Prospect, error) {
	l := &spec.Layers[0]
	p := &Prospect{row: float64(l.OutBytes)}
	if spec.Exchange == NoExchange || most < 2 {
		return p, nil
	}
	spec.Devices, spec.Costs.PerNode = 2, 1
	if err := spec.complete(); err != nil {
		return nil, err
	}
	hot := l.hottest(&spec)
	for _, n := range groupSizes(most) {
		spec.Devices = n
		of := layerTables{Layer: l, owners: lookups.NewOwners(l.Trace, n)}
		if len(hot) > 0 {
			of.owners.Replicate(hot)
		}
		if err := of.counters(&spec); err != nil {
			return nil, fmt.Errorf("layer %q: %w", l.Name, err)
		}
		p.sizes, p.demands = append(p.sizes, n), append(p.demands, *of.count(spec.Rounds-1, n))
	}
	return p, nil
}

// groupSizes lists the sizes that are counted: up to 8 all, from each power of two to
// the next one four, and most.
func groupSizes(most int) (sizes []int) {
	for n := 2; n < most; n += max(1, 1<<bits.Len(uint(n))/8) {
		sizes = append(sizes, n)
	}
	return append(sizes, most)
}

// Times prices a prospect: the seconds of an exchange before and after computing, by the
// number of devices.
type Times struct {
	sizes      []int
	pull, push []float64
}

// Times returns what a prospect takes by the rules of a spec, over its links.
func (p *Prospect) Times(spec Spec) Times {
	spec.Costs.free()
	t := Times{sizes: p.sizes}
	for i, n := range p.sizes {
		spec.Devices = n
		var x trade
		spec.exchange(&p.demands[i], p.row, &x)
		t.pull, t.push = append(t.pull, x.pull), append(t.push, x.push)
	}
	return t
}

// Of returns the seconds of a number of devices; of one that was not counted, in
// proportion between its neighbours.
func (t *Times) Of(devices int) (pull, push float64) {
	if devices < 2 || len(t.sizes) == 0 {
		return 0, 0
	}
	i, found := slices.BinarySearch(t.sizes, devices)
	switch {
	case found:
		return t.pull[i], t.push[i]
	case i == len(t.sizes): // nobody has so many
		return t.pull[i-1], t.push[i-1]
	}
	part := float64(devices-t.sizes[i-1]) / float64(t.sizes[i]-t.sizes[i-1])
	between := func(s []float64) float64 { return s[i-1] + part*(s[i]-s[i-1]) }
	return between(t.pull), between(t.push)
}
