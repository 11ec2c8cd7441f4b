package reports

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"stowage/sim"
)

// Suite is what a regression benchmark measured: its baseline, or its present.
type Suite struct {
	Version string // of stowage
	Cases   []SuiteCase
}

// SuiteCase is one experiment under one pair of policies and one seed.
type SuiteCase struct {
	Scenario    string
	Hash        string // of the scenario: see scenarios.Fingerprint
	Placement   string
	Replacement string // empty: there are no slot tables
	Seed        int64
	Metrics     sim.Metrics
}

// Metrics that only suites have, beside those of sim.MetricKinds.
var suiteKinds = []sim.MetricKind{
	{Name: Feasible, Better: "higher", Means: "1: the policy found a scheme that fits and runs; 0: it did not"},
	{Name: SearchTime, Unit: "s", Better: "lower", Means: "wall-clock time of the search"},
}

// Names of the metrics that only suites have.
const (
	Feasible   = "feasible"
	SearchTime = "search_time"
)

// SuiteMetrics names the metrics that a suite can have.
func SuiteMetrics() []string {
	var names []string
	for _, k := range slices.Concat(sim.MetricKinds, suiteKinds) {
		names = append(names, k.Name)
	}
	return names
}

func suiteKind(name string) (sim.MetricKind, bool) {
	for _, k := range slices.Concat(sim.MetricKinds, suiteKinds) {
		if k.Name == name {
			return k, true
		}
	}
	return sim.MetricKind{}, false
}

// Add adds the runs of a comparison of placement policies. With timed, the wall-clock
// time of each search is a metric too.
func (s *Suite) Add(c *sim.Comparison, hash, replacement string, timed bool) {
	for i := range c.Runs {
		r := &c.Runs[i]
		one := SuiteCase{Scenario: c.Scenario, Hash: hash, Placement: r.Policy, Replacement: replacement, Seed: r.Seed}
		fits := 0.0
		if r.Infeasible == "" {
			fits = 1
			one.Metrics = slices.Clone(r.Metrics)
		}
		one.Metrics = append(one.Metrics, sim.Metric{Name: Feasible, Value: fits})
		if timed {
			one.Metrics = append(one.Metrics, sim.Metric{Name: SearchTime, Unit: "s", Value: r.Elapsed.Seconds()})
		}
		s.Cases = append(s.Cases, one)
	}
}

// The head of a file of a suite is a line that the benchmark format passes over: a key
// would make benchstat put two versions into two tables instead of comparing them.
const (
	suiteHead = "# stowage bench, format 1, version "
	suiteName = "BenchmarkStowage"
	suiteHash = "scenario-hash"
)

// WriteSuite writes a suite in the Go benchmark format, which benchstat reads as it is:
// unit lines first, then for each scenario its hash as a configuration key and a line for
// every case,
//
//	BenchmarkStowage/scenario=ctr/placement=genetic/replacement=lru/seed=1 1 12345.6 samples/s …
//
// A scenario that has changed thus gets a table of its own in benchstat.
func WriteSuite(w io.Writer, s *Suite) error {
	if err := s.check(); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s%s\n\n", suiteHead, s.Version)
	s.writeUnits(b)
	hash := ""
	for i := range s.Cases {
		c := &s.Cases[i]
		if c.Hash != hash {
			hash = c.Hash
			fmt.Fprintf(b, "\n%s: %s\n\n", suiteHash, hash)
		}
		fmt.Fprintf(b, "%s 1", benchNamed(suiteName, c.Seed, [2]string{"scenario", c.Scenario}, [2]string{"placement", c.Placement}, [2]string{"replacement", c.Replacement}))
		for _, m := range orderedMetrics(c.Metrics) {
			fmt.Fprintf(b, " %s %s", exact(m.Value), benchUnit(m.Name, m.Unit))
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}

// writeUnits declares the units that occur: which way is better, and that all but
// wall-clock times are exact.
func (s *Suite) writeUnits(w io.Writer) {
	for _, k := range slices.Concat(sim.MetricKinds, suiteKinds) {
		if !slices.ContainsFunc(s.Cases, func(c SuiteCase) bool { _, ok := c.Metrics.Get(k.Name); return ok }) {
			continue
		}
		line := "Unit " + benchUnit(k.Name, k.Unit)
		if k.Better != "" {
			line += " better=" + k.Better
		}
		if k.Name != SearchTime {
			line += " assume=exact"
		}
		fmt.Fprintln(w, line)
	}
}

// check refuses what the file could not give back.
func (s *Suite) check() error {
	for i := range s.Cases {
		c := &s.Cases[i]
		for _, m := range c.Metrics {
			if _, ok := suiteKind(m.Name); !ok {
				panic(fmt.Sprintf("reports: a suite with the metric %q, which is in no list", m.Name))
			}
			if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
				return fmt.Errorf("scenario %q, placement %s, seed %d: metric %q is %v, not a finite number", c.Scenario, c.Placement, c.Seed, m.Name, m.Value)
			}
		}
	}
	return nil
}

// ErrForeign is wrapped by the error of a file that is no suite.
var ErrForeign = errors.New("not written by stowage bench --save")

// ReadSuite reads what WriteSuite wrote. A file of other benchmarks is an error that
// wraps ErrForeign; name is the file's, for errors.
func ReadSuite(name string, data []byte) (*Suite, error) {
	head, _, _ := bytes.Cut(data, []byte("\n"))
	version, ok := strings.CutPrefix(strings.TrimSuffix(string(head), "\r"), suiteHead)
	if !ok {
		return nil, fmt.Errorf("%s:1: %w: the first line is %q, want %q and a version", name, ErrForeign, shortenText(printable(string(head)), 60), suiteHead)
	}
	s := &Suite{Version: version}
	seen := map[string]bool{}
	r := benchfmt.NewReader(bytes.NewReader(data), name)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			c, err := suiteCase(rec)
			if err != nil {
				file, line := rec.Pos()
				return nil, fmt.Errorf("%s:%d: %w", file, line, err)
			}
			if key := c.key() + fmt.Sprint("/", c.Seed); seen[key] {
				file, line := rec.Pos()
				return nil, fmt.Errorf("%s:%d: %s, seed %d, a second time: was the file put together from two?", file, line, c.key(), c.Seed)
			} else {
				seen[key] = true
			}
			s.Cases = append(s.Cases, c)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(s.Cases) == 0 {
		return nil, fmt.Errorf("%s: no benchmark line in it: was it cut off?", name)
	}
	return s, nil
}

// suiteCase reads a line of a suite.
func suiteCase(rec *benchfmt.Result) (SuiteCase, error) {
	c := SuiteCase{Hash: rec.GetConfig(suiteHash)}
	base, parts := rec.Name.Parts()
	if "Benchmark"+string(base) != suiteName || c.Hash == "" {
		return c, fmt.Errorf("%w: Benchmark%s: want %s/… below a line %s: …", ErrForeign, printable(rec.Name.String()), suiteName, suiteHash)
	}
	seeded := false
	for _, part := range parts {
		key, value, _ := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
		switch key {
		case "scenario":
			c.Scenario = value
		case "placement":
			c.Placement = value
		case "replacement":
			c.Replacement = value
		case "seed":
			seed, err := strconv.ParseInt(strings.Replace(value, "minus", "-", 1), 10, 64)
			if err != nil {
				return c, fmt.Errorf("seed %q is no number", printable(value))
			}
			c.Seed, seeded = seed, true
		}
	}
	if c.Scenario == "" || c.Placement == "" || !seeded {
		return c, fmt.Errorf("line of Benchmark%s: want scenario=, placement= and seed= in its name", printable(rec.Name.String()))
	}
	for _, v := range rec.Values {
		m, ok := suiteMetric(v)
		if !ok {
			return c, fmt.Errorf("unknown unit %q: this version has no such metric", printable(v.Unit))
		}
		c.Metrics = append(c.Metrics, m)
	}
	return c, nil
}

// suiteMetric finds the metric of a unit of the benchmark format.
func suiteMetric(v benchfmt.Value) (sim.Metric, bool) {
	value, unit := v.Value, v.Unit
	if v.OrigUnit != "" {
		value, unit = v.OrigValue, v.OrigUnit
	}
	for _, k := range slices.Concat(sim.MetricKinds, suiteKinds) {
		if benchUnit(k.Name, k.Unit) == unit {
			return sim.Metric{Name: k.Name, Unit: k.Unit, Value: value}, true
		}
	}
	return sim.Metric{}, false
}

// key is the same for the cases that differ by their seeds alone, in the words of
// the file.
func (c *SuiteCase) key() string {
	key := "scenario=" + benchWord(c.Scenario) + "/placement=" + benchWord(c.Placement)
	if c.Replacement != "" {
		key += "/replacement=" + benchWord(c.Replacement)
	}
	return key
}
