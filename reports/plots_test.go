package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"
	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/sim"
)

var plotDir = flag.String("plots", "", "keep the plots of TestWritePlots in this folder, to look at them")

// All plots of all results are drawn, in both formats; the SVG is well-formed
// XML and the PNG is a picture of the size that Plot says, with ink on it.
func TestWritePlots(t *testing.T) {
	for name, r := range allResults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if *plotDir != "" {
				dir = filepath.Join(*plotDir, name)
			}
			files, err := WritePlots(dir, r, nil)
			if err != nil {
				t.Fatal(err)
			}
			all := readAll(t, dir)
			var want []string
			for _, p := range Plots() {
				if !p.Needs(r) {
					continue
				}
				want = append(want, filepath.Join(dir, p.Name+".svg"), filepath.Join(dir, p.Name+".png"))
				checkSVG(t, p.Name, all[p.Name+".svg"])
				checkPNG(t, &p, r, all[p.Name+".png"])
			}
			if !slices.Equal(files, want) {
				t.Errorf("files are %v, want %v", files, want)
			}
		})
	}
}

func checkSVG(t *testing.T, name, svg string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(svg))
	texts := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("%s.svg is not XML: %v", name, err)
			return
		}
		if start, ok := tok.(xml.StartElement); ok {
			switch start.Name.Local {
			case "text":
				texts++
			case "script", "image":
				t.Errorf("%s.svg has an element %s", name, start.Name.Local)
			}
		}
	}
	if texts < 4 {
		t.Errorf("%s.svg has only %d texts", name, texts)
	}
	if !strings.Contains(svg, "<title>") || strings.Contains(svg, svgFont) {
		t.Errorf("%s.svg: title missing or fonts without alternatives", name)
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("%s.svg has coordinates that are not numbers", name)
	}
}

func checkPNG(t *testing.T, p *Plot, r *sim.Result, data string) {
	t.Helper()
	img, err := png.Decode(strings.NewReader(data))
	if err != nil {
		t.Errorf("%s.png: %v", p.Name, err)
		return
	}
	w, h := p.Size(r)
	if b := img.Bounds(); b.Dx() != int(w.Dots(float64(pngDPI))+0.5) || b.Dy() != int(h.Dots(float64(pngDPI))+0.5) {
		t.Errorf("%s.png is %v, want %v × %v points", p.Name, b, w, h)
	}
	colours := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
			cr, cg, cb, _ := img.At(x, y).RGBA()
			colours[[3]uint32{cr, cg, cb}] = true
		}
	}
	if len(colours) < 10 {
		t.Errorf("%s.png has only %d colours", p.Name, len(colours))
	}
}

// Two drawings of one result are the same to the byte.
func TestPlotsAreDeterministic(t *testing.T) {
	for _, r := range []*sim.Result{typicalResult(), hostileResult(), sweptResult(), widelySweptResult()} {
		for _, p := range Plots() {
			if !p.Needs(r) {
				continue
			}
			for _, f := range plotFormats {
				one := render(t, func(w *bytes.Buffer) error { return f.render(w, p.picture(r)) })
				two := render(t, func(w *bytes.Buffer) error { return f.render(w, p.picture(r)) })
				if !bytes.Equal(one, two) {
					t.Errorf("%s.%s differs between two drawings", p.Name, f.extension)
				}
			}
		}
	}
}

func TestChoosePlots(t *testing.T) {
	names := func(ps []Plot) (s []string) {
		for _, p := range ps {
			s = append(s, p.Name)
		}
		return s
	}
	for _, tc := range []struct {
		r     *sim.Result
		names []string
		want  string
		err   string
	}{
		{smallResult(), nil, "throughput stages layers hits fitness timeline memory", ""},
		{twelveStages(), nil, "throughput stages layers fitness timeline", ""},
		{sweptResult(), nil, "throughput stages layers hits policies slots crossover fitness timeline memory", ""},
		{&sim.Result{}, nil, "", ""},
		{smallResult(), []string{"hits", "stages", "hits"}, "hits stages", ""},
		{smallResult(), []string{"hit"}, "", `unknown plot "hit": known plots are throughput, stages, layers, hits, policies, slots, crossover, fitness, timeline, memory, trouble`},
		{twelveStages(), []string{"stages", "hits"}, "", `plot "hits" needs curves of slot tables: the result of scenario "mixed" has none`},
	} {
		got, err := choosePlots(tc.r, tc.names)
		if strings.Join(names(got), " ") != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%v: got %v, %v, want %q, %q", tc.names, names(got), err, tc.want, tc.err)
		}
	}
	dir := t.TempDir()
	if _, err := WritePlots(dir, twelveStages(), []string{"stages", "hits"}); err == nil || len(listDir(t, dir)) > 0 {
		t.Errorf("error %v, files %v", err, listDir(t, dir))
	}
}

// textBox is where a text of a plot lies.
type textBox struct {
	text string
	vg.Rectangle
}

// textBoxes draws p on a recording canvas and returns where its texts lie. It
// follows the shifts and quarter turns that the drawing makes.
func textBoxes(p picture) []textBox {
	var rec recorder.Canvas
	p.draw(draw.NewCanvas(&rec, p.w, p.h))
	type frame struct {
		at     vg.Point
		turned bool
	}
	stack := []frame{{}}
	var boxes []textBox
	for _, a := range rec.Actions {
		top := &stack[len(stack)-1]
		switch a := a.(type) {
		case *recorder.Push:
			stack = append(stack, *top)
		case *recorder.Pop:
			stack = stack[:len(stack)-1]
		case *recorder.Rotate:
			top.turned = top.turned != (math.Abs(a.Angle-math.Pi/2) < 1e-9)
		case *recorder.Translate:
			top.at = top.at.Add(a.Point)
		case *recorder.FillString:
			face := font.DefaultCache.Lookup(a.Font, a.Size)
			width, e := face.Width(a.String), face.Extents()
			lo, hi := a.Point, a.Point.Add(vg.Point{X: width, Y: e.Ascent * 0.72}) // capitals
			if top.turned {
				lo, hi = vg.Point{X: -hi.Y, Y: lo.X}, vg.Point{X: -lo.Y, Y: hi.X}
			}
			if strings.TrimSpace(a.String) != "" {
				boxes = append(boxes, textBox{a.String, vg.Rectangle{Min: lo.Add(top.at), Max: hi.Add(top.at)}})
			}
		}
	}
	return boxes
}

// No text leaves the canvas and no text lies on another, in any plot of any
// result: one round or 5000, 60-character names, 420 layers, 70 stages.
func TestTextsKeepApart(t *testing.T) {
	for name, r := range allResults() {
		for _, p := range Plots() {
			if !p.Needs(r) {
				continue
			}
			checkTexts(t, p.Name+" of "+name, p.picture(r))
		}
	}
}

func checkTexts(t *testing.T, name string, p picture) {
	t.Helper()
	boxes := textBoxes(p)
	if len(boxes) < 4 {
		t.Errorf("%s: only %d texts", name, len(boxes))
	}
	for i, a := range boxes {
		if a.Min.X < 0 || a.Min.Y < 0 || a.Max.X > p.w || a.Max.Y > p.h {
			t.Errorf("%s: %q leaves the canvas at %v", name, a.text, a.Rectangle)
		}
		for _, b := range boxes[:i] {
			if a.Min.X < b.Max.X-0.01 && b.Min.X < a.Max.X-0.01 && a.Min.Y < b.Max.Y-0.01 && b.Min.Y < a.Max.Y-0.01 {
				t.Errorf("%s: %q at %v lies on %q at %v", name, a.text, a.Rectangle, b.text, b.Rectangle)
			}
		}
	}
}

func tickTexts(ticks fixedTicks) string {
	var s []string
	for _, t := range ticks {
		if t.Label != "" {
			s = append(s, t.Label)
		}
	}
	return strings.Join(s, " | ")
}

func TestAxes(t *testing.T) {
	for _, tc := range []struct {
		axis       func(lo, hi float64) (float64, float64, fixedTicks)
		lo, hi     float64
		from, to   float64
		wantLabels string
	}{
		{linear6, 0, 155000, 0, 200000, "0 | 50 k | 100 k | 150 k | 200 k"},
		{linear6, 0, 1, 0, 1, "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1.0"},
		{linear6, 0, 14, 0, 15, "0 | 2.5 | 5.0 | 7.5 | 10.0 | 12.5 | 15.0"},
		{linear6, 5, 5, 2, 8, "2 | 3 | 4 | 5 | 6 | 7 | 8"},
		{linear6, 0, 0, -1, 1, "-1.0 | -0.5 | 0 | 0.5 | 1.0"},
		{linear6, -2, -0.0125, -2, 0, "-2.0 | -1.5 | -1.0 | -0.5 | 0"},
		{linear6, 999000, 1001000, 999000, 1001000, "0.9990 M | 0.9995 M | 1.0000 M | 1.0005 M | 1.0010 M"},
		{count10, 1, 300, 1, 300, "1 | 50 | 100 | 150 | 200 | 250 | 300"},
		{count10, 1, 5, 1, 5, "1 | 2 | 3 | 4 | 5"},
		{count10, 1, 1, 0.5, 1.5, "1"},
		{count10, 0, 79, 0, 79, "0 | 10 | 20 | 30 | 40 | 50 | 60 | 70"},
		{count10, 1, 21, 1, 21, "1 | 2 | 4 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20"},
		{count10, 1, 26, 1, 26, "1 | 5 | 10 | 15 | 20 | 25"},
		{logAxis, 1, 1e6, 0.66, 1.52e6, "1 | 10 | 100 | 1 k | 10 k | 100 k | 1 M"},
		{logAxis, 300, 6000, 274, 6570, "500 | 1 k | 2 k | 5 k"},
		{logAxis, 100, 100, 50, 200, "50 | 100 | 200"},
		{logAxis, 1, 1e18, 0.29, 3.5e18, "1 | 1 k | 1 M | 1 G | 1 T | 1 P | 1 E"},
	} {
		from, to, ticks := tc.axis(tc.lo, tc.hi)
		if math.Abs(from-tc.from) > 0.01*math.Abs(tc.from)+1e-12 || math.Abs(to-tc.to) > 0.01*math.Abs(tc.to)+1e-12 || tickTexts(ticks) != tc.wantLabels {
			t.Errorf("%v to %v: got %v to %v, %s; want %v to %v, %s", tc.lo, tc.hi, from, to, tickTexts(ticks), tc.from, tc.to, tc.wantLabels)
		}
	}
}

func linear6(lo, hi float64) (float64, float64, fixedTicks) { return linearAxis(lo, hi, 6) }
func count10(lo, hi float64) (float64, float64, fixedTicks) { return countAxis(lo, hi, 10) }

// Axes hold their data and have a handful of different labels, whatever the data.
func TestAxesAnyRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := math.Pow(10, rapid.Float64Range(-3, 12).Draw(t, "log lo"))
		hi := lo * math.Pow(10, rapid.Float64Range(0.001, 9).Draw(t, "log ratio"))
		for name, axis := range map[string]func(lo, hi float64) (float64, float64, fixedTicks){"linear": linear6, "log": logAxis} {
			from, to, ticks := axis(lo, hi)
			// A hair beyond the last step is not worth another one.
			if hair := (hi - lo) * 1e-8; from > lo+hair || to < hi-hair {
				t.Fatalf("%s axis from %v to %v does not hold %v to %v", name, from, to, lo, hi)
			}
			checkTicks(t, name, ticks, from, to)
			if n := len(strings.Split(tickTexts(ticks), " | ")); n > 13 || n < 2 {
				t.Fatalf("%s axis from %v to %v has labels %s", name, from, to, tickTexts(ticks))
			}
		}
		first := float64(rapid.IntRange(0, 1000).Draw(t, "first"))
		last := first + float64(rapid.IntRange(1, 1_000_000).Draw(t, "rounds"))
		from, to, ticks := count10(first, last)
		if from != first || to != last || len(ticks) < 2 || len(ticks) > 12 {
			t.Fatalf("count axis %v to %v: %v to %v, %s", first, last, from, to, tickTexts(ticks))
		}
		checkTicks(t, "count", ticks, from, to)
	})
}

func checkTicks(t *rapid.T, name string, ticks fixedTicks, from, to float64) {
	seen := map[string]bool{}
	slack := (to - from) * 1e-9
	for i, tick := range ticks {
		if tick.Value < from-slack || tick.Value > to+slack || i > 0 && tick.Value <= ticks[i-1].Value {
			t.Fatalf("%s axis from %v to %v: tick %d is at %v", name, from, to, i, tick.Value)
		}
		if tick.Label != "" && seen[tick.Label] {
			t.Fatalf("%s axis from %v to %v: label %q twice", name, from, to, tick.Label)
		}
		seen[tick.Label] = true
	}
}

// The rolling mean is weighted: two rounds of 1 s and 3 s with 100 and 20
// samples/s make (100 + 60) / 4 = 40 samples/s, not 60.
func TestRolling(t *testing.T) {
	rounds := []sim.Round{{Round: 1, Throughput: 100}, {Round: 2, Throughput: 20}, {Round: 3, Throughput: 50}}
	weights := []float64{1, 3, 0}
	got := rolling(rounds, 3, func(d *sim.Round) (amount, weight float64) {
		w := weights[d.Round-1]
		return d.Throughput * w, w
	})
	if want := []point{{1, 100}, {2, 40}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: the last round has no weight", got, want)
	}
	// A constant stays itself, and the line ends before the window gets too small.
	many := make([]sim.Round, 400)
	for i := range many {
		many[i].Round = i + 1
	}
	got = rolling(many, 21, func(*sim.Round) (amount, weight float64) { return 14, 2 })
	if len(got) != 396 || got[0] != (point{3, 7}) || got[395] != (point{398, 7}) {
		t.Errorf("%d points from %v to %v", len(got), got[0], got[len(got)-1])
	}
}

func TestCurveAt(t *testing.T) {
	c := &sim.Curve{Points: []sim.CurvePoint{{Slots: 1000, HitRatio: 0.4, Warm: 0.6}, {Slots: 10, HitRatio: 0.2, Warm: 0.2}, {Slots: 0, HitRatio: 0}}}
	for _, tc := range []struct {
		slots     int
		all, warm float64
		ok        bool
	}{{10, 0.2, 0.2, true}, {100, 0.3, 0.4, true}, {1000, 0.4, 0.6, true}, {9, 0, 0, false}, {1001, 0, 0, false}, {0, 0, 0, false}} {
		all, warm, ok := curveAt(c, tc.slots)
		if math.Abs(all-tc.all) > 1e-12 || math.Abs(warm-tc.warm) > 1e-12 || ok != tc.ok {
			t.Errorf("%d slots: got %v %v %v, want %v %v %v", tc.slots, all, warm, ok, tc.all, tc.warm, tc.ok)
		}
	}
}

// Device types keep to the family of their kind and differ from each other, and
// the order of stages does not matter.
func TestDeviceColours(t *testing.T) {
	r := twelveStages()
	devices, colours := deviceColours(r)
	if want := []string{"a100-40", "ascend-910", "t4", "v100-32", "xeon-6148"}; !slices.Equal(devices, want) {
		t.Errorf("devices are %v, want %v", devices, want)
	}
	for device, want := range map[string]any{"a100-40": blend(vermillion, white, 0.3), "t4": yellow, "v100-32": orange, "ascend-910": green, "xeon-6148": skyBlue} {
		if colours[device] != want {
			t.Errorf("%s is %v, want %v", device, colours[device], want)
		}
	}
	slices.Reverse(r.Scheme.Stages)
	slices.Reverse(r.Scheme.Layers)
	_, again := deviceColours(r)
	for device, c := range colours {
		if again[device] != c {
			t.Errorf("%s changes its colour with the order of stages", device)
		}
	}
	_, many := deviceColours(largeResult())
	seen := map[any]string{}
	for device, c := range many {
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s have one colour", device, other)
		}
		seen[c] = device
	}
}

// Every shipped device type has one colour of its own, and keeps it whatever is beside it.
func TestShippedColours(t *testing.T) {
	seen := map[any]string{}
	for _, d := range hw.Devices() {
		c, ok := shippedColours[d.Name]
		if !ok {
			t.Errorf("%s has no colour", d.Name)
		}
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s have one colour", d.Name, other)
		}
		seen[c] = d.Name
		kind := map[string]string{d.Name: string(d.Kind), "a-new-one": string(d.Kind)}
		of := coloursByKind([]string{"a-new-one", d.Name}, kind)
		if of[d.Name] != c || of["a-new-one"] == c {
			t.Errorf("%s is %v beside a new device type, which is %v", d.Name, of[d.Name], of["a-new-one"])
		}
	}
	if len(seen) != len(shippedColours) {
		t.Errorf("%d colours for %d device types", len(shippedColours), len(seen))
	}
}

func TestDrawable(t *testing.T) {
	for s, want := range map[string]string{
		"v100-32 × 4 · emb…fc1": "v100-32 × 4 · emb…fc1",
		"日本 µ é":                "?? µ é",
		"a\x00b\x1b[1m\nc":      "a?b?[1m c",
		"bad \xff utf-8":        "bad ? utf-8",
		"":                      "",
	} {
		if got := drawable(s); got != want {
			t.Errorf("drawable(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestShortenTo(t *testing.T) {
	st := style(sans, tickSize, ink)
	rapid.Check(t, func(t *rapid.T) {
		s := drawable(rapid.StringN(0, 40, -1).Draw(t, "s"))
		width := vg.Length(rapid.Float64Range(0, 200).Draw(t, "width"))
		for _, short := range []string{shortenTo(s, st, width), clipTo(s, st, width)} {
			if st.Width(short) > width {
				t.Fatalf("%q is %v wide, not %v", short, st.Width(short), width)
			}
			if st.Width(s) <= width && short != s {
				t.Fatalf("%q fits in %v and became %q", s, width, short)
			}
		}
	})
}

// A plot of points that a logarithmic axis cannot show leaves them out instead
// of panicking.
func TestLogAxisLeavesOutZero(t *testing.T) {
	p := newPanel("", "")
	setLogAxis(&p.X, 1, 1e6)
	setAxis(&p.Y, 0, 1, nil)
	got := inside([]point{{0, 1}, {-1, 1}, {10, 0}}, p)
	if want := []point{{10, 0}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, ok := p.X.Scale.(plot.LogScale); !ok {
		t.Error("the axis is not logarithmic")
	}
	r := smallResult()
	r.Search.History = []sim.Generation{{Evaluations: 0, Best: 0}, {Evaluations: 1, Best: 1}, {Evaluations: 100000, Best: 1e9}}
	r.Search.Evaluations = 200000
	r.Rounds[0].Throughput = 0
	r.Rounds[1].Throughput = 1e9
	if _, err := WritePlots(t.TempDir(), r, []string{"fitness", "throughput"}); err != nil {
		t.Error(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	r := typicalResult()
	dir := b.TempDir()
	small := pngDPI
	pngDPI = 150 // as users get it
	defer func() { pngDPI = small }()
	for b.Loop() {
		if _, err := Write(dir, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSummary(b *testing.B) {
	r := typicalResult()
	for b.Loop() {
		if err := Summary(io.Discard, r, 100); err != nil {
			b.Fatal(err)
		}
	}
}
