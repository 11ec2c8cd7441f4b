package workloads

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Kinds lists the kinds of layers in the order of legends.
func Kinds() []Kind {
	return []Kind{Input, Embedding, Linear, Conv, Attention, Recurrent, Norm, Activation, Pool, Interaction, Loss, Block}
}

// Validate checks what the rest of the program relies on: layers with unique
// names, amounts that are finite and not negative, tables whose row ids fit 32
// bits, profiles sorted by device and batch, edges sorted and forward. Models
// that come from ParseModel, LookupModel or an importer pass; one that was
// built or changed in Go should be checked once.
func (m *Model) Validate() error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("model %q: %w", m.Name, err)
	}
	return nil
}

func (m *Model) validate() error {
	switch {
	case m.Name == "":
		return errors.New("has no name")
	case len(m.Layers) == 0:
		return errors.New("has no layers; at least one is needed")
	case len(m.Layers) > MaxLayers:
		return fmt.Errorf("has %d layers; at most %d are accepted (workloads.MaxLayers)", len(m.Layers), MaxLayers)
	case len(m.Edges) > MaxEdges:
		return fmt.Errorf("has %d edges; at most %d are accepted (workloads.MaxEdges)", len(m.Edges), MaxEdges)
	}
	tables := 0
	for i := range m.Layers {
		if tables += len(m.Layers[i].Tables); tables > MaxTables {
			return fmt.Errorf("has more than %d tables (workloads.MaxTables)", MaxTables)
		}
	}
	first := make(map[string]int, len(m.Layers))
	for i := range m.Layers {
		l := &m.Layers[i]
		if j, ok := first[l.Name]; ok {
			return fmt.Errorf("layers %d and %d are both named %q", j+1, i+1, l.Name)
		}
		first[l.Name] = i
		if err := l.validate(); err != nil {
			return fmt.Errorf("layer %d (%q): %w", i+1, l.Name, err)
		}
	}
	return m.validateEdges()
}

func (m *Model) validateEdges() error {
	for i, e := range m.Edges {
		if e.From < 0 || e.To >= len(m.Layers) || e.From >= e.To {
			return fmt.Errorf("edge %d goes from layer %d to layer %d; it must go forward among %d layers", i, e.From, e.To, len(m.Layers))
		}
		if i > 0 && compareEdges(m.Edges[i-1], e) >= 0 {
			return fmt.Errorf("edge %d (%s -> %s) repeats or precedes the one before it; edges are sorted by (From, To)", i, m.Layers[e.From].Name, m.Layers[e.To].Name)
		}
		for _, v := range []float64{e.Elements, e.Seconds} {
			if err := amountError(v); err != nil {
				return fmt.Errorf("edge %s -> %s: %w", m.Layers[e.From].Name, m.Layers[e.To].Name, err)
			}
		}
	}
	return nil
}

func (l *Layer) validate() error {
	if l.Name == "" {
		return errors.New("has no name")
	}
	if !slices.Contains(Kinds(), l.Kind) {
		return fmt.Errorf("unknown kind %q; known: %v", l.Kind, Kinds())
	}
	amounts := []struct {
		name  string
		value float64
	}{
		{"FLOPs", l.FLOPs}, {"traffic", l.Traffic}, {"params", float64(l.Params)},
		{"output", l.Output}, {"stored", l.Stored}, {"backward", l.Backward},
	}
	for _, a := range amounts {
		if err := amountError(a.value); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if l.Params > MaxParams {
		return fmt.Errorf("params: %d is above %d (workloads.MaxParams)", l.Params, int64(MaxParams))
	}
	if math.IsNaN(l.Parallel) || math.IsInf(l.Parallel, 0) || l.Parallel > 1 {
		return fmt.Errorf("parallel: %v; it is Amdahl's alpha, at most 1 (negative: the device type's)", l.Parallel)
	}
	if key, err := l.checkParts(); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	var check tableCheck
	for _, t := range l.Tables {
		if err := check.add(t); err != nil {
			return err
		}
	}
	if l.OnlyProfiled && len(l.Profiles) == 0 {
		return errors.New("is known through its profiles alone (OnlyProfiled), but has none")
	}
	return validateProfiles(l.Profiles)
}

// checkParts checks that what can be split or computed again are parts of the layer. Its
// error comes with the key at fault.
func (l *Layer) checkParts() (key string, err error) {
	for _, part := range []struct {
		key string
		of  Amounts
	}{{"split", l.Split}, {"core", l.Core}} {
		for _, a := range []struct {
			name        string
			some, whole float64
		}{
			{"flops", part.of.FLOPs, l.FLOPs}, {"traffic", part.of.Traffic, l.Traffic},
			{"params", part.of.Params, float64(l.Params)}, {"stored", part.of.Stored, l.Stored},
		} {
			if !(a.some >= 0 && a.some <= a.whole*(1+1e-12)) {
				return part.key, fmt.Errorf("%s: %v of the layer's %v; a part from 0 to all is accepted", a.name, a.some, a.whole)
			}
		}
	}
	for i, r := range []Reduction{l.Reduce, l.ReduceBack} {
		key := [...]string{"reduce", "reduce_back"}[i]
		if r.Times < 0 || r.Times > MaxOps {
			return key, fmt.Errorf("times: %d; 0 to %d all-reduces are accepted (workloads.MaxOps)", r.Times, MaxOps)
		}
		if err := amountError(r.Elements); err != nil {
			return key, fmt.Errorf("elements: %w", err)
		}
		if r.Times == 0 && r.Elements > 0 {
			return key, fmt.Errorf("times: 0 all-reduces of %v elements; say how many there are", r.Elements)
		}
	}
	return "", nil
}

// tableCheck checks the tables of one layer as they come.
type tableCheck struct {
	names map[string]bool
	rows  int64
}

func (c *tableCheck) add(t Table) error {
	switch {
	case t.Name == "":
		return errors.New("a table has no name")
	case c.names[t.Name]:
		return fmt.Errorf("two tables are named %q", t.Name)
	case t.Rows < 1 || t.Dim < 1 || t.Lookups < 1 || t.Dim > MaxDim || t.Lookups > MaxLookups:
		return fmt.Errorf("table %q: rows %d, dim %d, lookups %d; each must be 1 or more, dim at most %d, lookups at most %d", t.Name, t.Rows, t.Dim, t.Lookups, MaxDim, MaxLookups)
	case t.Rows >= MaxRows-c.rows:
		return fmt.Errorf("table %q brings the layer to 2^32 rows or more (workloads.MaxRows); row ids are 32-bit: split the layer", t.Name)
	}
	if c.names == nil {
		c.names = make(map[string]bool)
	}
	c.names[t.Name] = true
	c.rows += t.Rows
	return nil
}

func validateProfiles(profiles []Profile) error {
	for i, p := range profiles {
		switch {
		case p.Device == "":
			return fmt.Errorf("profile %d names no device type", i+1)
		case p.Tensor < 0 || p.Tensor > MaxTensor:
			return fmt.Errorf("profile of %q on %d devices together: 1 to %d are accepted (workloads.MaxTensor)", p.Device, p.Tensor, MaxTensor)
		case i > 0 && profiles[i-1].compare(p.Device, p.Tensor) >= 0:
			return fmt.Errorf("profiles of %d %q and %d %q: at most one a device type and number of devices, sorted by both",
				profiles[i-1].Degree(), profiles[i-1].Device, p.Degree(), p.Device)
		case len(p.Points) == 0 || len(p.Points) > MaxPoints:
			return fmt.Errorf("profile of %q has %d points; 1 to %d are accepted (workloads.MaxPoints)", p.Device, len(p.Points), MaxPoints)
		}
		last := 0
		for _, point := range p.Points {
			if point.Batch <= last {
				return fmt.Errorf("profile of %q: batch %d after %d; batches are 1 or more and ascend", p.Device, point.Batch, last)
			}
			last = point.Batch
			for _, v := range []float64{point.Forward, point.Backward, point.Update} {
				if err := amountError(v); err != nil {
					return fmt.Errorf("profile of %q, batch %d: %w", p.Device, point.Batch, err)
				}
			}
		}
	}
	return nil
}
