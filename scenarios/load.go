package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/sim"
	"stowage/sim/network"
	"stowage/sim/placement"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

// MaxNameBytes bounds a scenario's name, which is that of a folder.
const MaxNameBytes = 200

// Scenario is an experiment, loaded and checked.
type Scenario struct {
	Name        string
	Title       string
	Description string
	Seed        int64
	Model       *workloads.Model
	Cluster     *hw.Cluster
	Rounds      int
	Problem     placement.Spec // without Lookups, which depend on the slot tables
	Policy      placement.Policy
	Search      placement.Options
	Searching   Searching
	Lookups     *lookups.Spec // nil: the model has no embedding layer
	Slots       *Slots        // nil: no slot tables
	MaxEvents   uint64
	TraceKeys   int64
	RawLookups  int64
	Sweep       *Sweep        // nil: none
	WhatIf      *WhatIf       // nil: no questions
	Improve     int           // simulations that may go into improving the finalists
	Recording   sim.Recording // what of the run to keep, at least one step
	Trouble     *Trouble      // nil: none
	Jobs        []*Scenario   // others on the cluster at the same time
	Expect      []sim.Expectation

	text     *source // what it was read from
	identity identity
}

// Load reads and checks a scenario file. Every error is addressed to the person
// who edits the file; several may come at once (spec.Errors).
func Load(path string) (*Scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return Parse(path, data)
}

// Parse is Load for a file already read. Paths inside the file are relative to
// the folder of name.
func Parse(name string, data []byte) (*Scenario, error) { return parse(name, data, false) }

// parse is Parse, also of a job beside another scenario.
func parse(name string, data []byte, beside bool) (*Scenario, error) {
	f := defaults()
	doc, err := spec.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	b := &builder{doc: doc, f: &f, path: name, sc: &Scenario{}, beside: beside}
	b.sc.Name = f.Name
	if b.sc.Name == "" {
		b.sc.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	}
	if !isFolder(b.sc.Name) {
		b.fail(spec.Path{"name"}, "%q: it names the folder of the results, so it must be printable text of at most %d bytes, without slashes, that does not begin with a dot", b.sc.Name, MaxNameBytes)
	}
	b.sc.Title, b.sc.Description, b.sc.Seed = f.Title, f.Description, f.Seed
	b.model()
	b.cluster()
	b.training()
	b.placement()
	b.embedding()
	b.limits()
	b.sweep()
	b.whatIf()
	b.trouble()
	b.jobs()
	b.flush()
	b.chunks()
	b.expectations()
	if err := b.errs.Err(); err != nil {
		return nil, err
	}
	if err := b.whole(); err != nil {
		return nil, err
	}
	b.sc.text = &source{doc, &f}
	if b.sc.identity, err = identify(name, data); err != nil {
		return nil, err
	}
	b.sc.identity.files = b.files
	return b.sc, nil
}

// isFolder reports whether a name can be that of the folder of results.
func isFolder(name string) bool {
	if name == "" || len(name) > MaxNameBytes || name[0] == '.' || strings.ContainsAny(name, `/\`) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// builder turns the sections of a file into a scenario and gathers complaints.
type builder struct {
	doc    *spec.Document
	f      *file
	path   string // of the scenario's file
	sc     *Scenario
	errs   spec.Errors
	files  []string              // that the scenario refers to
	beside bool                  // it is the scenario of a job beside another
	graph  *network.ClusterGraph // of the cluster's network; nil: there is none
}

func (b *builder) fail(path spec.Path, format string, args ...any) {
	b.errs.Add(b.doc.Errorf(path, format, args...))
}

func (b *builder) missing(path spec.Path, want string) {
	b.errs.Add(b.doc.Missing(path, want))
}

// resolve makes a path of the file relative to the file's folder.
func (b *builder) resolve(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(b.path), path)
	}
	b.files = append(b.files, path)
	return path
}

func (b *builder) limits() {
	f := &b.f.Limits
	if b.doc.Has(spec.Path{"limits", "events"}) && f.Events < 1 {
		b.fail(spec.Path{"limits", "events"}, "%d: a number of events from 1 on", f.Events)
	}
	if b.doc.Has(spec.Path{"limits", "trace_keys"}) && f.TraceKeys < 1 {
		b.fail(spec.Path{"limits", "trace_keys"}, "%d: a number of keys from 1 on", f.TraceKeys)
	}
	if b.doc.Has(spec.Path{"limits", "trace_lookups"}) && f.TraceLookups < 1 {
		b.fail(spec.Path{"limits", "trace_lookups"}, "%d: a number of lookups from 1 on", f.TraceLookups)
	}
	b.sc.MaxEvents, b.sc.TraceKeys, b.sc.RawLookups = f.Events, f.TraceKeys, f.TraceLookups
}

// whole checks what only the whole scenario shows.
func (b *builder) whole() error {
	s := b.sc
	s.Problem.Model, s.Problem.Cluster = s.Model, s.Cluster
	b.prices()
	if err := b.errs.Err(); err != nil {
		return err
	}
	p, err := placement.NewProblem(s.Problem)
	if err != nil {
		b.fail(problemPath(err), "%v", err)
		return b.errs.Err()
	}
	if s.Search.Devices != nil {
		if _, err := placement.NewEvaluator(p).PlanDevices(s.Search.Scheme, s.Search.Devices); err != nil {
			b.fail(spec.Path{"placement", "devices"}, "%s", strings.TrimPrefix(err.Error(), "devices = "))
		}
	}
	return b.errs.Err()
}

// prices checks that the objective cost has something to count.
func (b *builder) prices() {
	if b.sc.Problem.Objective != placement.Cost {
		return
	}
	for i := range b.sc.Cluster.Pools {
		if b.sc.Cluster.Pools[i].Price == 0 {
			b.fail(spec.Path{"cluster", "pool", i, "price"}, `0 USD/h: with objective = "cost" every pool needs a price above 0, else schemes on it alone all cost nothing`)
		}
	}
}

// problemPath finds where the value is written that placement complains about: its
// messages begin with the key. What the sections' own checks let through and
// placement refuses is rare.
func problemPath(err error) spec.Path {
	key, _, _ := strings.Cut(err.Error(), " ")
	switch key {
	case "batch", "microbatches", "samples", "sync", "comm_parallel", "zero", "recompute", "overlap_sync", "tensor_parallel", "replica_batch":
		return spec.Path{"training", key}
	case "merge", "communication", "servers", "objective", "min_throughput", "max_price", "max_cost":
		return spec.Path{"placement", key}
	case "lookahead":
		return spec.Path{"slots", key}
	case "layer", "edge":
		return spec.Path{"model"}
	case "pool":
		return spec.Path{"cluster"}
	}
	return nil
}
