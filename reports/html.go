package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"

	"stowage/sim"
)

// uPlot 1.6.32 (MIT, see html/uPlot.LICENSE) draws the charts: 50 kB that need nothing
// else, where echarts takes a megabyte and a network.
//
//go:embed html/report.tmpl html/report.css html/report.js html/uPlot.iife.min.js html/uPlot.min.css
var htmlFiles embed.FS

// htmlFile returns a file that is compiled in.
func htmlFile(name string) string {
	data, err := htmlFiles.ReadFile("html/" + name)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(data))
}

var htmlPage = template.Must(template.New("report").Parse(htmlFile("report.tmpl")))

// page is what the template shows. What a scenario's author wrote is in strings, which
// the template escapes, and in Charts, which is data and not code.
type page struct {
	Title, Version, Verdict string
	Kicker                  string // what it is about
	Function                string // what it is a function of, as a sentence
	Facts                   []fact
	Warnings                []string
	Sections                []section
	Charts                  []*chart
	Timeline                *pageTimeline

	CSS, ChartCSS template.CSS
	JS, ChartJS   template.JS
	Policy        string // Content-Security-Policy
}

// fact is something to know of the run, in two words.
type fact struct{ Name, Value string }

// section is a part of the page with a place in its table of contents.
type section struct {
	ID, Title, Lede string
	Parts           []part
}

// part is one thing in a section; most have few of these.
type part struct {
	Heading string
	Cards   []card
	Scheme  *schemePicture
	Chart   *chart
	// Timeline is at most one of a page.
	Timeline *pageTimeline
	Legend   []legendEntry
	Table    *htmlTable
	Notes    []string
	Pre      string
}

// legendEntry says what a colour means.
type legendEntry struct{ Name, Colour string }

// HTML writes r as one page for people that needs no other file and no network. It is a
// pure function of r.
//
// The page may run the two scripts that are compiled in and no other, by their hashes:
// should an author's text ever get through the escaping, browsers will not run it.
func HTML(w io.Writer, r *sim.Result) error {
	if err := checkFinite(r); err != nil {
		return err
	}
	return pageOf(r).write(w)
}

// write fills in what all pages share, and the template.
func (p *page) write(w io.Writer) error {
	js, chartJS := htmlFile("report.js"), htmlFile("uPlot.iife.min.js")
	p.JS, p.ChartJS = template.JS(js), template.JS(chartJS)
	p.CSS, p.ChartCSS = template.CSS(htmlFile("report.css")), template.CSS(htmlFile("uPlot.min.css"))
	p.Policy = "default-src 'none'; style-src 'unsafe-inline'; script-src " + scriptHash(js) + " " + scriptHash(chartJS) + "; base-uri 'none'; form-action 'none'"
	var b bytes.Buffer
	if err := htmlPage.Execute(&b, p); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// scriptHash names a script in a Content-Security-Policy.
func scriptHash(js string) string {
	sum := sha256.Sum256([]byte(js))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pageOf says everything there is to say about r.
func pageOf(r *sim.Result) *page {
	p := &page{
		Title: title(r), Version: printable(r.Version), Verdict: verdictOf(r), Facts: factsOf(r),
		Kicker: "one simulated training run", Function: "This file is a function of scenario, seed and version alone.",
	}
	for _, w := range r.Warnings {
		p.Warnings = append(p.Warnings, printable(w))
	}
	for _, make := range []func(*sim.Result) section{
		headlineSection, schemeSection, roundsSection, jobsSection, troubleSection, slotsSection, stagesSection, timelineSection, memorySection,
		tradeSection, levelsSection, sweepSection, whatIfSection, searchSection, reproduceSection,
	} {
		p.add(make(r))
	}
	return p
}

// add appends a section, unless there is nothing in it.
func (p *page) add(s section) {
	if len(s.Parts) == 0 {
		return
	}
	p.Sections = append(p.Sections, s)
	for i := range s.Parts {
		if t := s.Parts[i].Timeline; t != nil {
			p.Timeline = t
		}
		if c := s.Parts[i].Chart; c != nil {
			p.Charts = append(p.Charts, c)
			if c.Title != s.Title {
				c.Head = c.Title
			}
		}
	}
}
