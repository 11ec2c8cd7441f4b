package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"

	"stowage/sim"
)

// Comparisons made for tests.

// comparedRun is a run of a placement policy whose search went as the history says.
func comparedRun(policy string, seed int64, evaluations int, history ...sim.Generation) sim.ComparedRun {
	r := smallResult()
	r.Scheme.Placement, r.Seed, r.Rounds, r.Curves = policy, seed, nil, nil
	r.Search = &sim.Search{Evaluations: evaluations, History: history}
	best := history[len(history)-1].Best
	r.Metrics = sim.Metrics{
		{Name: "throughput", Value: best * 0.98, Unit: "samples/s"}, {Name: "price", Value: 24.2, Unit: "USD/h"},
		{Name: "fitness", Value: best, Unit: "samples/s"}, {Name: "evaluations", Value: float64(evaluations), Unit: "schemes"},
	}
	return sim.ComparedRun{
		Policy: policy, Seed: seed, Evaluations: evaluations, Metrics: r.Metrics, Result: r,
		Front:   []sim.FrontPoint{{Throughput: best / 2, Cost: 0.01 * float64(seed)}, {Throughput: best, Cost: 0.05}},
		Target:  &sim.FrontPoint{Throughput: best, Cost: 0.05},
		Elapsed: time.Duration(evaluations) * time.Microsecond,
	}
}

func smallComparison() *sim.Comparison {
	step := func(evaluations int, best float64) sim.Generation {
		return sim.Generation{Evaluations: evaluations, Best: best}
	}
	once := comparedRun("greedy", 1, 1, step(1, 90000))
	once.Once = true
	c := &sim.Comparison{
		Scenario: "ctr", Title: "Click-through model on 4 × V100 and 2 CPU sockets", Version: "0.1.0",
		By: sim.Placements, Objective: "throughput", Fidelity: "recurrence", Seeds: 3,
		Runs: []sim.ComparedRun{
			once,
			comparedRun("random", 1, 5000, step(3, 40000), step(700, 80000)),
			comparedRun("random", 2, 5000, step(1, 30000), step(90, 70000), step(4000, 95000)),
			{Policy: "random", Seed: 3, Evaluations: 5000, Infeasible: "it needs more memory than there is", Metrics: sim.Metrics{{Name: "evaluations", Value: 5000, Unit: "schemes"}}},
			comparedRun("genetic", 1, 2600, step(64, 90000), step(640, 100000)),
			comparedRun("genetic", 2, 2400, step(64, 85000), step(320, 99000)),
			comparedRun("genetic", 3, 2700, step(64, 91000), step(640, 100000)),
		},
		Skipped: []sim.SkippedPolicy{{Policy: "all-cpu", Reason: "the cluster has no CPU pool"}},
	}
	c.Runs[0].Result.Scheme.Stages[1].Devices = 3
	return c
}

// provenComparison has a bound, and the objective cost: less is better.
func provenComparison() *sim.Comparison {
	c := smallComparison()
	c.Scenario, c.Objective, c.Skipped = "dlrm", "cost", nil
	for i := range c.Runs {
		r := &c.Runs[i]
		r.Bound = 125000 + float64(i)
		if r.Result == nil {
			continue
		}
		for k := range r.Metrics {
			if r.Metrics[k].Name == "fitness" {
				r.Metrics[k].Unit = "Msamples/USD"
			}
		}
	}
	return c
}

func replacementComparison() *sim.Comparison {
	c := &sim.Comparison{Scenario: "ctr", Title: "Rows in slots", Version: "0.1.0", By: sim.Replacements, Objective: "throughput", Fidelity: "recurrence", Seeds: 2}
	for i, policy := range []string{"lru", "min"} {
		for seed := range 2 {
			r := comparedRun("genetic", int64(seed), 100, sim.Generation{Evaluations: 1, Best: 1000})
			r.Policy = policy
			r.Metrics = sim.Metrics{
				{Name: "throughput", Value: float64(1e6 + 1000*seed + 5000*i), Unit: "samples/s"},
				{Name: "hit_ratio", Value: 0.6 + 0.1*float64(i) + 0.01*float64(seed), Unit: "ratio"},
				{Name: "stall_ratio", Value: 0.07, Unit: "ratio"},
			}
			c.Runs = append(c.Runs, r)
		}
	}
	return c
}

// wideComparison has many policies with long names, many seeds, and 120 layers.
func wideComparison() *sim.Comparison {
	c := &sim.Comparison{Scenario: strings.Repeat("long-", 12), Title: strings.Repeat("A very long title ", 9), By: sim.Placements, Objective: "time", Fidelity: "closed-form", Seeds: 30}
	rng := rand.New(rand.NewPCG(4, 2))
	for p := range 16 {
		for seed := range c.Seeds {
			best := 3 + 0.2*rng.Float64()
			run := comparedRun(fmt.Sprintf("simulated-annealing-%d", p), int64(seed), 5000+rng.IntN(1000),
				sim.Generation{Evaluations: 1 + rng.IntN(30), Best: best / 9}, sim.Generation{Evaluations: 100 + rng.IntN(1000), Best: best})
			run.Result.Scheme = schemeOf(120, resnetNames, manyStages(120, 3+p, []string{"v100-32", "xeon-6148"}, []string{"gpu", "cpu"})...)
			run.Bound = 3.3
			c.Runs = append(c.Runs, run)
		}
	}
	return c
}

func allComparisons() map[string]*sim.Comparison {
	one := smallComparison()
	one.Runs, one.Skipped, one.Seeds = one.Runs[:1], nil, 1
	hostile := smallComparison()
	hostile.Title, hostile.Scenario = "<b>\x1b[31m\"x\"\n日本", "a\x07b"
	hostile.Skipped[0].Reason = "\x1b[2J"
	none := smallComparison()
	none.Runs = none.Runs[3:4]
	none.Stopped = "stopped after 1 of 7 runs"
	return map[string]*sim.Comparison{
		"small": smallComparison(), "proven": provenComparison(), "replacement": replacementComparison(),
		"wide": wideComparison(), "one": one, "hostile": hostile, "none": none,
	}
}

func TestCompareGolden(t *testing.T) {
	two := []*sim.Comparison{smallComparison(), provenComparison()}
	files := map[string]func(w *bytes.Buffer) error{
		"compare.summary.txt":             func(w *bytes.Buffer) error { return CompareSummary(w, smallComparison(), 0) },
		"compare.proven.summary.txt":      func(w *bytes.Buffer) error { return CompareSummary(w, provenComparison(), 100) },
		"compare.replacement.summary.txt": func(w *bytes.Buffer) error { return CompareSummary(w, replacementComparison(), 0) },
		"compare.gaps.txt":                func(w *bytes.Buffer) error { return CompareGaps(w, two, 0) },
		"compare.json":                    func(w *bytes.Buffer) error { return CompareJSON(w, two) },
		"compare.csv":                     func(w *bytes.Buffer) error { return CompareCSV(w, two) },
		"compare.bench.txt":               func(w *bytes.Buffer) error { return CompareBench(w, two) },
	}
	for _, p := range comparePlots() {
		c := provenComparison()
		if p.name == "spread" {
			c = replacementComparison()
		}
		files["compare."+p.name+".csv"] = func(w *bytes.Buffer) error { return p.csv(w, c) }
	}
	for name, write := range files {
		t.Run(name, func(t *testing.T) { golden(t, name, render(t, write)) })
	}
}

func TestCompareSummaryFits(t *testing.T) {
	for name, c := range allComparisons() {
		for _, width := range []int{0, 80, 100, 200} {
			limit := tableWidth(width)
			for _, out := range [][]byte{
				render(t, func(w *bytes.Buffer) error { return CompareSummary(w, c, width) }),
				render(t, func(w *bytes.Buffer) error {
					return CompareGaps(w, []*sim.Comparison{c, c, c, c, c, c, c, c}, width)
				}),
			} {
				for line := range strings.Lines(string(out)) {
					line = strings.TrimSuffix(line, "\n")
					if n := text.StringWidthWithoutEscSequences(line); n > limit {
						t.Errorf("%s at %d: line is %d wide: %q", name, width, n, line)
					}
					if strings.ContainsAny(line, "\x1b\x07") {
						t.Errorf("%s: control characters in %q", name, line)
					}
				}
			}
		}
	}
}

// The schema describes just the fields that rows have, and requires those that are never
// left out.
func TestCompareSchema(t *testing.T) {
	dec := json.NewDecoder(bytes.NewReader(CompareSchema()))
	dec.DisallowUnknownFields()
	root := &schema{}
	if err := dec.Decode(root); err != nil {
		t.Fatal(err)
	}
	for name, c := range allComparisons() {
		data := render(t, func(w *bytes.Buffer) error { return CompareJSON(w, []*sim.Comparison{c}) })
		if faults := validate(root, root, name, decode(t, data)); len(faults) > 0 {
			t.Errorf("%q", faults)
		}
	}
	row := root.Defs["row"]
	var names, required []string
	for i := range reflect.TypeFor[CompareRow]().NumField() {
		name, options, _ := strings.Cut(reflect.TypeFor[CompareRow]().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		if options == "" {
			required = append(required, name)
		}
	}
	slices.Sort(names)
	var described []string
	for name := range row.Properties {
		described = append(described, name)
	}
	slices.Sort(described)
	if !slices.Equal(names, described) || !slices.Equal(required, row.Required) {
		t.Errorf("rows have %q, of which %q always; the schema has %q, and requires %q", names, required, described, row.Required)
	}
	spoilt := smallComparison()
	spoilt.Runs[0].Metrics[0].Value = math.NaN()
	for name, write := range map[string]func(io.Writer, []*sim.Comparison) error{"JSON": CompareJSON, "CSV": CompareCSV, "bench": CompareBench} {
		if err := write(io.Discard, []*sim.Comparison{spoilt}); err == nil || !strings.Contains(err.Error(), `metric "throughput" is NaN`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteComparison(t *testing.T) {
	for name, c := range allComparisons() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if *plotDir != "" {
				dir = filepath.Join(*plotDir, "compare-"+name)
			}
			files, err := WriteComparison(dir, c)
			if err != nil {
				t.Fatal(err)
			}
			all := readAll(t, dir)
			if len(all) != len(files) {
				t.Errorf("%d files in %s, %d were written", len(all), dir, len(files))
			}
			for _, p := range comparePlots() {
				if !p.needs(c) {
					if _, ok := all[p.name+".svg"]; ok {
						t.Errorf("%s was drawn", p.name)
					}
					continue
				}
				checkSVG(t, p.name, all[p.name+".svg"])
				checkTexts(t, p.name+" of "+name, p.picture(c))
			}
			// Wall-clock time is no part of the files, and stale plots go.
			for i := range c.Runs {
				c.Runs[i].Elapsed *= 7
			}
			other := t.TempDir()
			if _, err := WriteComparison(other, c); err != nil {
				t.Fatal(err)
			}
			for file, data := range readAll(t, other) {
				if data != all[file] {
					t.Errorf("%s depends on time", file)
				}
			}
		})
	}
	dir := t.TempDir()
	for _, c := range []*sim.Comparison{smallComparison(), replacementComparison()} {
		files, err := WriteComparison(dir, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := listDir(t, dir); len(got) != len(files) {
			t.Errorf("%d files, %d of them new: those of a comparison of another sort stay", len(got), len(files))
		}
	}
}

// Gaps, limits and medians by hand.
func TestStandings(t *testing.T) {
	c := smallComparison()
	if limit, proven := c.Limit(); limit != 100000 || proven {
		t.Errorf("limit %v, proven %v; the best known is 100000", limit, proven)
	}
	if limit, proven := provenComparison().Limit(); limit != 125000 || !proven {
		t.Errorf("limit %v, proven %v; the least bound is 125000", limit, proven)
	}
	all := standings(c)
	if len(all) != 3 || all[1].policy != "random" || len(all[1].fit) != 2 || all[1].chosen.Seed != 2 || all[1].schemes != 5000 {
		t.Fatalf("%+v", all)
	}
	// random: 95000 and 80000 of 100000: gaps 5.263 and 25.
	if g, ok := all[1].gap(c, 100000); !ok || math.Abs(g-(100*(100000.0/95000-1)+25)/2) > 1e-9 {
		t.Errorf("gap %v", g)
	}
	// Within 5 % of 100000, that is from 95238 on: genetic after 640, 320 and 640; random
	// at no seed, and greedy, at 90000, neither.
	for i, want := range []string{"–", "–", "640"} {
		if got := all[i].reachCell(100000); got != want {
			t.Errorf("%s is near after %s, want %s", all[i].policy, got, want)
		}
	}
	if got := all[2].three(c); !slices.Equal(got, []string{"100 k", "100 k", "99,000"}) {
		t.Errorf("%q", got)
	}
}

func TestQuantile(t *testing.T) {
	for _, tc := range []struct {
		values  []float64
		q, want float64
	}{
		{nil, 0.5, 0}, {[]float64{7}, 0.25, 7}, {[]float64{3, 1, 2}, 0.5, 2}, {[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4, 5}, 0.25, 2}, {[]float64{1, 2, 3, 4}, 0.75, 3.25}, {[]float64{1, 2}, 1, 2}, {[]float64{1, 2}, 0, 1},
	} {
		if got := quantile(tc.values, tc.q); got != tc.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tc.values, tc.q, got, tc.want)
		}
	}
}

// The median line of a convergence is that of the runs' best so far, at every number of
// evaluations: against a twin that looks at each run by itself.
func TestConvergenceTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &sim.Comparison{By: sim.Placements, Objective: "throughput", Seeds: rapid.IntRange(1, 6).Draw(t, "seeds")}
		most := 0
		for seed := range c.Seeds {
			at, best := 0, 0.0
			var h []sim.Generation
			for range rapid.IntRange(1, 6).Draw(t, "steps") {
				at += rapid.IntRange(1, 20).Draw(t, "evaluations")
				best += float64(rapid.IntRange(0, 3).Draw(t, "better"))
				h = append(h, sim.Generation{Evaluations: at, Best: best})
			}
			if best == 0 {
				h[len(h)-1].Best = 1
			}
			c.Runs = append(c.Runs, comparedRun("p", int64(seed), at+rapid.IntRange(0, 9).Draw(t, "rest"), h...))
			most = max(most, c.Runs[seed].Evaluations)
		}
		k := convergences(c)[0]
		if last := k.steps[len(k.steps)-1].evaluations; last != most {
			t.Fatalf("the line ends at %d, the longest search at %d", last, most)
		}
		for e := 1; e <= most; e++ {
			var best []float64
			for i := range c.Runs {
				b := 0.0
				for _, g := range c.Runs[i].Result.Search.History {
					if g.Evaluations <= e {
						b = g.Best
					}
				}
				best = append(best, b)
			}
			want := naturalQuantile(c, best, 0.5)
			i := slices.IndexFunc(k.steps, func(s convergenceStep) bool { return s.evaluations > e })
			if i < 0 {
				i = len(k.steps)
			}
			if i == 0 {
				if !math.IsNaN(want) {
					t.Fatalf("nothing at %d evaluations, want %v", e, want)
				}
				continue
			}
			if got := k.steps[i-1].median; !equalOrNaN(got, want) {
				t.Fatalf("median %v at %d evaluations, want %v", got, e, want)
			}
		}
	})
}

func TestNonDominated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []sim.FrontPoint
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			points = append(points, sim.FrontPoint{Throughput: float64(rapid.IntRange(1, 9).Draw(t, "throughput")), Cost: float64(rapid.IntRange(1, 9).Draw(t, "cost"))})
		}
		kept := nonDominated(points)
		for _, p := range points {
			beaten := slices.ContainsFunc(points, func(q sim.FrontPoint) bool {
				return q != p && q.Throughput >= p.Throughput && q.Cost <= p.Cost
			})
			if slices.Contains(kept, p) == beaten {
				t.Fatalf("%v is beaten: %v; kept: %v", p, beaten, kept)
			}
		}
	})
}

// The best target is on the sheet, even where a dearer scheme is many times faster; a
// poor policy's is not.
func TestParetoSheet(t *testing.T) {
	at := func(throughput, cost float64) *sim.FrontPoint {
		return &sim.FrontPoint{Throughput: throughput, Cost: cost}
	}
	all := []front{
		{points: []sim.FrontPoint{*at(10, 1), *at(100, 2)}, chosen: at(10, 1), worth: 1},
		{points: []sim.FrontPoint{*at(5, 3)}, chosen: at(5, 3), worth: 1.0 / 3},
	}
	sheet := sheetOf(all)
	for p, want := range map[*sim.FrontPoint]bool{at(10, 1): true, at(100, 2): true, at(5, 3): false, at(50, 4): true, at(50, 5): false} {
		if sheet.holds(*p) != want {
			t.Errorf("%+v is on the sheet %+v: %v", *p, sheet, !want)
		}
	}
	all[0].points[0].Cost, all[0].chosen = 0, at(10, 0)
	if sheet := sheetOf(all); !sheet.holds(*at(50, 1000)) {
		t.Errorf("a free scheme drives all others off the sheet: %+v", sheet)
	}
}
