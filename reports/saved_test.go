package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"stowage/sim"
)

// standardSchema is one of our schemas as a validator of the standard reads it.
func standardSchema(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	for name, text := range map[string][]byte{"result.schema.json": Schema(), "this.json": text} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(name, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("this.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkFile holds a file against a schema.
func checkFile(t *testing.T, s *jsonschema.Schema, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

// checkAgain draws all plots of a folder again from what is saved in it: they are the
// same, byte for byte, and each has its data as a table.
func checkAgain(t *testing.T, dir string, plots []string) {
	t.Helper()
	runs, err := ReadSaved(dir)
	if err != nil {
		t.Fatal(err)
	}
	runs[0].Label = "saved"
	for _, name := range plots {
		want, err := os.ReadFile(filepath.Join(dir, name+".svg"))
		if err != nil {
			continue // it does not apply
		}
		s, err := NewSheet(name, runs[:1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := render(t, func(w *bytes.Buffer) error { return s.Render(w, "svg") })
		if !bytes.Equal(want, again) {
			t.Errorf("%s: %s is another picture when it is drawn again", dir, name)
		}
		rows, err := csv.NewReader(bytes.NewReader(render(t, func(w *bytes.Buffer) error { return s.CSV(w) }))).ReadAll()
		if err != nil || len(rows) < 2 || rows[0][0] != "run" || rows[len(rows)-1][0] != "saved" {
			t.Errorf("%s: the table of %s is %.200q, %v", dir, name, rows, err)
		}
	}
	if first, err := NewSheet("", runs[:1]); err != nil || !slices.Contains(plots, first.Name) {
		t.Errorf("%s: without a name it is %+v, %v", dir, first, err)
	}
}

func TestRunDrawnAgain(t *testing.T) {
	schema := standardSchema(t, TimelineSchema())
	var plots []string
	for _, p := range Plots() {
		plots = append(plots, p.Name)
	}
	for name, r := range allResults() {
		if testing.Short() && name != "typical" && name != "swept" && name != "bytype" {
			continue
		}
		dir := t.TempDir()
		if _, err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
		if r.Version == "" || r.Scheme.Placement == "" {
			continue // a test's result of some parts
		}
		checkAgain(t, dir, plots)
		if timelinePlot.Needs(r) {
			checkFile(t, schema, filepath.Join(dir, TimelineFile))
		}
	}
}

// What was recorded of other steps is not kept: the file is that of a run that records
// one.
func TestTimelineIsOfOneStep(t *testing.T) {
	r := typicalResult()
	one := render(t, func(w *bytes.Buffer) error { return writeTimeline(w, r) })
	line := *r.Timeline
	line.Tracks = append([]sim.Track{{Name: "rows of another step", Rows: true}}, line.Tracks...)
	line.Spans = slices.Clone(line.Spans)
	for i := range line.Spans {
		line.Spans[i].Track++
	}
	line.Spans = append([]sim.Span{{Start: line.From - 2, End: line.From, Kind: sim.SpanFetch}}, line.Spans...)
	r.Timeline = &line
	if all := render(t, func(w *bytes.Buffer) error { return writeTimeline(w, r) }); !bytes.Equal(one, all) {
		t.Errorf("got %.600s\nwant %.600s", all, one)
	}
}

// Every field of a timeline is kept: a new one that is not fails here.
func TestTimelineIsKeptWhole(t *testing.T) {
	fill := func(v reflect.Value) {
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				switch f.Kind() {
				case reflect.Bool:
					f.SetBool(true)
				case reflect.String:
					f.SetString("x")
				case reflect.Int, reflect.Int32, reflect.Int64:
					f.SetInt(int64(i + 1))
				case reflect.Uint8:
					f.SetUint(uint64(len(sim.SpanKinds()) - 1))
				}
			}
		}
	}
	r := typicalResult()
	line := &sim.Timeline{Round: 3, From: 1, To: 9, Tracks: make([]sim.Track, 2), Spans: make([]sim.Span, 1)}
	fill(reflect.ValueOf(&line.Tracks[0]).Elem())
	fill(reflect.ValueOf(&line.Spans[0]).Elem())
	line.Spans[0].Track = 0
	point := sim.MemoryPoint{At: 1, Activations: 2, Buffers: 3}
	for i := range r.Scheme.Stages {
		line.Memory = append(line.Memory, sim.StageMemory{Stage: i, Points: []sim.MemoryPoint{point}})
	}
	r.Timeline = line
	data := render(t, func(w *bytes.Buffer) error { return writeTimeline(w, r) })
	if err := addTimeline(r, data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(line, r.Timeline, cmpopts.IgnoreUnexported(sim.Span{})); diff != "" {
		t.Error(diff)
	}
}

func TestComparisonDrawnAgain(t *testing.T) {
	schema := standardSchema(t, ComparisonSchema())
	var plots []string
	for _, p := range comparePlots() {
		plots = append(plots, p.name)
	}
	for name, c := range allComparisons() {
		dir := t.TempDir()
		if _, err := WriteComparison(dir, c); err != nil {
			t.Fatal(err)
		}
		checkFile(t, schema, filepath.Join(dir, ComparisonFile))
		checkFile(t, standardSchema(t, CompareSchema()), filepath.Join(dir, CompareFile))
		if slices.ContainsFunc(plots, func(p string) bool { _, err := os.Stat(filepath.Join(dir, p+".svg")); return err == nil }) {
			checkAgain(t, dir, plots)
		} else if _, err := ReadSaved(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplayDrawnAgain(t *testing.T) {
	schema := standardSchema(t, ReplaySchema())
	named, bare := curvedReplay(), curvedReplay()
	named.Named, named.Row = []string{"t4"}, 512
	var err error
	if named.Devices, err = DevicesToMark(named.Named, named.Row); err != nil || len(named.Devices) != 1 {
		t.Fatal(named.Devices, err)
	}
	bare.Row, bare.Devices, bare.Curve = 0, nil, nil
	all := curvedReplay()
	all.Row = 256
	if all.Devices, err = DevicesToMark(nil, all.Row); err != nil || len(all.Devices) < 5 {
		t.Fatal(all.Devices, err)
	}
	for _, r := range []*Replay{named, bare, all} {
		dir := t.TempDir()
		if _, err := WriteReplays(dir, []*Replay{r}); err != nil {
			t.Fatal(err)
		}
		checkFile(t, schema, filepath.Join(dir, ReplayFile))
		checkAgain(t, dir, []string{"policies", "mrc"})
	}
}

// Several on one sheet: comparisons below each other, miss ratios in one panel.
func TestSheetsOfOtherKinds(t *testing.T) {
	other := curvedReplay()
	other.Trace = "other.txt"
	for i := range other.Curve.Points {
		other.Curve.Points[i].Hits /= 2
	}
	replays := []Run{{Label: "one", Replay: curvedReplay()}, {Label: "two", Replay: other}}
	comparisons := []Run{{Label: "before", Comparison: smallComparison()}, {Label: "after", Comparison: provenComparison()}}
	for name, runs := range map[string][]Run{
		"convergence": comparisons, "pareto": comparisons, "schemes": comparisons, "mrc": replays, "policies": replays,
		"spread": {{Label: "a", Comparison: replacementComparison()}, {Label: "b", Comparison: replacementComparison()}},
	} {
		s, err := NewSheet(name, runs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkTexts(t, name, s.picture())
		svg := string(render(t, func(w *bytes.Buffer) error { return s.Render(w, "svg") }))
		table := string(render(t, func(w *bytes.Buffer) error { return s.CSV(w) }))
		for _, r := range runs {
			if !strings.Contains(svg, r.Label) || !strings.Contains(table, "\n"+r.Label+",") {
				t.Errorf("%s does not name %s", name, r.Label)
			}
		}
		if *pictures != "" {
			data := render(t, func(w *bytes.Buffer) error { return s.Render(w, "png") })
			if err := os.WriteFile(filepath.Join(*pictures, "sheet-"+name+".png"), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		plot string
		runs []Run
		want string
	}{
		{"", []Run{replays[0], comparisons[0]}, "one is a replay, before is a comparison"},
		{"pareto", replays, `one is a replay: it has no plot "pareto", but policies, mrc`},
		{"spread", comparisons, `after: there is nothing in it for plot "spread"`},
		{"", []Run{{Label: "x", Replay: &Replay{}}}, "x: there is nothing in it to draw"},
	} {
		if _, err := NewSheet(c.plot, c.runs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// Broken files are refused, with what is wrong and where.
func TestReadSavedRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(dir, typicalResult()); err != nil {
		t.Fatal(err)
	}
	line := readAll(t, dir)[TimelineFile]
	spoil := func(old, new string) string {
		t.Helper()
		if !strings.Contains(line, old) {
			t.Fatalf("%q is not in the timeline", old)
		}
		return strings.Replace(line, old, new, 1)
	}
	for text, want := range map[string]string{
		"{":                                    "no timeline of a run",
		spoil(`"seed":`, `"seed":9`):           "of another run",
		spoil(`"forward"`, `"fore"`):           `unknown kind, "fore"`,
		spoil(`"spans":[[0,`, `"spans":[[99,`): "track 99",
		spoil(`"from":`, `"from":9999999`):     "ends before it begins",
		spoil(`{"stage":0,"points"`, `{"stage":70,"points"`): "memory is of stage 71",
	} {
		if err := os.WriteFile(filepath.Join(dir, TimelineFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSaved(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), TimelineFile) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	row := func(change func(r *ReplayRow)) string {
		r := ReplayRow{Trace: "t", Policy: "lru", Slots: 1, Lookups: 3, Hits: 1, Misses: 2, Source: TableSource}
		change(&r)
		data, err := json.Marshal([]ReplayRow{r})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for text, want := range map[string]string{
		"[]":   "there are no rows",
		"[1]":  "no replays",
		`[{}]`: "no trace or no policy",
		row(func(r *ReplayRow) { r.Source = "x" }):                                 `source is "x"`,
		row(func(r *ReplayRow) { r.Hits = 2 }):                                     "2 hits, 2 misses",
		row(func(r *ReplayRow) { r.RowBytes, r.Devices = 4, []string{"v100-61"} }): "v100-61",
		`{"runs": 1}`:                       "no comparison",
		`{"runs": [], "by": "placement"}`:   "it has no runs",
		`{"runs": [{}], "by": "seed"}`:      `it is by "seed"`,
		`{"runs": [{}], "by": "placement"}`: "run 1 wants one",
		`{"runs": [{"metrics": {}, "result": {"metrics": {}, "scheme": {"stages": [{"layers": [1]}]}}}], "by": "placement"}`: "run 1: stage 1 has layer 1 of 0",
	} {
		path := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSaved(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := ReadSaved(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no result.json, no comparison.json, no replay.json in it") {
		t.Error(err)
	}
	table := filepath.Join(t.TempDir(), CompareFile)
	if err := os.WriteFile(table, []byte(`[{"placement": "genetic"}]`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSaved(table); err == nil || !strings.Contains(err.Error(), "comparison.json beside it") {
		t.Error(err)
	}
}
