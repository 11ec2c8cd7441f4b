package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"stowage/hw/unit"
)

// Replays made for tests. Hits grow with slots, as those of a real trace do.

func smallReplay() *Replay {
	return &Replay{
		Trace: "traces/web.txt.gz", Format: "text", Lookups: 120000, Unique: 40000, Warmup: 20000, Elapsed: 40 * time.Millisecond,
		Tables: []ReplayCounts{
			{Policy: "lru", Slots: 400, Lookups: 100000, Misses: 75000, Rate: 40e6},
			{Policy: "lru", Slots: 4000, Lookups: 100000, Misses: 50123, Rate: 32e6},
			{Policy: "sieve", Slots: 400, Lookups: 100000, Misses: 70000, Rate: 51e6},
			{Policy: "sieve", Slots: 4000, Lookups: 100000, Misses: 44000, Rate: 48e6},
			{Policy: "min", Slots: 400}, // stopped before it began
		},
	}
}

func curvedReplay() *Replay {
	r := smallReplay()
	r.Row = 256
	r.Curve = &ReplayCurve{Source: ExactCurve, Lookups: 100000, Rate: 9e6}
	for _, n := range []int{1, 2, 3, 5, 10, 20, 50, 100, 200, 400, 500, 1000, 2000, 4000, 5000, 10000, 20000, 31000} {
		r.Curve.Points = append(r.Curve.Points, ReplayPoint{n, int64(60000 * math.Pow(float64(n)/31000, 0.35))})
	}
	r.Devices = []ReplayDevice{{"t4", 16 << 30, 16 << 30 / 256}, {"tiny", 1 << 20, 4096}}
	return r
}

// wideReplay has every policy and every device type.
func wideReplay() *Replay {
	r := curvedReplay()
	r.Trace, r.Row = "a/very/long/way/to/"+strings.Repeat("a-very-long-name-", 6)+".oracleGeneral.zst", 4<<20
	r.Tables = nil
	for i := range 18 {
		for _, n := range []int{400, 4000} {
			r.Tables = append(r.Tables, ReplayCounts{Policy: fmt.Sprintf("policy-%d", i), Slots: n, Lookups: 100000, Misses: int64(80000 - 10*n - 2000*i), Rate: 1e7})
		}
	}
	r.Curve.Source = SampledCurve
	r.Devices = nil
	for i, gib := range []unit.Bytes{11, 16, 16, 24, 24, 24, 32, 32, 40, 80, 80, 89} {
		r.Devices = append(r.Devices, ReplayDevice{fmt.Sprintf("device-%d", i), gib << 30, int64(gib) << 30 / int64(r.Row)})
	}
	return r
}

func allReplays() map[string]*Replay {
	hostile := curvedReplay()
	hostile.Trace = "<b>\x1b[31m\"x\"\n日本"
	return map[string]*Replay{"small": smallReplay(), "curved": curvedReplay(), "wide": wideReplay(), "hostile": hostile}
}

func TestReplayGolden(t *testing.T) {
	two := []*Replay{smallReplay(), curvedReplay()}
	two[1].Trace, two[1].Tables, two[1].Unique = "b.csv", two[1].Tables[:1], 0
	for name, write := range map[string]func(w *bytes.Buffer) error{
		"replay.summary.txt":    func(w *bytes.Buffer) error { return ReplaySummary(w, curvedReplay(), 0) },
		"replay.summary.60.txt": func(w *bytes.Buffer) error { return ReplaySummary(w, smallReplay(), 60) },
		"replay.json":           func(w *bytes.Buffer) error { return ReplayJSON(w, two) },
		"replay.csv":            func(w *bytes.Buffer) error { return ReplayCSV(w, two) },
		"replay.bench.txt":      func(w *bytes.Buffer) error { return ReplayBench(w, two) },
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, render(t, write)) })
	}
}

func TestReplaySummaryFits(t *testing.T) {
	for name, r := range allReplays() {
		for _, width := range []int{0, 80, 100, 200} {
			limit := width
			if width == 0 {
				limit = defaultWidth
			}
			out := string(render(t, func(w *bytes.Buffer) error { return ReplaySummary(w, r, width) }))
			for line := range strings.Lines(out) {
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

// The JSON has the fields that tools rely on, and all that the schema says.
func TestReplayJSON(t *testing.T) {
	dec := json.NewDecoder(bytes.NewReader(ReplaySchema()))
	dec.DisallowUnknownFields()
	root := &schema{}
	if err := dec.Decode(root); err != nil {
		t.Fatal(err)
	}
	data := render(t, func(w *bytes.Buffer) error {
		return ReplayJSON(w, []*Replay{smallReplay(), curvedReplay(), wideReplay()})
	})
	if faults := validate(root, root, "r", decode(t, data)); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
	var rows []map[string]any
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	first := rows[0]
	for key, want := range map[string]any{
		"trace": "traces/web.txt.gz", "policy": "lru", "slots": 400.0, "lookups": 100000.0, "hits": 25000.0, "misses": 75000.0,
		"hit_ratio": 0.25, "lookups_per_second": 40e6, "source": "table",
	} {
		if first[key] != want {
			t.Errorf("%s is %v, want %v", key, first[key], want)
		}
	}
	// What counted nothing has no row: min was stopped.
	if len(rows) != 4+(4+18)+(36+18) {
		t.Errorf("%d rows", len(rows))
	}
	if data := render(t, func(w *bytes.Buffer) error { return ReplayJSON(w, nil) }); string(data) != "[\n]\n" {
		t.Errorf("no replays: %q", data)
	}
	// The schema and the type name the same fields.
	typ, row := reflect.TypeFor[ReplayRow](), root.Defs["row"]
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if row.Properties[name] == nil || slices.Contains(row.Required, name) == (options == "omitempty") {
			t.Errorf("field %s: the schema has it not, or requires it when it may be absent", name)
		}
	}
	if len(row.Properties) != typ.NumField() {
		t.Errorf("the schema has %d fields, the type %d", len(row.Properties), typ.NumField())
	}
}

// Files do not depend on how fast the replay was, and those of plots that do not apply
// any more are removed.
func TestWriteReplays(t *testing.T) {
	dir, again := t.TempDir(), t.TempDir()
	if *plotDir != "" {
		dir = filepath.Join(*plotDir, "replay")
	}
	r := curvedReplay()
	files, err := WriteReplays(dir, []*Replay{r})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"mrc.png", "mrc.svg", "policies.png", "policies.svg", "replay.csv", "replay.json", "report.html"}
	if got := listDir(t, dir); !slices.Equal(got, want) || len(files) != len(want) {
		t.Errorf("files %q, reported %q", got, files)
	}
	r.Elapsed, r.Curve.Rate, r.Tables[0].Rate = time.Hour, 1, 2
	if _, err := WriteReplays(again, []*Replay{r}); err != nil {
		t.Fatal(err)
	}
	if one, two := readAll(t, dir), readAll(t, again); !reflect.DeepEqual(one, two) {
		t.Error("files depend on the time that the replay took")
	} else if strings.Contains(one["replay.json"], "lookups_per_second") {
		t.Error("wall-clock figures in replay.json")
	} else {
		checkSVG(t, "policies", one["policies.svg"])
	}
	if _, err := WriteReplays(again, []*Replay{smallReplay()}); err != nil {
		t.Fatal(err)
	}
	if got := listDir(t, again); !slices.Equal(got, want[2:]) {
		t.Errorf("without a curve there are %q", got)
	}
	other := smallReplay()
	other.Trace = "elsewhere/web.txt.gz"
	several := t.TempDir()
	if _, err := WriteReplays(several, []*Replay{smallReplay(), other}); err != nil {
		t.Fatal(err)
	}
	want = []string{"replay.csv", "replay.json", "report.html", "web.txt.gz-2.policies.png", "web.txt.gz-2.policies.svg", "web.txt.gz.policies.png", "web.txt.gz.policies.svg"}
	if got := listDir(t, several); !slices.Equal(got, want) {
		t.Errorf("files of two traces: %q", got)
	}
}

func TestReplayTextsKeepApart(t *testing.T) {
	for name, r := range allReplays() {
		for _, p := range replayPlots {
			if !p.needs(r) {
				continue
			}
			checkTexts(t, p.name+" of "+name, p.picture(r))
			if *plotDir != "" {
				if _, err := WriteReplays(filepath.Join(*plotDir, "replay-"+name), []*Replay{r}); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// Curves begin where there is something to see.
func TestReplaySheetsBegin(t *testing.T) {
	r := smallReplay()
	r.Curve = &ReplayCurve{Source: ExactCurve, Lookups: 1000, Points: []ReplayPoint{{1, 0}, {10, 4}, {100, 5}, {199, 90}, {200, 100}, {5000, 500}}}
	begin := func(s *slotSheet) float64 { return s.curves[0].points[0].x }
	if got := begin(replayMRC(r)); got != 100 {
		t.Errorf("the miss ratio begins at %v slots, want 100, where a hundredth of the hits is", got)
	}
	if got := begin(replayPolicies(r)); got != 200 {
		t.Errorf("the curve begins at %v slots, want 200, half of the smallest table", got)
	}
	r.Tables = nil
	if got := begin(replayPolicies(r)); got != 1 {
		t.Errorf("without tables the curve begins at %v slots", got)
	}
	r.Curve.Points = []ReplayPoint{{1, 0}}
	if got := begin(replayMRC(r)); got != 1 {
		t.Errorf("without hits the curve begins at %v slots", got)
	}
	r.Tables = []ReplayCounts{{Policy: "lru", Slots: 900, Lookups: 1000}}
	if got := begin(replayPolicies(r)); got != 1 {
		t.Errorf("a curve below all tables begins at %v slots", got)
	}
}
