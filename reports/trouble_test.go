package reports

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"stowage/sim"
)

// troubledResult is typicalResult with a straggler, a weak link, checkpoints and a loss.
func troubledResult() *sim.Result {
	r := typicalResult()
	r.Rounds, r.LostRounds = nil, nil
	at, throughput := time.Duration(0), 4096.0
	round := func(n, redone int) sim.Round {
		d := sim.Round{Round: n, Start: at, End: at + time.Second, StepTime: time.Second, Throughput: throughput, Redone: redone}
		at = d.End
		return d
	}
	note := func(kind string, takes time.Duration, what string) {
		r.Incidents = append(r.Incidents, sim.Incident{Kind: kind, Start: at, End: at + takes, What: what})
		at += takes
	}
	r.Incidents = []sim.Incident{
		{Kind: "straggler", Start: 2 * time.Second, End: 9 * time.Second, What: "v100 device 3: 1.5 times as slow"},
		{Kind: "link", Start: 4 * time.Second, End: 40 * time.Second, What: "leaf 0 -- spine 0: 25 % of its bandwidth"},
	}
	for n := range 10 {
		r.Rounds = append(r.Rounds, round(n, 0))
	}
	note("checkpoint", 2*time.Second, "after round 9")
	for n := range 6 {
		r.LostRounds = append(r.LostRounds, round(10+n, 0))
	}
	note("loss", 0, "v100 device 1")
	note("waiting", 5*time.Second, "until a lost device is repaired")
	note("restart", 3*time.Second, "from round 10")
	for n := range 20 {
		r.Rounds = append(r.Rounds, round(10+n, min(1, max(0, 6-n))))
	}
	r.Lost = []sim.LostTime{
		{Cause: "checkpoint", Time: 2 * time.Second, Share: 2. / 46, Count: 1}, {Cause: "redone", Time: 6 * time.Second, Share: 6. / 46, Count: 1},
		{Cause: "waiting", Time: 5 * time.Second, Share: 5. / 46, Count: 1}, {Cause: "restart", Time: 3 * time.Second, Share: 3. / 46, Count: 1},
	}
	for i := range r.Scheme.Stages {
		r.Scheme.Stages[i].Lost, r.Scheme.Stages[i].Idle = 0.01, r.Scheme.Stages[i].Idle-0.01
	}
	return r
}

func TestTroubleInSummary(t *testing.T) {
	var b bytes.Buffer
	if err := Summary(&b, troubledResult(), 100); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"time lost by cause                   times  time   share",
		"checkpoint: rounds waited for it         1   2 s   4.3 %",
		"redone: work lost with a device          1   6 s  13.0 %",
		"waiting: for devices to be repaired      1   5 s  10.9 %",
		"restart: from the last checkpoint        1   3 s   6.5 %",
		"straggler   2 s   7 s  v100 device 3: 1.5 times as slow",
		"link        4 s  36 s  leaf 0 -- spine 0: 25 % of its bandwidth",
		"waiting    18 s   5 s  until a lost device is repaired",
		"  idle   lost  memory per device",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "after round 9") {
		t.Error("checkpoints are among what went wrong")
	}
}

// People are shown so many incidents, and how many more there are.
// The page of a run with trouble says first what counts, names all uses of time, and lists
// links once.
func TestTroubleOnThePage(t *testing.T) {
	r := troubledResult()
	r.Metrics = append(r.Metrics, sim.Metric{Name: "goodput", Value: 3000, Unit: "samples/s"}, sim.Metric{Name: "goodput_ratio", Value: 0.65})
	r.Links = []sim.Link{{Name: "leaf 7 -> spine 3", Bytes: 1, Use: 0.5, Busy: 0.5}}
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	for what, times := range map[string]int{
		"and 3,000 without those that were lost": 1, ">goodput ratio<": 1, "lost: checkpoints, restarts 1.0 %": 2 * len(r.Scheme.Stages),
		"leaf 7 -&gt; spine 3": 1, "trouble.svg shows throughput": 1, `id="chart-throughput-by-time"`: 1,
	} {
		if got := strings.Count(b.String(), what); got != times {
			t.Errorf("%q %d times, want %d", what, got, times)
		}
	}
}

func TestManyIncidents(t *testing.T) {
	r := troubledResult()
	r.Incidents = nil
	for i := range maxIncidents + 7 {
		r.Incidents = append(r.Incidents, sim.Incident{Kind: "loss", What: fmt.Sprintf("device %d", i)})
	}
	g := incidentsGrid(r)
	if last := g.rows[len(g.rows)-1]; len(g.rows) != maxIncidents+1 || last[3] != "7 more incidents" {
		t.Errorf("%d rows, the last one %q", len(g.rows), last)
	}
}

// Rows of the plot: each slow thing its own, at most maxTroubleRows of them, and one for
// checkpoints and losses.
func TestTroubleRows(t *testing.T) {
	r := troubledResult()
	if rows, more := troubleRows(r); len(rows) != 3 || len(rows[2]) != 4 || more != 0 {
		t.Errorf("%d rows", len(rows))
	}
	for range 2 * maxTroubleRows {
		r.Incidents = append(r.Incidents, sim.Incident{Kind: "straggler", End: time.Second, What: "x"})
	}
	if rows, more := troubleRows(r); len(rows) != maxTroubleRows+1 || more != maxTroubleRows+2 {
		t.Errorf("%d rows, want %d", len(rows), maxTroubleRows+1)
	}
}

// The chart of the page is at zero wherever no round was under way, and has every round
// that is in the figure.
func TestTroubleChart(t *testing.T) {
	c := troubleChart(troubledResult())
	at := func(label string, x float64) float64 {
		for _, l := range c.Series {
			y := math.NaN()
			for k := range c.X { // steps: the last value before
				if l.Y[k] != nil && c.X[k] <= x {
					y = *l.Y[k]
				}
			}
			if l.Label == label {
				return y
			}
		}
		t.Fatalf("no line %q", label)
		return 0
	}
	// Rounds to 10 s, a checkpoint to 12, lost rounds to 18, 5 s and 3 s until 26, rounds to 46.
	for _, p := range []struct{ x, rounds, lost float64 }{{5, 4096, 0}, {11, 0, 0}, {15, 0, 4096}, {20, 0, 0}, {27, 4096, 0}, {45.5, 4096, 0}, {46, 0, 0}} {
		for label, want := range map[string]float64{"rounds that count": p.rounds, "lost rounds": p.lost} {
			if got := at(label, p.x); got != want {
				t.Errorf("%s at %g s: %g, want %g", label, p.x, got, want)
			}
		}
	}
	if last := c.Series[len(c.Series)-1]; last.Label != "a device is lost" || c.XLabel != "simulated time (s)" {
		t.Errorf("%q over %q", last.Label, c.XLabel)
	}
}

// Times with fewer replicas have a row of their own, above checkpoints and losses, and
// runs on one sheet one time axis.
func TestShrunkRow(t *testing.T) {
	r := troubledResult()
	for i := range 2 {
		r.Incidents = append(r.Incidents, sim.Incident{Kind: "shrunk", Start: time.Second, End: time.Second * time.Duration(2+i), What: "stage 2 on 7 of 8 replicas"})
	}
	rows, _ := troubleRows(r)
	if len(rows) != 4 || len(rows[2]) != 2 || rows[2][0].Kind != "shrunk" || len(rows[3]) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	short := *r
	short.Rounds, short.Incidents, short.LostRounds = r.Rounds[:3], r.Incidents[:1:1], nil
	sheet, err := NewSheet("trouble", []Run{{Label: "short", Result: &short}, {Label: "long", Result: r}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sheet.Render(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	for what, times := range map[string]int{"fewer replicas: stage 2 on 7 of 8 replicas, ...": 1, ">45</text>": 0, ">40</text>": 2} {
		if got := strings.Count(b.String(), what); got != times {
			t.Errorf("%q %d times, want %d", what, got, times)
		}
	}
	for _, in := range r.Incidents {
		if _, ok := incidentColours[in.Kind]; !ok || !slices.Contains(incidentKinds, in.Kind) {
			t.Errorf("%q has no colour, or no place in the legend", in.Kind)
		}
	}
}

// Arrows of a round that was done twice join what belongs together: none leads to the other
// attempt.
func TestTraceOfRedoneRounds(t *testing.T) {
	r := troubledResult()
	line := &sim.Timeline{To: time.Second, Tracks: []sim.Track{{Name: "stage 1"}, {Name: "stage 2", Stage: 1}, {Name: "link 1 → 2", Link: true, To: 1}, {Name: "checkpoints and losses", Trouble: true}}}
	for attempt := range int32(2) {
		at := time.Duration(attempt) * 100 * time.Millisecond
		add := func(track, segment, to int32, kind sim.SpanKind) {
			line.Spans = append(line.Spans, sim.Span{Start: at, End: at + 10*time.Millisecond, Track: track, Segment: segment, To: to, Kind: kind, Attempt: attempt})
			at += 10 * time.Millisecond
		}
		add(0, 0, -1, sim.SpanForward)
		add(2, 0, 1, sim.SpanActivation)
		add(1, 1, -1, sim.SpanForward)
		line.Spans = append(line.Spans, sim.Span{Start: at, End: at + 20*time.Millisecond, Track: 3, Segment: -1, To: -1, Micro: -1, Kind: sim.SpanRestart, Attempt: attempt})
	}
	r.Timeline = line
	trace := newTrace(r)
	if len(trace.flows) != 4 {
		t.Errorf("%d arrows, want 4", len(trace.flows))
	}
	for _, f := range trace.flows {
		if from, to := &line.Spans[f.from], &line.Spans[f.to]; from.End != to.Start {
			t.Errorf("an arrow from %v to %v", from.End, to.Start)
		}
	}
	var b bytes.Buffer
	if err := ChromeTrace(&b, r); err != nil || !strings.Contains(b.String(), `"name":"restart"`) {
		t.Errorf("%v, or no slice of the restart", err)
	}
	if rows := timelineRows(line); len(rows) != 4 || isStage(&line.Tracks[3]) {
		t.Errorf("%d rows", len(rows))
	}
}
