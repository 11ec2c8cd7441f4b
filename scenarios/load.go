package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/sim/placement"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

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
	Lookups     *lookups.Spec // nil: the model has no embedding layer
	Slots       *Slots        // nil: no slot tables
	MaxEvents   uint64
	TraceKeys   int64
}

// Slots says how the embedding layers' slot tables are set up.
type Slots struct {
	Capacity    Amount
	Replacement string
	Lookahead   int
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
func Parse(name string, data []byte) (*Scenario, error) {
	f := defaults()
	doc, err := spec.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	b := &builder{doc: doc, f: &f, dir: filepath.Dir(name), sc: &Scenario{}}
	b.sc.Name = f.Name
	if b.sc.Name == "" {
		b.sc.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	}
	if strings.ContainsAny(b.sc.Name, "/\\\x00") || strings.HasPrefix(b.sc.Name, ".") {
		b.fail(spec.Path{"name"}, "%q: it names the folder of the results, so it must not contain slashes or begin with a dot", b.sc.Name)
	}
	b.sc.Title, b.sc.Description, b.sc.Seed = f.Title, f.Description, f.Seed
	b.model()
	b.cluster()
	b.training()
	b.placement()
	b.embedding()
	if f.Limits.TraceKeys < 0 {
		b.fail(spec.Path{"limits", "trace_keys"}, "%d: a number of keys from 1 on", f.Limits.TraceKeys)
	}
	b.sc.MaxEvents, b.sc.TraceKeys = f.Limits.Events, f.Limits.TraceKeys
	if err := b.errs.Err(); err != nil {
		return nil, err
	}
	return b.sc, b.whole()
}

// builder turns the sections of a file into a scenario and gathers complaints.
type builder struct {
	doc  *spec.Document
	f    *file
	dir  string
	sc   *Scenario
	errs spec.Errors
}

func (b *builder) fail(path spec.Path, format string, args ...any) {
	b.errs.Add(b.doc.Errorf(path, format, args...))
}

func (b *builder) missing(path spec.Path, want string) {
	b.errs.Add(b.doc.Missing(path, want))
}

// resolve makes a path of the file relative to the file's folder.
func (b *builder) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.dir, path)
}

// whole checks what only the whole scenario shows.
func (b *builder) whole() error {
	s := b.sc
	s.Problem.Model, s.Problem.Cluster = s.Model, s.Cluster
	if _, err := placement.NewProblem(s.Problem); err != nil {
		b.fail(nil, "%v", err)
	}
	return b.errs.Err()
}
