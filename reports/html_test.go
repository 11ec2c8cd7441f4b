package reports

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stowage/sim"
)

var (
	pictures = flag.String("pictures", "", "`folder` for pictures of the pages that tests look at")
	long     = flag.Bool("long", false, "look at all pages: half a minute")
)

func htmlOf(t *testing.T, r *sim.Result) string {
	t.Helper()
	return string(render(t, func(w *bytes.Buffer) error { return HTML(w, r) }))
}

// The same result gives the same bytes, and every result gives a page.
func TestHTMLIsAFunctionOfTheResult(t *testing.T) {
	results := allResults()
	results["empty"] = &sim.Result{}
	for name, r := range results {
		a, b := htmlOf(t, r), htmlOf(t, r)
		if a != b {
			t.Errorf("%s: two pages differ", name)
		}
		if len(a) > 3<<20 {
			t.Errorf("%s: a page of %d bytes", name, len(a))
		}
	}
}

// A page needs nothing but itself: no address but those of XML names.
func TestHTMLIsSelfContained(t *testing.T) {
	page := htmlOf(t, typicalResult())
	for _, found := range regexp.MustCompile(`(src|href|srcset|action)="[^"#][^"]*"|url\([^)]*\)|@import`).FindAllString(page, -1) {
		t.Errorf("the page asks for %s", found)
	}
	for _, found := range regexp.MustCompile(`https?://[^\s"'<>)]*`).FindAllString(page, -1) {
		// A comment that names the author, and the name of a kind of XML.
		if found != "https://github.com/leeoniya/uPlot" && found != "http://www.w3.org/2000/svg" {
			t.Errorf("the page names %s", found)
		}
	}
}

// evil is text that is a script, or ends whatever it is in, by the names of where it is.
func evil(where string) string {
	return fmt.Sprintf(`</script></title></style><script>window.evil='%s'</script><img src=x onerror="window.evil=1">"'`+"`"+`${window.evil=1}{{.}} javascript:alert(1) \u003cscript>`+"\u2028\u202e日本", where)
}

// maliciousResult has scripts wherever its author can put text.
func maliciousResult() *sim.Result {
	r := typicalResult()
	r.Title, r.Scenario, r.Version = evil("title"), evil("scenario"), evil("version")
	r.Replacement, r.Scheme.Placement, r.Scheme.Schedule, r.Scheme.Objective = evil("replacement"), evil("placement"), evil("schedule"), evil("objective")
	for i := range r.Scheme.LayerNames {
		r.Scheme.LayerNames[i] = evil("layer")
	}
	for i := range r.Scheme.Layers {
		r.Scheme.Layers[i], r.Scheme.Pools[i] = evil("device"), evil("pool")
	}
	for i := range r.Scheme.Stages {
		r.Scheme.Stages[i].Device, r.Scheme.Stages[i].Pool, r.Scheme.Stages[i].Kind = evil("device"), evil("pool"), "gpu"
	}
	for i := range r.Curves {
		r.Curves[i].Layer, r.Curves[i].Policy = evil("curve"), evil("policy")
	}
	r.Metrics = append(r.Metrics, sim.Metric{Name: evil("metric"), Value: 1, Unit: evil("unit")})
	r.Search.Certificate, r.Search.Stopped = evil("certificate"), evil("stopped")
	r.Warnings = []string{evil("warning")}
	r.Resolved = evil("resolved")
	for i := range r.Timeline.Tracks {
		r.Timeline.Tracks[i].Name = evil("track")
	}
	r.Stalls = []sim.Stall{{Cause: evil("cause"), Time: 1, Share: 1}}
	w := askedResult().WhatIf
	w.Price.Pool, w.Price.Ranges[0].Choice.Stages[0], w.Node.With[0].Pool = evil("price"), evil("choice"), evil("node")
	r.WhatIf = w
	l := leveledResult().Levels
	l.Finalists[0].Stages[0], l.Finalists[2].Infeasible = evil("finalist"), evil("infeasible")
	r.Levels = l
	s := sweptResult().Sweep
	s.Layer, s.Points[0].Replacement, s.Points[1].Pool = evil("swept"), evil("replacement"), evil("pool")
	r.Sweep = s
	return r
}

// maliciousComparison has scripts in names and reasons.
func maliciousComparison() *sim.Comparison {
	c := smallComparison()
	c.Title, c.Scenario, c.Version, c.Objective, c.Fidelity, c.Stopped = evil("title"), evil("scenario"), evil("version"), evil("objective"), evil("fidelity"), evil("stopped")
	c.Skipped = append(c.Skipped, sim.SkippedPolicy{Policy: evil("policy"), Reason: evil("reason")})
	for i := range c.Runs {
		c.Runs[i].Policy += evil("policy")
		if c.Runs[i].Infeasible != "" {
			c.Runs[i].Infeasible = evil("infeasible")
		}
		if r := c.Runs[i].Result; r != nil {
			bad := maliciousResult()
			r.Scheme, r.Resolved = bad.Scheme, evil("resolved")
			r.Metrics = append(r.Metrics, sim.Metric{Name: evil("metric"), Value: 1, Unit: evil("unit")})
		}
	}
	return c
}

// maliciousAgainst has scripts in what a baseline names.
func maliciousAgainst() *Against {
	a := partial()
	a.Baseline, a.Old, a.New = evil("baseline"), evil("old"), evil("new")
	for i := range a.Rows {
		a.Rows[i].Scenario, a.Rows[i].Placement, a.Rows[i].Replacement = evil("scenario"), evil("placement"), evil("replacement")
		a.Rows[i].Spread = evil("spread")
	}
	a.Faults = append(a.Faults, AgainstNote{evil("scenario"), evil("fault")})
	a.Notes = append(a.Notes, AgainstNote{evil("scenario"), evil("note")})
	return a
}

// maliciousReplay has scripts in the name of its file, and of devices.
func maliciousReplay() *Replay {
	r := curvedReplay()
	r.Trace, r.Format = "a/"+strings.ReplaceAll(evil("trace"), "/", "|"), evil("format")
	for i := range r.Tables {
		r.Tables[i].Policy = evil("policy")
	}
	for i := range r.Devices {
		r.Devices[i].Device = evil("device")
	}
	return r
}

// pieces are where a page may hold markup of ours.
var (
	scripts = regexp.MustCompile(`<script`)
	handler = regexp.MustCompile(`(?i)<[a-z][^<>]*\son[a-z]+=`)
	image   = regexp.MustCompile(`<img.{0,60}`)
	// A value in quotes is a value, whatever is in it.
	attribute = regexp.MustCompile(`="[^"]*"`)
)

// Text of a scenario's author stays text: the page has as many scripts as one of a good
// author, and no other element than those.
func TestHTMLEscapes(t *testing.T) {
	pages := browserPages()
	for name, first := range map[string]string{"malicious": "title", "compare-malicious": "title", "against-malicious": "baseline", "replay-malicious": "trace"} {
		page := string(render(t, func(w *bytes.Buffer) error { return pages[name].write(w) }))
		if n, want := len(scripts.FindAllString(page, -1)), 4; n != want {
			t.Errorf("%s: %d scripts, want %d", name, n, want)
		}
		tags := attribute.ReplaceAllString(page, `=""`)
		for _, found := range append(handler.FindAllString(tags, 3), image.FindAllString(page, 3)...) {
			t.Errorf("%s: an element of the author's got through: %.200q", name, found)
		}
		if !strings.Contains(page, "&lt;script&gt;window.evil=&#39;"+first+"&#39;") {
			t.Errorf("%s: the %s is not there: nothing was tested", name, first)
		}
	}
}

// browserPages are those that are looked at.
func browserPages() map[string]*page {
	pages := map[string]*page{}
	for name, r := range resultPages() {
		pages[name] = pageOf(r)
	}
	malicious, bad := maliciousComparison(), maliciousReplay()
	for name, c := range map[string]*sim.Comparison{"compare-proven": provenComparison(), "compare-replacement": replacementComparison(), "compare-wide": wideComparison(), "compare-malicious": malicious} {
		pages[name] = pageOfComparison(c)
	}
	pages["against"], pages["against-malicious"] = pageOfAgainst(partial()), pageOfAgainst(maliciousAgainst())
	pages["replay"], pages["replay-malicious"] = pageOfReplays([]*Replay{curvedReplay(), smallReplay(), wideReplay()}), pageOfReplays([]*Replay{bad, curvedReplay()})
	return pages
}

func resultPages() map[string]*sim.Result {
	rich := typicalResult()
	l, a, tr, sw := leveledResult(), askedResult(), tieredResult(), sweptResult()
	rich.Levels, rich.WhatIf, rich.Stalls, rich.Sweep = l.Levels, a.WhatIf, tr.Stalls, sw.Sweep
	rich.Warnings = []string{"the simulated throughput, 1234 samples/s, misses min_throughput = 2000, which the closed-form fitness took to be kept"}
	rich.Scheme.Stages[0].Memory, rich.Scheme.Stages[1].Memory = smallResult().Scheme.Stages[0].Memory, smallResult().Scheme.Stages[1].Memory
	return map[string]*sim.Result{"rich": rich, "hostile": hostileResult(), "malicious": maliciousResult(), "large": largeResult(), "one": oneRound(), "bytype": byTypeResult(), "empty": {}}
}

// shortPages are those that are looked at without -long: a page takes a second.
var shortPages = []string{"rich", "malicious", "compare-malicious", "against-malicious", "replay-malicious"}

// In a browser, pages render without a complaint, fit the window, and run no script but
// ours.
func TestHTMLInBrowser(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	for name, p := range browserPages() {
		if !*long && *pictures == "" && !slices.Contains(shortPages, name) {
			continue
		}
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, render(t, func(w *bytes.Buffer) error { return p.write(w) }), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{390, 1440} {
			for _, scheme := range []string{"light", "dark"} {
				what := fmt.Sprintf("%s-%d-%s", name, width, scheme)
				b.show(path, width, 900, scheme)
				lookAt(t, b, what, p, width)
				if *pictures != "" {
					b.picture(filepath.Join(*pictures, what+".png"), width)
				}
			}
		}
	}
}

// lookAt checks a page that is shown.
func lookAt(t *testing.T, b *browser, what string, p *page, width int) {
	t.Helper()
	var page struct {
		Title, Charts string
		Error, Evil   any
		Wide, Drawn   int
		Past          []string
	}
	b.value(`(() => { const d = document.documentElement; return {
		Title: document.title, Charts: d.dataset.charts || "", Error: d.dataset.error || null, Evil: window.evil || null,
		Wide: d.scrollWidth, Drawn: document.querySelectorAll("canvas").length,
		Past: [...document.querySelectorAll("main *, header *")].filter(e => !e.closest(".scroll, pre, .unseen, .u-wrap, svg") && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className).slice(0, 5),
	}})()`, &page)
	if want := len(p.Charts); page.Charts != fmt.Sprint(want) || page.Drawn != want {
		t.Errorf("%s: %s charts and %d canvases, want %d", what, page.Charts, page.Drawn, want)
	}
	if page.Error != nil || page.Evil != nil {
		t.Errorf("%s: error %v, an author's script ran: %v", what, page.Error, page.Evil)
	}
	if page.Wide > width || len(page.Past) > 0 {
		t.Errorf("%s: %d pixels wide, want %d; past the edge: %q", what, page.Wide, width, page.Past)
	}
	if !strings.HasSuffix(page.Title, "Stowage") || !strings.HasPrefix(page.Title, strings.Fields(p.Title)[0]) {
		t.Errorf("%s: the title is %q", what, page.Title)
	}
	for _, said := range b.complaints() {
		t.Errorf("%s: %s", what, said)
	}
}

// The browser's ears work: else the test above could not fail.
func TestBrowserHearsComplaints(t *testing.T) {
	b := openBrowser(t)
	path := filepath.Join(t.TempDir(), "bad.html")
	const bad = `<!DOCTYPE html><html><body><div style="width:2000px">x</div><script>console.error("heard"); document.documentElement.dataset.charts = "0"; nothing.there();</script>`
	if err := os.WriteFile(path, []byte(bad), 0o666); err != nil {
		t.Fatal(err)
	}
	b.show(path, 1440, 900, "light")
	var wide int
	b.value("document.documentElement.scrollWidth", &wide)
	said := strings.Join(b.complaints(), "\n")
	if !strings.Contains(said, "heard") || !strings.Contains(said, "nothing is not defined") || wide < 2000 {
		t.Errorf("the browser heard %q and saw %d pixels", said, wide)
	}
}

// A page can be read by keyboard: everything can be reached, what has the focus shows,
// and charts tell their values.
func TestHTMLByKeyboard(t *testing.T) {
	b := openBrowser(t)
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(htmlOf(t, resultPages()["rich"])), 0o666); err != nil {
		t.Fatal(err)
	}
	b.show(path, 1440, 900, "light")
	b.press("Tab")
	var first string
	b.value("document.activeElement.textContent", &first)
	if first != "Skip to the results" {
		t.Errorf("the first stop is %q, not a way past the head", first)
	}
	var can int
	b.value(`document.querySelectorAll("a[href], button, summary, [tabindex='0']").length`, &can)
	stops := map[string]bool{}
	for range can + 5 {
		var at struct{ Tag, Name, Outline string }
		b.value(`(() => { const e = document.activeElement; return {Tag: e.tagName + " " + e.className, Name: e.getAttribute("aria-label") || e.textContent.slice(0, 60), Outline: getComputedStyle(e).outlineStyle}})()`, &at)
		if at.Outline == "none" && at.Tag != "BODY " {
			t.Errorf("%s %q has the focus, and it does not show", at.Tag, at.Name)
		}
		stops[at.Tag+at.Name] = true
		b.press("Tab")
	}
	plots := 0
	for s := range stops {
		if strings.HasPrefix(s, "DIV plot") {
			plots++
		}
	}
	if want := len(browserPages()["rich"].Charts) + 1; plots != want { // and the timeline
		t.Errorf("%d of %d charts can be reached", plots, want)
	}
	b.value(`(document.querySelector("#chart-throughput .plot").focus(), 0)`, &can)
	b.press("End")
	var status string
	b.value(`document.querySelector("#chart-throughput [role=status]").textContent`, &status)
	if !strings.HasPrefix(status, "round 300: ") || !strings.Contains(status, "a round ") {
		t.Errorf("at the last round the chart says %q", status)
	}
	b.value(`(document.querySelector("#timeline-figure .plot").focus(), 0)`, &can)
	var whole, half string
	b.value(`document.documentElement.dataset.spans`, &whole)
	b.press("End") // the whole is in view: it stays
	b.value(`(document.querySelector("#timeline-figure [data-zoom='0.5']").click(), 0)`, &can)
	b.press("End")
	b.value(`document.documentElement.dataset.spans`, &half)
	if whole == half || half == "0" {
		t.Errorf("of %s spans the last half shows %s", whole, half)
	}
	b.value(`document.querySelector("#timeline-figure .says").textContent`, &status)
	if status != "In view: 50.125 µs to 100.25 µs" {
		t.Errorf("after zooming in and going to the end the timeline says %q", status)
	}
	var hovered string
	b.value(`(() => { const e = document.querySelector("#timeline-figure [data-span]"); e.dispatchEvent(new PointerEvent("pointermove", {bubbles: true})); return document.querySelector("#timeline-figure .says").textContent })()`, &hovered)
	if !strings.Contains(hovered, "stage 1: ") || !strings.Contains(hovered, " for ") {
		t.Errorf("over a span the timeline says %q", hovered)
	}
	if said := b.complaints(); len(said) > 0 {
		t.Errorf("%q", said)
	}
}
