package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"stowage/sim"
)

// verdictOf says in two or three sentences what came out.
func verdictOf(r *sim.Result) string {
	var say []string
	if x, ok := r.Metrics.Get("throughput"); ok {
		line := fmt.Sprintf("The target scheme trains %s samples per second", formatNumber(x.Value))
		if g, ok := r.Metrics.Get("goodput"); ok && g.Value < x.Value {
			line += fmt.Sprintf(" and %s without those that were lost", formatNumber(g.Value))
		}
		if c, ok := r.Metrics.Get("cost"); ok && c.Value > 0 {
			line += fmt.Sprintf(", at %s USD per million samples", formatNumber(c.Value))
		}
		say = append(say, line+".")
	}
	stages := r.Scheme.Stages
	if len(stages) > 0 {
		most := 0
		for i := range stages {
			if stages[i].Busy > stages[most].Busy {
				most = i
			}
		}
		s := &stages[most]
		line := fmt.Sprintf("Stage %d (%s: %s) works hardest: it computes %s of the time", most+1, deviceCount(s), layerSpan(r, s), formatShare(s.Busy))
		if s.Stall >= 0.05 {
			line += fmt.Sprintf(" and waits for embedding rows for %s of it", formatShare(s.Stall))
		}
		say = append(say, line+".")
	}
	if h, ok := r.Metrics.Get("hit_ratio"); ok {
		say = append(say, fmt.Sprintf("%s of the unique rows looked up were in a slot already.", formatShare(h.Value)))
	}
	if g, ok := r.Metrics.Get("gap"); ok {
		if g.Value < 0.005 {
			say = append(say, "By the fitness that was searched with, no scheme is better: that is proven.")
		} else {
			say = append(say, fmt.Sprintf("By the fitness that was searched with, no scheme can be more than %s %% better.", formatNumber(g.Value)))
		}
	}
	return strings.Join(say, " ")
}

// factsOf names what was run.
func factsOf(r *sim.Result) (facts []fact) {
	add := func(name, value string) {
		if v := printable(value); v != "" {
			facts = append(facts, fact{name, v})
		}
	}
	add("scenario", r.Scenario)
	add("seed", strconv.FormatInt(r.Seed, 10))
	if n := len(r.Rounds); n > 0 {
		add("rounds", formatCount(int64(n)))
	}
	add("stowage", r.Version)
	add("placement", r.Scheme.Placement)
	add("fitness", r.Scheme.Fitness)
	add("objective", r.Scheme.Objective)
	add("schedule", r.Scheme.Schedule)
	add("merge", r.Scheme.Merge)
	if s := r.Scheme.Servers; s != nil {
		add("parameter servers", fmt.Sprintf("%s × %d", s.Device, s.Devices))
	}
	add("replacement", r.Replacement)
	return facts
}

// card is one headline number.
type card struct{ Name, Value, Unit, Means, From string }

// headlineMetrics are those that get a card, the first eight of them that there are.
var headlineMetrics = []string{"throughput", "goodput", "goodput_ratio", "shrunk_ratio", "slowdown", "cost", "step_time", "warm_throughput", "hit_ratio", "run_hours", "run_cost", "gap", "bubble_ratio", "stall_ratio", "peak_memory", "price"}

func headlineSection(r *sim.Result) section {
	s := section{ID: "headline", Title: "Headline numbers"}
	if len(r.Metrics) == 0 {
		return s
	}
	var cards []card
	for _, name := range headlineMetrics {
		if m, ok := r.Metrics.Get(name); ok && len(cards) < 8 {
			cards = append(cards, cardOf(r, m))
		}
	}
	all := &htmlTable{Label: "All numbers", Folded: "All numbers, and how they are computed",
		Head: []htmlHead{{"metric", false}, {"value", true}, {"exactly", true}, {"better", false}, {"fidelity", false}, {"how it is computed", false}}}
	for _, m := range orderedMetrics(r.Metrics) {
		e, _ := sim.Explain(m.Name)
		row := len(all.Rows)
		all.add(printable(m.Name), formatMetric(m), strconv.FormatFloat(m.Value, 'g', -1, 64)+" "+printable(m.Unit), e.Kind.Better, fidelityOf(r, m.Name), e.How)
		all.Rows[row][5].Class = "free"
	}
	s.Parts = []part{{Cards: cards}, {Table: all, Notes: []string{"stowage explain METRIC says what to conclude from each of them."}}}
	return s
}

func cardOf(r *sim.Result, m sim.Metric) card {
	e, _ := sim.Explain(m.Name)
	c := card{Name: metricTitle(m.Name), Means: sentence(e.Kind.Means), From: fidelityOf(r, m.Name)}
	c.Value, c.Unit = formatMetric(m), ""
	if at := strings.IndexByte(c.Value, ' '); at > 0 {
		c.Value, c.Unit = c.Value[:at], c.Value[at+1:]
	}
	return c
}

// metricTitle is a metric's name for people.
func metricTitle(name string) string { return strings.ReplaceAll(printable(name), "_", " ") }

// sentence makes one of a phrase.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:] + "."
}

func schemeSection(r *sim.Result) section {
	s := section{ID: "scheme", Title: "Target scheme", Lede: "Which device type each layer runs on. A frame is a stage: layers that run together; the bar under it is the share of time that it computes."}
	if len(r.Scheme.Layers) == 0 {
		return s
	}
	t := stageTable(r, "Stages", htmlHead{"stage", false}, htmlHead{"devices", false}, htmlHead{"pool", false}, htmlHead{"layers", false}, htmlHead{"forward", true}, htmlHead{"backward", true})
	for i := range r.Scheme.Stages {
		st := &r.Scheme.Stages[i]
		t.add(strconv.Itoa(i+1), deviceCount(st), printable(st.Pool), layerSpan(r, st), formatDuration(st.Forward), formatDuration(st.Backward))
	}
	colourStages(r, t, 1)
	_, colours := deviceColours(r)
	s.Parts = []part{{Scheme: schemeOfPage(r, colours), Legend: deviceLegend(r)}, {Table: t, Notes: []string{"Forward and backward are times of one micro-batch."}}}
	return s
}

// maxOpenRows is how many rows a table of stages has at most to be shown unfolded.
const maxOpenRows = 24

// stageTable is a table of which a row is a stage.
func stageTable(r *sim.Result, label string, head ...htmlHead) *htmlTable {
	t := &htmlTable{Label: label, Wide: true, Head: head}
	if n := len(r.Scheme.Stages); n > maxOpenRows {
		t.Folded = fmt.Sprintf("%s (%d)", label, n)
	}
	return t
}

// colourStages gives the cells of a column the colours of the stages' device types.
func colourStages(r *sim.Result, t *htmlTable, column int) {
	_, colours := deviceColours(r)
	for i := range r.Scheme.Stages {
		t.Rows[i][column].Colour = cssColour(colours[r.Scheme.Stages[i].Device])
	}
}

func stagesSection(r *sim.Result) section {
	s := section{ID: "utilisation", Title: "Utilisation", Lede: "What the devices of each stage did with the time of the run."}
	if len(r.Scheme.Stages) == 0 {
		return s
	}
	t := stageTable(r, "Utilisation of each stage", htmlHead{"stage", false}, htmlHead{"share of time", false})
	var legend []legendEntry
	uses := timeUses(r)
	for _, u := range uses {
		legend = append(legend, legendEntry{u.name, u.css})
		name, _, _ := strings.Cut(u.name, ":")
		t.Head = append(t.Head, htmlHead{name, true})
	}
	for i := range r.Scheme.Stages {
		st := &r.Scheme.Stages[i]
		cells := []string{fmt.Sprintf("%d: %s", i+1, deviceCount(st)), ""}
		var bars []htmlBar
		var said []string
		for k, u := range uses {
			cells = append(cells, formatShare(u.share(st)))
			said = append(said, u.name+" "+formatShare(u.share(st)))
			bars = append(bars, htmlBar{Name: said[k], Colour: u.css, Width: 100 * u.share(st)})
		}
		t.add(cells...)
		t.Rows[i][1] = stacked(strings.Join(said, ", "), bars...)
	}
	colourStages(r, t, 0)
	s.Parts = []part{{Legend: legend, Table: t}}
	if p, ok := stallsPart(r); ok {
		s.Parts = append(s.Parts, p)
	}
	if p, ok := linksPart(r); ok {
		s.Parts = append(s.Parts, p)
	}
	return s
}

// stallsPart says what was waited for.
func stallsPart(r *sim.Result) (part, bool) {
	if len(r.Stalls) == 0 {
		return part{}, false
	}
	t := &htmlTable{Label: "Stalls by cause", Wide: true, Head: []htmlHead{{"waited for", false}, {"share of the waiting", false}, {"share", true}, {"time", true}}}
	for i, st := range r.Stalls {
		t.add(stallCause(st.Cause), "", formatShare(st.Share), formatDuration(st.Time))
		t.Rows[i][1] = stacked(formatShare(st.Share), htmlBar{Name: formatShare(st.Share), Colour: "var(--c1)", Width: 100 * st.Share})
	}
	return part{Heading: "Stalls by cause", Table: t, Notes: []string{"How long stages waited for embedding rows, summed over stages."}}, true
}

// linksPart says what the busiest links of the cluster's network did.
func linksPart(r *sim.Result) (part, bool) {
	if len(r.Links) == 0 {
		return part{}, false
	}
	t := &htmlTable{Label: "Busiest links", Wide: true, Head: []htmlHead{{"link", false}, {"of what it can carry", false}, {"used", true}, {"busy", true}, {"carried", true}}}
	for i, l := range r.Links {
		t.add(printable(l.Name), "", formatShare(l.Use), formatShare(l.Busy), formatBytes(float64(l.Bytes)))
		t.Rows[i][1] = stacked(formatShare(l.Use), htmlBar{Name: formatShare(l.Use), Colour: "var(--c1)", Width: 100 * l.Use})
	}
	return part{Heading: "Busiest links", Table: t, Notes: []string{"Links of the cluster's network that carried most for what they can in all the time; busy is the share of the time with something on them."}}, true
}

// memoryUses are the parts of a stage's memory.
var memoryUses = []struct {
	name, colour string
	of           func(m *sim.Memory) float64
}{
	{"weights", "var(--c0)", func(m *sim.Memory) float64 { return float64(m.Weights) }},
	{"gradients", "var(--c5)", func(m *sim.Memory) float64 { return float64(m.Gradients) }},
	{"optimiser state", "var(--c4)", func(m *sim.Memory) float64 { return float64(m.Optimizer) }},
	{"activations", "var(--c3)", func(m *sim.Memory) float64 { return float64(m.Activations) }},
	{"slots or tables", "var(--c2)", func(m *sim.Memory) float64 { return float64(m.Slots) }},
}

func memorySection(r *sim.Result) section {
	s := section{ID: "memory", Title: "Memory", Lede: "The peak memory of one device of each stage, against what it has."}
	if !slices.ContainsFunc(r.Scheme.Stages, func(st sim.Stage) bool { return st.Memory.Capacity > 0 }) {
		return s
	}
	t := stageTable(r, "Memory of each stage", htmlHead{"stage", false}, htmlHead{"of the device's memory", false}, htmlHead{"used / has", true})
	var legend []legendEntry
	for _, u := range memoryUses {
		legend = append(legend, legendEntry{u.name, u.colour})
		t.Head = append(t.Head, htmlHead{u.name, true})
	}
	for i := range r.Scheme.Stages {
		st := &r.Scheme.Stages[i]
		m := &st.Memory
		cells := []string{fmt.Sprintf("%d: %s", i+1, deviceCount(st)), "", formatMemory(m.Total, m.Capacity)}
		var bars []htmlBar
		for _, u := range memoryUses {
			cells = append(cells, formatBytes(u.of(m)))
			bars = append(bars, htmlBar{Name: u.name + " " + formatBytes(u.of(m)), Colour: u.colour, Width: 100 * u.of(m) / max(1, float64(m.Capacity))})
		}
		t.add(cells...)
		t.Rows[i][1] = stacked(formatMemory(m.Total, m.Capacity), bars...)
	}
	colourStages(r, t, 0)
	s.Parts = []part{{Legend: legend, Table: t}}
	return s
}

func levelsSection(r *sim.Result) section {
	s := section{ID: "finalists", Title: "Finalists", Lede: "The best schemes of the search at each fidelity, with their ranks. The best simulated one is the target scheme."}
	if r.Levels == nil || len(r.Levels.Finalists) == 0 {
		return s
	}
	t := tableOf("Finalists", levelsGrid(r.Levels))
	t.Wide = true
	s.Parts = []part{{Table: t, Notes: levelNotes(r)}}
	return s
}

func whatIfSection(r *sim.Result) section {
	s := section{ID: "what-if", Title: "What if", Lede: "Answers to the scenario's questions about variations of it."}
	if r.WhatIf == nil {
		return s
	}
	if a := r.WhatIf.Price; a != nil {
		s.Parts = append(s.Parts, part{Heading: "The price of " + printable(a.Pool), Table: tableOf("Choice by price", priceGrid(a)), Notes: []string{sentence(priceNote(r, a))}})
	}
	if a := r.WhatIf.Node; a != nil {
		s.Parts = append(s.Parts, part{Heading: "One more node", Table: tableOf("What one more node brings", nodeGrid(a, true)), Notes: []string{sentence(nodeNote(r, a))}})
	}
	if a := r.WhatIf.Cluster; a != nil {
		p := part{Heading: "The cheapest cluster", Notes: []string{sentence(clusterNote(r, a))}}
		if a.Choice.Infeasible == "" {
			p.Table = tableOf("Devices of the cheapest cluster", clusterGrid(a))
		}
		s.Parts = append(s.Parts, p)
	}
	return s
}

func reproduceSection(r *sim.Result) section {
	s := section{ID: "reproduce", Title: "How to reproduce this"}
	file := scenarioFile(r.Scenario)
	command := fmt.Sprintf("stowage run --seed %d %s", r.Seed, shellQuoted(file))
	if r.Resolved == "" {
		s.Parts = []part{{Notes: []string{"Run the scenario with stowage " + printable(r.Version) + ":"}, Pre: command}}
		return s
	}
	s.Lede = fmt.Sprintf("Save the scenario below as %s, in the folder of the one that it was made from if it names files, and run it with stowage %s. The same scenario, seed and version give the same bytes on every machine.", file, printable(r.Version))
	s.Parts = []part{
		{Pre: command},
		{Heading: "The scenario as it was run", Notes: []string{"With the defaults that it left open and what the command line changed."}, Pre: r.Resolved},
	}
	if r.Search != nil && r.Search.Stopped != "" {
		s.Parts[0].Notes = []string{"The search was ended by " + printable(r.Search.Stopped) + ": if that was time or a person, another run may find another scheme."}
	}
	return s
}

// scenarioFile is how the file of a scenario may be called.
func scenarioFile(scenario string) string {
	if name := printable(scenario); name != "" && name == scenario {
		return name + ".toml"
	}
	return "scenario.toml"
}

// shellQuoted quotes a word for a POSIX shell where it has to be.
func shellQuoted(s string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-+,", c)
	}
	if s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(c rune) bool { return !plain(c) }) {
		return s
	}
	if s != "" && s[0] == '-' {
		s = "./" + s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
