package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"stowage/sim"
)

// PerfettoSpans is from how many spans on a trace is better written as protobuf: the
// JSON of 10^5 spans has 15 MB and more.
const PerfettoSpans = 100_000

// trace is a timeline as trace viewers want it: on each of its lanes, one span ends
// before the next one begins. Tracks whose spans overlap have several.
type trace struct {
	r     *sim.Result
	line  *sim.Timeline
	lanes []traceLane
	lane  []int32 // per span
	flows []traceFlow
	ends  []spanFlows // per span
}

type traceLane struct {
	track int
	name  string
}

// traceFlow is an arrow from the end of one span to the begin of another.
type traceFlow struct{ from, to int32 }

// spanFlows are the flows that begin and end at a span.
type spanFlows struct{ out, in []int32 }

func newTrace(r *sim.Result) *trace {
	t := &trace{r: r, line: r.Timeline}
	t.assignLanes()
	t.connect()
	return t
}

// assignLanes gives every span the first lane of its track that is free.
func (t *trace) assignLanes() {
	spans := t.line.Spans
	t.lane = make([]int32, len(spans))
	of := make([][]int32, len(t.line.Tracks)) // lanes of a track
	var free []time.Duration                  // per lane
	for i := range t.line.Tracks {
		of[i] = []int32{int32(len(t.lanes))}
		t.lanes, free = append(t.lanes, traceLane{i, t.line.Tracks[i].Name}), append(free, 0)
	}
	for i := range spans {
		s := &spans[i]
		at := int32(-1)
		for _, l := range of[s.Track] {
			if free[l] <= s.Start {
				at = l
				break
			}
		}
		if at < 0 {
			at = int32(len(t.lanes))
			of[s.Track] = append(of[s.Track], at)
			t.lanes = append(t.lanes, traceLane{int(s.Track), fmt.Sprintf("%s (%d)", t.line.Tracks[s.Track].Name, len(of[s.Track]))})
			free = append(free, 0)
		}
		t.lane[i], free[at] = at, s.End
	}
}

// connect draws arrows from a pass to the transfer of what it made, and on to the pass
// that uses it.
func (t *trace) connect() {
	type pass struct {
		kind                  sim.SpanKind
		segment, micro, round int32
		attempt               int32
	}
	at := map[pass]int32{}
	for i := range t.line.Spans {
		if s := &t.line.Spans[i]; s.Kind == sim.SpanForward || s.Kind == sim.SpanBackward {
			at[pass{s.Kind, s.Segment, s.Micro, s.Round, s.Attempt}] = int32(i)
		}
	}
	t.ends = make([]spanFlows, len(t.line.Spans))
	arrow := func(from, to int32) {
		id := int32(len(t.flows))
		t.flows = append(t.flows, traceFlow{from, to})
		t.ends[from].out = append(t.ends[from].out, id)
		t.ends[to].in = append(t.ends[to].in, id)
	}
	for i := range t.line.Spans {
		s := &t.line.Spans[i]
		kind := sim.SpanForward
		switch s.Kind {
		case sim.SpanActivation:
		case sim.SpanGradient:
			kind = sim.SpanBackward
		default:
			continue
		}
		if from, ok := at[pass{kind, s.Segment, s.Micro, s.Round, s.Attempt}]; ok {
			arrow(from, int32(i))
		}
		if to, ok := at[pass{kind, s.To, s.Micro, s.Round, s.Attempt}]; ok {
			arrow(int32(i), to)
		}
	}
}

// name is what a slice is called: "forward 3", with its chunk where a stage has several.
func (t *trace) name(s *sim.Span) string {
	if s.Micro < 0 {
		return s.Kind.String()
	}
	return s.Kind.String() + " " + strconv.Itoa(int(s.Micro)+1)
}

// ChromeTrace writes the timeline of a result in Google's Trace Event Format, as a
// JSON object: complete events ("X") in microseconds on a thread for every track,
// and flow events ("s", "f") from passes over transfers to passes. Perfetto,
// chrome://tracing and Speedscope open it.
func ChromeTrace(w io.Writer, r *sim.Result) error {
	if r.Timeline == nil {
		return noTimeline(r)
	}
	t := newTrace(r)
	b := bufio.NewWriter(w)
	about, err := json.Marshal(map[string]any{"scenario": r.Scenario, "seed": r.Seed, "version": r.Version, "schedule": r.Scheme.Schedule})
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "{\"displayTimeUnit\":\"ms\",\"otherData\":%s,\"traceEvents\":[\n", about)
	fmt.Fprintf(b, `{"ph":"M","pid":1,"tid":0,"ts":0,"name":"process_name","args":{"name":%s}}`, quoted(title(r)))
	for i, l := range t.lanes {
		fmt.Fprintf(b, ",\n"+`{"ph":"M","pid":1,"tid":%d,"ts":0,"name":"thread_name","args":{"name":%s}}`, i+1, quoted(l.name))
		fmt.Fprintf(b, ",\n"+`{"ph":"M","pid":1,"tid":%d,"ts":0,"name":"thread_sort_index","args":{"sort_index":%d}}`, i+1, l.track)
	}
	for i := range t.line.Spans {
		s := &t.line.Spans[i]
		fmt.Fprintf(b, ",\n"+`{"ph":"X","pid":1,"tid":%d,"ts":%s,"dur":%s,"name":%s,"cat":%s,"args":{"round":%d`,
			t.lane[i]+1, micros(s.Start), micros(s.End-s.Start), quoted(t.name(s)), quoted(s.Kind.String()), s.Round)
		if s.Micro >= 0 {
			fmt.Fprintf(b, `,"microbatch":%d,"segment":%d`, s.Micro+1, s.Segment+1)
		}
		b.WriteString("}}")
	}
	for id, f := range t.flows {
		from, to := &t.line.Spans[f.from], &t.line.Spans[f.to]
		// An arrow belongs to the slice around its end: the last nanosecond of the first
		// one, and the begin of the second.
		fmt.Fprintf(b, ",\n"+`{"ph":"s","pid":1,"tid":%d,"ts":%s,"id":%d,"name":"data","cat":"data"}`, t.lane[f.from]+1, micros(from.End-1), id+1)
		fmt.Fprintf(b, ",\n"+`{"ph":"f","bp":"e","pid":1,"tid":%d,"ts":%s,"id":%d,"name":"data","cat":"data"}`, t.lane[f.to]+1, micros(to.Start), id+1)
	}
	b.WriteString("\n]}\n")
	return b.Flush()
}

func noTimeline(r *sim.Result) error {
	return fmt.Errorf("the result of scenario %q has no timeline: its run ended before the first round did", r.Scenario)
}

// micros prints nanoseconds as microseconds, exactly.
func micros(d time.Duration) string {
	s := strconv.FormatInt(int64(d)/1000, 10)
	if rest := int64(d) % 1000; rest > 0 {
		s += fmt.Sprintf(".%03d", rest)
	}
	return s
}

func quoted(s string) string {
	b, err := json.Marshal(printable(s))
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}
