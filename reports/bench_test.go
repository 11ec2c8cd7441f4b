package reports

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/sim"
)

// benchLine is a line of results of the Go benchmark format.
type benchLine struct {
	name   string
	values map[string]float64
}

// parseBench reads the format as "Go Benchmark Data Format" (proposal 14313)
// and the reader of golang.org/x/perf describe it: "Unit" lines of key=value,
// and lines of a name that starts with "Benchmark", iterations, and pairs of
// value and unit.
func parseBench(text string) (units map[string]map[string]string, lines []benchLine, err error) {
	units = map[string]map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "Unit" && len(f) >= 2:
			if units[f[1]] != nil {
				return nil, nil, fmt.Errorf("unit %s twice", f[1])
			}
			units[f[1]] = map[string]string{}
			for _, kv := range f[2:] {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return nil, nil, fmt.Errorf("%q in %q is no key=value", kv, line)
				}
				units[f[1]][k] = v
			}
		case strings.HasPrefix(f[0], "Benchmark"):
			if len(f) < 2 || len(f)%2 != 0 || f[1] != "1" {
				return nil, nil, fmt.Errorf("bad line %q", line)
			}
			b := benchLine{f[0], map[string]float64{}}
			for i := 2; i < len(f); i += 2 {
				v, err := strconv.ParseFloat(f[i], 64)
				if err != nil {
					return nil, nil, err
				}
				if _, ok := b.values[f[i+1]]; ok {
					return nil, nil, fmt.Errorf("unit %s twice in %q", f[i+1], line)
				}
				b.values[f[i+1]] = v
			}
			lines = append(lines, b)
		default:
			return nil, nil, fmt.Errorf("neither a unit nor a benchmark: %q", line)
		}
	}
	return units, lines, nil
}

func TestBenchReadsBack(t *testing.T) {
	second := smallResult()
	second.Seed, second.Scheme.Placement, second.Replacement = 2, "dynamic", ""
	second.Metrics[0].Value = 1e-300
	results := []*sim.Result{smallResult(), second, hostileResult()}
	text := render(t, func(w *bytes.Buffer) error { return Bench(w, results) })
	units, lines, err := parseBench(string(text))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{
		"BenchmarkRun/scenario=ctr/placement=genetic/replacement=lru/seed=1",
		"BenchmarkRun/scenario=ctr/placement=dynamic/seed=2",
		`BenchmarkRun/scenario=dir_with_space_"ctr"=_1_/placement=genetic_日本_/replacement=lru/seed=1`,
	}
	for i, l := range lines {
		if l.name != names[i] {
			t.Errorf("name %q, want %q", l.name, names[i])
		}
		if len(l.values) != len(results[i].Metrics) {
			t.Errorf("%d values for %d metrics", len(l.values), len(results[i].Metrics))
		}
		for _, m := range results[i].Metrics {
			u := benchUnit(m.Name, m.Unit)
			if v, ok := l.values[u]; !ok || v != m.Value {
				t.Errorf("%s of %s is %v, want %v", u, l.name, v, m.Value)
			}
			if units[u]["assume"] != "exact" {
				t.Errorf("unit %s is not exact: %v", u, units[u])
			}
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines for 3 results", len(lines))
	}
	for u, better := range map[string]string{"samples/s": "higher", "sec/step": "lower", "USD/Msamples": "lower", "peak-B": "lower", "hit-ratio": "higher", "surprise-%": ""} {
		if units[u] == nil || units[u]["better"] != better {
			t.Errorf("unit %s is %v, want better=%s", u, units[u], better)
		}
	}
}

// In the benchmark format the unit is all that tells two metrics apart.
func TestBenchUnitsAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, k := range sim.MetricKinds {
		u := benchUnit(k.Name, k.Unit)
		if other, ok := seen[u]; ok {
			t.Errorf("%s and %s both have the unit %s", k.Name, other, u)
		}
		seen[u] = k.Name
	}
}

func TestBenchNothing(t *testing.T) {
	if got := render(t, func(w *bytes.Buffer) error { return Bench(w, nil) }); len(got) > 0 {
		t.Errorf("no results give %q", got)
	}
}

func TestBenchNegativeSeed(t *testing.T) {
	for seed, want := range map[int64]string{-1: "BenchmarkRun/seed=minus1", math.MinInt64: "BenchmarkRun/seed=minus9223372036854775808"} {
		if got := benchName(&sim.Result{Seed: seed}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Whatever the names are, each result is one line with its own values.
func TestBenchAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &sim.Result{Scenario: rapid.String().Draw(t, "scenario"), Seed: rapid.Int64().Draw(t, "seed")}
		r.Scheme.Placement = rapid.String().Draw(t, "placement")
		r.Metrics = sim.Metrics{{Name: "throughput", Value: 1.5}, {Name: rapid.String().Draw(t, "metric") + "?", Value: 2, Unit: rapid.String().Draw(t, "unit")}}
		var b bytes.Buffer
		if err := Bench(&b, []*sim.Result{r}); err != nil {
			t.Fatal(err)
		}
		_, lines, err := parseBench(b.String())
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != 1 || len(lines[0].values) != 2 || lines[0].values["samples/s"] != 1.5 {
			t.Fatalf("got %+v from %q", lines, b.String())
		}
		want := 2
		if r.Scheme.Placement != "" {
			want++
		}
		if r.Scenario != "" {
			want++
		}
		if parts := strings.Split(lines[0].name, "/"); len(parts) != want {
			t.Fatalf("%d parts in %q, want %d", len(parts), lines[0].name, want)
		}
	})
}
