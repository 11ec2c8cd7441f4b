package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"

	"stowage/sim"
)

func render(t *testing.T, write func(w *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	small, twelve, second := smallResult(), twelveStages(), oneRound()
	second.Seed = 2
	for name, write := range map[string]func(w *bytes.Buffer) error{
		"small.summary.txt":     func(w *bytes.Buffer) error { return Summary(w, small, 0) },
		"small.summary.120.txt": func(w *bytes.Buffer) error { return Summary(w, small, 120) },
		"twelve.summary.60.txt": func(w *bytes.Buffer) error { return Summary(w, twelve, 60) },
		"one.summary.txt":       func(w *bytes.Buffer) error { return Summary(w, oneRound(), 0) },
		"tiered.summary.txt":    func(w *bytes.Buffer) error { return Summary(w, tieredResult(), 0) },
		"leveled.summary.txt":   func(w *bytes.Buffer) error { return Summary(w, leveledResult(), 0) },
		"swept.summary.txt":     func(w *bytes.Buffer) error { return Summary(w, sweptResult(), 0) },
		"bytype.summary.txt":    func(w *bytes.Buffer) error { return Summary(w, byTypeResult(), 0) },
		"asked.summary.txt":     func(w *bytes.Buffer) error { return Summary(w, askedResult(), 0) },
		"asked.csv":             func(w *bytes.Buffer) error { return WhatIfCSV(w, askedResult()) },
		"tiered.csv":            func(w *bytes.Buffer) error { return RoundsCSV(w, tieredResult()) },
		"small.json":            func(w *bytes.Buffer) error { return JSON(w, small) },
		"small.csv":             func(w *bytes.Buffer) error { return RoundsCSV(w, small) },
		"small.bench.txt":       func(w *bytes.Buffer) error { return Bench(w, []*sim.Result{small, second}) },
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, render(t, write)) })
	}
}

// Every line fits, whatever names there are and whatever the width; nothing of
// a scenario reaches the terminal that could steer it.
func TestSummaryFits(t *testing.T) {
	for name, r := range allResults() {
		for _, width := range []int{0, 20, 60, 72, 80, 100, 120, 200} {
			limit := max(width, minWidth)
			if width == 0 {
				limit = defaultWidth
			}
			out := string(render(t, func(w *bytes.Buffer) error { return Summary(w, r, width) }))
			if !strings.HasSuffix(out, "\n") {
				t.Errorf("%s: no newline at the end", name)
			}
			for line := range strings.Lines(out) {
				line = strings.TrimSuffix(line, "\n")
				if n := text.StringWidthWithoutEscSequences(line); n > limit {
					t.Errorf("%s at %d: line is %d wide: %q", name, width, n, line)
				}
				if line != strings.TrimRight(line, " ") {
					t.Errorf("%s at %d: spaces at the end of %q", name, width, line)
				}
				for _, c := range line {
					if c < ' ' || c == 0x7f {
						t.Errorf("%s at %d: control character %q in %q", name, width, c, line)
					}
				}
			}
		}
	}
}

func TestSummaryLeavesOutWhatIsNotThere(t *testing.T) {
	r := &sim.Result{Scenario: "bare", Seed: 3}
	if got, want := string(render(t, func(w *bytes.Buffer) error { return Summary(w, r, 0) })), "bare\nscenario bare · seed 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out := string(render(t, func(w *bytes.Buffer) error { return Summary(w, twelveStages(), 0) }))
	for _, word := range []string{"slot tables", "replacement", "hit ratio"} {
		if strings.Contains(out, word) {
			t.Errorf("a result without slot tables speaks of %q", word)
		}
	}
}

func TestSumSlotsQuarters(t *testing.T) {
	r := smallResult()
	r.Rounds = append(r.Rounds, r.Rounds[4], r.Rounds[4], r.Rounds[4]) // 8 rounds: quarters of 2
	out := string(render(t, func(w *bytes.Buffer) error { return Summary(w, r, 0) }))
	// First quarter (0 + 500) / 2000, last (950 + 950) / 2000, all (3100 + 3*950) / 8000.
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) == 8 && f[0] == "hit" {
			if got := strings.Join(f[2:], ""); got != "25.0%95.0%74.4%" {
				t.Errorf("hit ratios %s, want 25.0%% 95.0%% 74.4%%", got)
			}
			return
		}
	}
	t.Error("no line of three hit ratios in\n" + out)
}

func TestFormatMetric(t *testing.T) {
	for _, tc := range []struct {
		value float64
		unit  string
		want  string
	}{
		{123456.789, "samples/s", "123,457 samples/s"},
		{999.96, "samples/s", "1,000 samples/s"},
		{1234567890, "samples/s", "1,234,567,890 samples/s"},
		{2.5e15, "samples/s", "2.5e+15 samples/s"},
		{12.345678, "samples/s", "12.35 samples/s"},
		{0.01234567, "", "0.01235"},
		{-1234567, "", "-1,234,567"},
		{1e-7, "", "1e-07"},
		{0, "", "0"},
		{999.94, "", "999.9"},
		{20e9, "schemes", "20,000,000,000 schemes"},
		{0.0331784, "s", "33.18 ms"},
		{0.00000085, "s", "850 ns"},
		{12.5e-6, "s", "12.5 µs"},
		{1, "s", "1 s"},
		{119.96, "s", "120 s"},
		{300, "s", "5 min"},
		{7200, "s", "2 h"},
		{0, "s", "0 s"},
		{0.125, "ratio", "12.5 %"},
		{0.0001, "ratio", "< 0.1 %"},
		{0, "ratio", "0.0 %"},
		{1, "ratio", "100.0 %"},
		{13 << 30, "B", "13 GiB"},
		{1023.96 * 1024, "B", "1 MiB"},
		{0.0314159, "USD/Msamples", "0.03142 USD per million samples"},
		{12.24, "USD/h", "12.24 USD per hour"},
		{5120, "schemes", "5,120 schemes"},
		{1, "schemes", "1 scheme"},
		{1, "rounds", "1 round"},
		{0, "rounds", "0 rounds"},
		{1, "samples/s", "1 samples/s"},
		{1.5, "%", "1.5 %"},
	} {
		if got := formatMetric(sim.Metric{Value: tc.value, Unit: tc.unit}); got != tc.want {
			t.Errorf("%v %q: got %q, want %q", tc.value, tc.unit, got, tc.want)
		}
	}
}

// What people read is the number, to four digits or better.
func TestFormatNumberIsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-1e12, 1e12).Draw(t, "v")
		got, err := strconv.ParseFloat(strings.ReplaceAll(formatNumber(v), ",", ""), 64)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-v) > 5.001e-4*math.Abs(v) {
			t.Fatalf("%v is printed as %s", v, formatNumber(v))
		}
	})
}

func TestShortenText(t *testing.T) {
	for _, tc := range []struct {
		s     string
		width int
		want  string
	}{
		{"embedding", 9, "embedding"},
		{"embedding", 8, "embe…ing"},
		{"embedding", 2, "e…"},
		{"embedding", 1, "…"},
		{"embedding", 0, ""},
		{"日本語日本語", 7, "日本…語"},
		{"", 0, ""},
	} {
		if got := shortenText(tc.s, tc.width); got != tc.want {
			t.Errorf("shortenText(%q, %d) = %q, want %q", tc.s, tc.width, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, width := printable(rapid.String().Draw(t, "s")), rapid.IntRange(0, 30).Draw(t, "width")
		if n := text.StringWidthWithoutEscSequences(shortenText(s, width)); n > width {
			t.Fatalf("%q is %d wide, not %d", shortenText(s, width), n, width)
		}
	})
}

func TestRoundsCSVReadsBack(t *testing.T) {
	for name, r := range allResults() {
		rows, err := csv.NewReader(bytes.NewReader(render(t, func(w *bytes.Buffer) error { return RoundsCSV(w, r) }))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(r.Rounds)+1 {
			t.Fatalf("%s: %d rows for %d rounds", name, len(rows), len(r.Rounds))
		}
		for i, row := range rows[1:] {
			d := r.Rounds[i]
			if row[1] != fmt.Sprint(int64(d.Start)) || row[3] != fmt.Sprint(int64(d.StepTime)) {
				t.Errorf("%s: times of round %d are %q", name, d.Round, row)
			}
			if v, err := strconv.ParseFloat(row[5], 64); err != nil || v != d.Throughput {
				t.Errorf("%s: throughput of round %d is %q, want %v", name, d.Round, row[5], d.Throughput)
			}
			if d.Slots == nil {
				if strings.Join(row[6:], "") != "" {
					t.Errorf("%s: round %d has no slot tables, yet %q", name, d.Round, row[6:])
				}
			} else if row[8] != fmt.Sprint(d.Slots.Hits) || row[15] != fmt.Sprint(d.Slots.Used) {
				t.Errorf("%s: slots of round %d are %q", name, d.Round, row[6:])
			}
		}
	}
}

// NaN and infinities are refused by every writer, with the place they are at.
func TestNotFinite(t *testing.T) {
	nan := math.NaN()
	for want, spoil := range map[string]func(r *sim.Result){
		`metric "throughput" is NaN`:                                  func(r *sim.Result) { r.Metrics[0].Value = nan },
		`busy share of stage 2 is +Inf`:                               func(r *sim.Result) { r.Scheme.Stages[1].Busy = math.Inf(1) },
		`sync share of stage 1 is NaN`:                                func(r *sim.Result) { r.Scheme.Stages[0].Sync = nan },
		`stall share of stage 1 is NaN`:                               func(r *sim.Result) { r.Scheme.Stages[0].Stall = nan },
		`idle share of stage 1 is NaN`:                                func(r *sim.Result) { r.Scheme.Stages[0].Idle = nan },
		`best fitness of generation 1 is -Inf`:                        func(r *sim.Result) { r.Search.History[1].Best = math.Inf(-1) },
		`mean fitness of generation 0 is NaN`:                         func(r *sim.Result) { r.Search.History[0].Mean = nan },
		`feasible share of generation 0 is NaN`:                       func(r *sim.Result) { r.Search.History[0].Feasible = nan },
		`throughput of round 3 is NaN`:                                func(r *sim.Result) { r.Rounds[2].Throughput = nan },
		`hit ratio of round 3 is NaN`:                                 func(r *sim.Result) { r.Rounds[2].Slots.HitRatio = nan },
		`share of stalls for "ssd" is NaN`:                            func(r *sim.Result) { r.Stalls = []sim.Stall{{Cause: "ssd", Share: nan}} },
		`hit ratio of sweep point 2 is NaN`:                           func(r *sim.Result) { r.Sweep = &sim.Sweep{Points: []sim.SweepPoint{{}, {HitRatio: nan}}} },
		`lookup hit ratio of sweep point 1 is NaN`:                    func(r *sim.Result) { r.Sweep = &sim.Sweep{Points: []sim.SweepPoint{{LookupHits: nan}}} },
		`throughput of sweep point 1 is +Inf`:                         func(r *sim.Result) { r.Sweep = &sim.Sweep{Points: []sim.SweepPoint{{Throughput: math.Inf(1)}}} },
		`hit ratio of layer "embedding" at 262144 slots is NaN`:       func(r *sim.Result) { r.Curves[0].Points[0].HitRatio = nan },
		`warm hit ratio of layer "embedding" at 4194304 slots is NaN`: func(r *sim.Result) { r.Curves[0].Points[1].Warm = nan },
	} {
		r := smallResult()
		spoil(r)
		dir := t.TempDir()
		_, plotErr := WritePlots(dir, r, nil)
		_, writeErr := Write(dir, r)
		for writer, err := range map[string]error{
			"Summary": Summary(&bytes.Buffer{}, r, 0), "JSON": JSON(&bytes.Buffer{}, r), "RoundsCSV": RoundsCSV(&bytes.Buffer{}, r),
			"Bench": Bench(&bytes.Buffer{}, []*sim.Result{r}), "WritePlots": plotErr, "Write": writeErr,
		} {
			if err == nil || !strings.Contains(err.Error(), `scenario "ctr", seed 1: `+want) {
				t.Errorf("%s: got %v, want %s", writer, err, want)
			}
		}
		if names := listDir(t, dir); len(names) > 0 {
			t.Errorf("%s: files were written: %v", want, names)
		}
	}
}

// The shape that the design promises, read as a user would.
func TestJSONShape(t *testing.T) {
	var got struct {
		Scenario string
		Seed     int64
		Version  string
		Metrics  map[string]struct {
			Value float64
			Unit  string
		}
		Scheme struct {
			Layers []string
			Stages []struct {
				Device               string
				First, Last, Devices int
				Busy                 float64
			}
		}
		Rounds []struct {
			Step  time.Duration `json:"step_ns"`
			Slots *struct{ Hits int64 }
		}
	}
	data := render(t, func(w *bytes.Buffer) error { return JSON(w, smallResult()) })
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Scenario != "ctr" || got.Seed != 1 || got.Version != "0.1.0" || len(got.Metrics) != 9 || len(got.Rounds) != 5 {
		t.Errorf("got %+v", got)
	}
	if m := got.Metrics["throughput"]; m.Value != 123456.789 || m.Unit != "samples/s" {
		t.Errorf("throughput is %+v", m)
	}
	s := got.Scheme.Stages[1]
	if s.Device != "v100-32" || s.First != 1 || s.Last != 4 || s.Devices != 4 || s.Busy != 0.6875 || len(got.Scheme.Layers) != 5 {
		t.Errorf("scheme is %+v", got.Scheme)
	}
	if got.Rounds[1].Step != 35*time.Millisecond || got.Rounds[1].Slots.Hits != 500 {
		t.Errorf("second round is %+v", got.Rounds[1])
	}
	if !bytes.HasSuffix(data, []byte("}\n")) {
		t.Error("no newline at the end")
	}
	bare := render(t, func(w *bytes.Buffer) error { return JSON(w, &sim.Result{}) })
	if bytes.Contains(bare, []byte("null")) {
		t.Errorf("null in %s", bare)
	}
}
