package workloads

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"stowage/hw/spec"
)

// ParseModel reads a model file (its format: the comment of file.go, and the
// shipped models). name is the file's path: errors start with it, and the
// model is called by its last element without the extension.
func ParseModel(name string, data []byte) (*Model, error) {
	var file modelFile
	doc, err := spec.Decode(name, data, &file)
	if err != nil {
		return nil, err
	}
	p := parser{doc: doc, file: &file, copies: make(map[string]span, len(file.Layers))}
	m := &Model{Name: modelName(name), Title: file.Title, Source: file.Source}
	if m.Title == "" {
		m.Title = m.Name
	}
	if err := p.layers(m); err != nil {
		return nil, err
	}
	if err := p.edges(m); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// modelName turns a path into a model's name. A PipeDream profile is always
// called graph.txt, so that its folder says more.
func modelName(path string) string {
	path = filepath.ToSlash(path)
	dir, base := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, base = path[:i], path[i+1:]
	}
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if dir = dir[strings.LastIndexByte(dir, '/')+1:]; base == "graph" && dir != "" && dir != "." && dir != ".." {
		return dir
	}
	if base == "" {
		return path
	}
	return base
}

// parser turns a decoded model file into a Model.
type parser struct {
	doc    *spec.Document
	file   *modelFile
	copies map[string]span // layer name of the file -> its layers

	tableCount int // tables so far, of all copies
}

// span is a layer of the file and its copies: layers first to last.
type span struct{ first, last int }

func (p *parser) layers(m *Model) error {
	if len(p.file.Layers) == 0 {
		return p.doc.Errorf(nil, "a model needs at least one [[layer]]")
	}
	used := make(map[string]bool, len(p.file.Layers))
	for i := range p.file.Layers {
		f := &p.file.Layers[i]
		at := spec.Path{"layer", i}
		if f.Name == "" {
			return p.doc.Errorf(at, "a layer needs a name")
		}
		repeat := 1
		if f.Repeat != nil {
			repeat = *f.Repeat
		}
		if repeat < 1 || repeat > MaxLayers-len(m.Layers) {
			return p.doc.Errorf(append(at, "repeat"), "%d copies; 1 or more are accepted, and %d layers in all (workloads.MaxLayers)", repeat, MaxLayers)
		}
		l, err := p.layer(f, i)
		if err != nil {
			return err
		}
		if p.tableCount += repeat * len(l.Tables); p.tableCount > MaxTables {
			return p.doc.Errorf(append(at, "table"), "more than %d tables in all copies of layers (workloads.MaxTables)", MaxTables)
		}
		if _, ok := p.copies[f.Name]; ok {
			return p.doc.Errorf(append(at, "name"), "a second layer %q; names must differ", f.Name)
		}
		p.copies[f.Name] = span{len(m.Layers), len(m.Layers) + repeat - 1}
		for k := range repeat {
			if l.Name = f.Name; repeat > 1 {
				l.Name = fmt.Sprintf("%s.%d", f.Name, k+1)
			}
			if used[l.Name] {
				return p.doc.Errorf(append(at, "name"), "a second layer %q; names must differ", l.Name)
			}
			used[l.Name] = true
			m.Layers = append(m.Layers, l)
		}
	}
	return nil
}

// layer builds layer i of the file, without its name.
func (p *parser) layer(f *layerFile, i int) (Layer, error) {
	at := spec.Path{"layer", i}
	l := Layer{Parallel: -1, OnlyProfiled: f.OnlyProfiled}
	if len(f.Ops) > 0 && len(f.Tables) > 0 {
		return l, p.doc.Errorf(append(at, "op"), "layer %q has tables and operations; make it two layers", f.Name)
	}
	if len(f.Ops) > MaxOps {
		return l, p.doc.Errorf(append(at, "op"), "%d operations; at most %d are accepted (workloads.MaxOps)", len(f.Ops), MaxOps)
	}
	var w work
	var err error
	switch {
	case len(f.Tables) > 0:
		w, err = p.tables(&l, f, at)
	case len(f.Ops) > 0:
		w, err = p.ops(&l, f, at)
	case f.Output == nil:
		err = p.doc.Errorf(at, "layer %q has neither op nor table, so it must give its output (elements per sample), and flops and traffic where they are not 0", f.Name)
	}
	if err == nil {
		err = p.kind(&l, f, at)
	}
	if err == nil {
		err = p.amounts(&l, f, w, at)
	}
	if err == nil {
		err = p.profiles(&l, f, at)
	}
	return l, err
}

func (p *parser) ops(l *Layer, f *layerFile, at spec.Path) (work, error) {
	var sum work
	for k := range f.Ops {
		here := append(slices.Clone(at), "op", k)
		ops, keys := f.Ops[k].given()
		if len(ops) != 1 {
			return work{}, p.doc.Errorf(here, "an entry of op names one operation, this one %d; known: %s", len(ops), opNames)
		}
		w, err := ops[0].work()
		if err != nil {
			return work{}, p.doc.Errorf(append(here, keys[0]), "%v", err)
		}
		if k == 0 {
			sum, l.Kind = w, ops[0].kind()
			continue
		}
		sum = sum.add(w)
		if ops[0].kind() != l.Kind {
			l.Kind = Block
		}
	}
	return sum, nil
}

// tables fills in the layer's tables. Rows are weights, so that the gather of
// them is not in the layer's traffic: keys are read, vectors are written. Keys
// are kept, for the backward pass scatters gradients to them.
func (p *parser) tables(l *Layer, f *layerFile, at spec.Path) (work, error) {
	if f.Pooling != "" && f.Pooling != "sum" && f.Pooling != "none" {
		return work{}, p.doc.Errorf(append(at, "pooling"), `unknown pooling %q; known: "sum", "none"`, f.Pooling)
	}
	l.Kind = Embedding
	w := work{backward: embeddingBackward}
	var check tableCheck
	for k, t := range f.Tables {
		table := Table{Name: t.Name, Rows: t.Rows, Dim: t.Dim, Lookups: 1}
		if t.Lookups != nil {
			table.Lookups = *t.Lookups
		}
		if err := check.add(table); err != nil {
			return work{}, p.doc.Errorf(append(slices.Clone(at), "table", k), "%v", err)
		}
		l.Tables = append(l.Tables, table)
		rows := product(table.Lookups, table.Dim)
		w.stored += float64(table.Lookups)
		if f.Pooling == "none" {
			w.output += rows
			continue
		}
		w.output += float64(table.Dim)
		w.flops += rows - float64(table.Dim)
	}
	w.traffic = w.stored + w.output
	return w, nil
}

func (p *parser) kind(l *Layer, f *layerFile, at spec.Path) error {
	switch {
	case f.Kind != "" && !slices.Contains(Kinds(), Kind(f.Kind)):
		return p.doc.Errorf(append(at, "kind"), "unknown kind %q; known: %v", f.Kind, Kinds())
	case f.Kind != "":
		l.Kind = Kind(f.Kind)
	case l.Kind == "":
		return p.doc.Errorf(at, "layer %q needs a kind, one of %v", f.Name, Kinds())
	}
	return nil
}

// amounts takes the derived amounts over, then what the file says instead.
func (p *parser) amounts(l *Layer, f *layerFile, w work, at spec.Path) error {
	amounts := []struct {
		key     string
		given   *float64
		derived float64
		field   *float64
	}{
		{"flops", f.FLOPs, w.flops, &l.FLOPs},
		{"traffic", f.Traffic, w.traffic, &l.Traffic},
		{"output", f.Output, w.output, &l.Output},
		{"stored", f.Stored, w.stored, &l.Stored},
		{"backward", f.Backward, w.backward, &l.Backward},
	}
	for _, a := range amounts {
		*a.field = a.derived
		if a.given != nil {
			*a.field = *a.given
		}
		if err := amountError(*a.field); err != nil {
			return p.doc.Errorf(append(at, a.key), "%v", err)
		}
	}
	params := w.params
	if f.Params != nil {
		params = float64(*f.Params)
	}
	if params < 0 || params > MaxParams {
		return p.doc.Errorf(append(at, "params"), "%.0f parameters; 0 to %d are accepted (workloads.MaxParams)", params, int64(MaxParams))
	}
	l.Params = int64(params)
	if f.Parallel != nil {
		if *f.Parallel < 0 || *f.Parallel > 1 {
			return p.doc.Errorf(append(at, "parallel"), "%v; it is the share of the work that devices divide, 0 to 1 (leave it out for the device type's)", *f.Parallel)
		}
		l.Parallel = *f.Parallel
	}
	return p.divided(l, f, w, at)
}

// divided takes over what can be split and computed again.
func (p *parser) divided(l *Layer, f *layerFile, w work, at spec.Path) error {
	l.Split, l.Core, l.Reduce, l.ReduceBack, l.Keep = w.split, w.core, w.reduce, w.reduceBack, f.Keep
	operations := len(f.Ops) > 0 && f.FLOPs == nil && f.Traffic == nil && f.Params == nil && f.Backward == nil && f.Split == nil
	if f.Separate || p.file.Separate && operations {
		if !operations {
			return p.doc.Errorf(append(at, "separate"), "layer %q: it runs operations one after the other, so op must say all about them: leave out flops, traffic, params, backward and split", f.Name)
		}
		l.Calls = w.separate()
	}
	for _, a := range []struct {
		given *amountsFile
		field *Amounts
	}{{f.Split, &l.Split}, {f.Core, &l.Core}} {
		if a.given != nil {
			*a.field = Amounts(*a.given)
		}
	}
	for _, r := range []struct {
		given *reductionFile
		field *Reduction
	}{{f.Reduce, &l.Reduce}, {f.ReduceBack, &l.ReduceBack}} {
		if r.given != nil {
			*r.field = Reduction(*r.given)
		}
	}
	if key, err := l.checkParts(); err != nil {
		return p.doc.Errorf(append(at, key), "%v", err)
	}
	return nil
}

// alone returns a degree as a Profile has it, in which one device is 0.
func alone(degree int) int {
	if degree == 1 {
		return 0
	}
	return degree
}

// profiles groups the measured times by device type and degree, sorted by batch.
func (p *parser) profiles(l *Layer, f *layerFile, at spec.Path) error {
	if len(f.Profiles) > MaxPoints {
		return p.doc.Errorf(append(at, "profile"), "%d entries; at most %d are accepted (workloads.MaxPoints)", len(f.Profiles), MaxPoints)
	}
	if f.OnlyProfiled && len(f.Profiles) == 0 {
		return p.doc.Errorf(append(at, "only_profiled"), "layer %q has no [[layer.profile]], so no device type could run it", f.Name)
	}
	for k := range f.Profiles {
		e := &f.Profiles[k]
		here := append(slices.Clone(at), "profile", k)
		switch {
		case e.Device == "":
			return p.doc.Errorf(here, "a profile names the device type that it was measured on (device)")
		case e.Batch < 1:
			return p.doc.Errorf(append(here, "batch"), "%d samples (or missing); a profile gives the batch that was measured, 1 or more", e.Batch)
		case e.Forward == nil:
			return p.doc.Errorf(here, `a profile gives the forward time of the batch, as in forward = "1.5 ms"`)
		case e.Backward == nil && l.Backward > 0:
			return p.doc.Errorf(here, `a profile gives the backward time of the batch, as in backward = "3 ms"; leave it out only where backward = 0`)
		}
		degree := 0
		if e.Tensor != nil {
			if degree = *e.Tensor; degree < 1 || degree > MaxTensor {
				return p.doc.Errorf(append(here, "tensor_parallel"), "%d; it is how many devices computed the layer together, 1 to %d (workloads.MaxTensor)", degree, MaxTensor)
			}
		}
		point := ProfilePoint{Batch: e.Batch, Forward: seconds(e.Forward), Backward: seconds(e.Backward), Update: seconds(e.Update)}
		if err := addPointOf(l, e.Device, alone(degree), point); err != nil {
			return p.doc.Errorf(here, "%v", err)
		}
	}
	return nil
}
