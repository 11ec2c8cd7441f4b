package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stowage/sim"
)

// What JSON wrote, ReadResult reads: it is written again to the same bytes.
func TestReadResult(t *testing.T) {
	for name, r := range allResults() {
		first := render(t, func(w *bytes.Buffer) error { return JSON(w, r) })
		back, err := ReadResult(first)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := render(t, func(w *bytes.Buffer) error { return JSON(w, back) }); !bytes.Equal(first, again) {
			t.Errorf("%s is another result when it is read", name)
		}
	}
	for text, want := range map[string]string{
		``:              "unexpected end",
		`[]`:            "no result of a run",
		`{}`:            "no version",
		`{"seed": "1"}`: "seed is a string",
		`{"version": "1", "metrics": [], "scheme": {}}`: "metrics are no JSON object",
		`{"version": "1", "metrics": {"throughput": {"value": 1, "unit": "samples/s"}}, "scheme": {"placement": "x", "stages": [{"layers": [3]}]}}`: "stage 1 has layer 3 of 0",
	} {
		if _, err := ReadResult([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// sheetRuns are runs on three clusters of different size.
func sheetRuns() []Run {
	slow, fast := typicalResult(), typicalResult()
	for i := range slow.Rounds {
		slow.Rounds[i].Throughput /= 3
	}
	fast.Rounds = withoutSlots(warmRounds(220, 16384, 0.02))
	return []Run{{Label: "two sockets", Result: slow}, {Label: "four V100", Result: typicalResult()}, {Label: "sixteen V100, no slots, and a label as long as labels can get before they are shortened in the middle", Result: fast}}
}

// Every plot is drawn of one run and of several, in every format, twice to the same bytes,
// and has its data as a table.
func TestSheets(t *testing.T) {
	swept := sweptResult()
	for _, p := range Plots() {
		r := typicalResult()
		if !p.Needs(r) {
			r = swept
		}
		if !p.Needs(r) {
			r = troubledResult()
		}
		if !p.Needs(r) {
			if plotTables[p.Name].rows == nil {
				t.Errorf("%s has no table", p.Name)
			}
			continue
		}
		for _, runs := range [][]Run{{{Label: "one", Result: r}}, {{Label: "one", Result: r}, {Label: "two", Result: r}}} {
			s, err := NewSheet(p.Name, runs)
			if err != nil {
				t.Fatal(err)
			}
			checkTexts(t, p.Name, s.picture())
			for _, format := range SheetFormats() {
				draw := func() []byte { return render(t, func(w *bytes.Buffer) error { return s.Render(w, format) }) }
				first := draw()
				if format == "png" && len(runs) > 1 { // as svg, but slower
					continue
				}
				if !bytes.Equal(first, draw()) {
					t.Errorf("%s of %d runs: two drawings as %s differ", p.Name, len(runs), format)
				}
				if magic := map[string]string{"svg": "<?xml", "png": "\x89PNG", "pdf": "%PDF-"}[format]; !bytes.HasPrefix(first, []byte(magic)) {
					t.Errorf("%s: %.20q is no %s", p.Name, first, format)
				}
			}
			rows, err := csv.NewReader(bytes.NewReader(render(t, func(w *bytes.Buffer) error { return s.CSV(w) }))).ReadAll()
			if err != nil || len(rows) < 1+len(runs) || rows[0][0] != "run" || rows[1][0] != "one" || rows[len(rows)-1][0] != runs[len(runs)-1].Label {
				t.Errorf("%s: %d rows, %v: %.200q", p.Name, len(rows), err, rows)
			}
		}
	}
	if err := new(Sheet).Render(new(bytes.Buffer), "gif"); err == nil {
		t.Error("a sheet is drawn as gif")
	}
}

// What cannot be drawn is said before anything is, and of which run.
func TestSheetRefuses(t *testing.T) {
	one := Run{Label: "here", Result: typicalResult()}
	bare := Run{Label: "there", Result: &sim.Result{Scenario: "bare"}}
	for _, c := range []struct {
		plot string
		runs []Run
		want string
	}{
		{"throughputs", []Run{one}, `here is a run: it has no plot "throughputs", but throughput, stages, `},
		{"crossover", []Run{one}, "here: plot"},
		{"throughput", []Run{one, bare}, "there: plot"},
		{"throughput", nil, "0 results"},
		{"throughput", slices.Repeat([]Run{one}, MaxSheet+1), fmt.Sprintf("%d results", MaxSheet+1)},
	} {
		if _, err := NewSheet(c.plot, c.runs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %d: got %v, want %s", c.plot, len(c.runs), err, c.want)
		}
	}
}

// Several runs in one panel: each has its line, and the axis is logarithmic only where
// they are far apart.
func TestOverlay(t *testing.T) {
	runs := sheetRuns()
	s, err := NewSheet("throughput", runs)
	if err != nil {
		t.Fatal(err)
	}
	svg := string(render(t, func(w *bytes.Buffer) error { return s.Render(w, "svg") }))
	for i := range runs {
		if c := cssColour(seriesColours[i]); strings.Count(strings.ToLower(svg), c) < 2 { // legend and line
			t.Errorf("run %d has no line in %s", i+1, c)
		}
	}
	if !strings.Contains(svg, "two sockets") || !strings.Contains(svg, "hit ratio") {
		t.Error("the sheet does not name its runs, or has no hit ratios")
	}
	near, err := NewSheet("throughput", runs[:2])
	if err != nil {
		t.Fatal(err)
	}
	if p := near.throughputPanel(); p.Y.Min != 0 {
		t.Errorf("runs that are near each other begin at %v, not at 0", p.Y.Min)
	}
	for i := range runs[0].Result.Rounds {
		runs[0].Result.Rounds[i].Throughput /= 1000
	}
	if p := near.throughputPanel(); p.Y.Min <= 0 {
		t.Error("runs that are far apart have a linear axis")
	}
	for _, sheet := range []*Sheet{s, near} {
		checkTexts(t, "overlay", sheet.picture())
	}
	if *pictures != "" {
		for name, runs := range map[string][]Run{"near": sheetRuns(), "far": runs, "many": slices.Repeat(sheetRuns(), 5)} {
			s, err := NewSheet("throughput", runs)
			if err != nil {
				t.Fatal(err)
			}
			data := render(t, func(w *bytes.Buffer) error { return s.Render(w, "png") })
			if err := os.WriteFile(filepath.Join(*pictures, "overlay-"+name+".png"), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}
