package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"stowage/sim"
)

// chromeEvent has the fields of an event of the Trace Event Format that a viewer needs.
type chromeEvent struct {
	Phase string          `json:"ph"`
	PID   *int            `json:"pid"`
	TID   *int            `json:"tid"`
	TS    *float64        `json:"ts"`
	Dur   *float64        `json:"dur"`
	Name  string          `json:"name"`
	ID    int             `json:"id"`
	Bind  string          `json:"bp"`
	Args  json.RawMessage `json:"args"`
}

// The JSON has the fields that the Trace Event Format asks for; slices of a thread
// follow one another; every flow leaves a slice and enters another, later one.
func TestChromeTrace(t *testing.T) {
	r := &sim.Result{Scenario: "traced", Title: "with \"quotes\" and \x01", Timeline: smallTimeline()}
	var b bytes.Buffer
	if err := ChromeTrace(&b, r); err != nil {
		t.Fatal(err)
	}
	var file struct {
		TraceEvents []chromeEvent
	}
	if err := json.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	threads := map[int]string{}
	type slice struct{ from, to float64 }
	slices := map[int][]slice{}
	flows := map[int][]chromeEvent{}
	for _, e := range file.TraceEvents {
		if e.PID == nil || e.TID == nil || e.TS == nil || e.Name == "" {
			t.Fatalf("%+v lacks a field", e)
		}
		switch e.Phase {
		case "M":
			if e.Name == "thread_name" {
				threads[*e.TID] = string(e.Args)
			}
		case "X":
			if e.Dur == nil || *e.Dur <= 0 {
				t.Fatalf("%+v has no duration", e)
			}
			if of := slices[*e.TID]; len(of) > 0 && of[len(of)-1].to > *e.TS {
				t.Errorf("%s begins at %v on thread %d, which is busy until %v", e.Name, *e.TS, *e.TID, of[len(of)-1].to)
			}
			slices[*e.TID] = append(slices[*e.TID], slice{*e.TS, *e.TS + *e.Dur})
		case "s", "f":
			flows[e.ID] = append(flows[e.ID], e)
		default:
			t.Errorf("phase %q", e.Phase)
		}
	}
	total := 0
	for thread, of := range slices {
		total += len(of)
		if threads[thread] == "" {
			t.Errorf("thread %d has no name", thread)
		}
	}
	if total != len(r.Timeline.Spans) {
		t.Errorf("%d slices of %d spans", total, len(r.Timeline.Spans))
	}
	within := func(e chromeEvent) bool {
		for _, s := range slices[*e.TID] {
			if s.from <= *e.TS && *e.TS < s.to {
				return true
			}
		}
		return false
	}
	if len(flows) != 8 { // four transfers, an arrow to each and one from each
		t.Errorf("%d flows, want 8", len(flows))
	}
	for id, f := range flows {
		if len(f) != 2 || f[0].Phase != "s" || f[1].Phase != "f" || f[1].Bind != "e" || id == 0 {
			t.Fatalf("flow %d is %+v", id, f)
		}
		if !within(f[0]) || !within(f[1]) || *f[0].TS >= *f[1].TS {
			t.Errorf("flow %d from %v to %v does not join slices", id, *f[0].TS, *f[1].TS)
		}
	}
	if !strings.Contains(b.String(), `"ts":1012,"dur":8,"name":"activations 1"`) || !strings.Contains(b.String(), `"dur":10.500,"name":"fetch"`) {
		t.Errorf("times are not exact in\n%s", b.String())
	}
}

// fields splits a message into its fields, as "number: value".
func fields(t *testing.T, b []byte, each func(n protowire.Number, v uint64, msg []byte)) {
	t.Helper()
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal("no tag")
		}
		b = b[size:]
		var v uint64
		var msg []byte
		switch kind {
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v, size = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			msg, size = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d of wire type %d", n, kind)
		}
		if size < 0 {
			t.Fatalf("field %d is cut off", n)
		}
		each(n, v, msg)
		b = b[size:]
	}
}

// The protobuf says the same: as many slices, begun and ended in the order of time on
// tracks that were described before, and the same flows.
func TestPerfettoTrace(t *testing.T) {
	r := &sim.Result{Scenario: "traced", Timeline: smallTimeline()}
	var b bytes.Buffer
	if err := PerfettoTrace(&b, r); err != nil {
		t.Fatal(err)
	}
	open := map[uint64]string{} // per track; "": nothing
	var lines, out, in []string
	last := uint64(0)
	fields(t, b.Bytes(), func(n protowire.Number, _ uint64, packet []byte) {
		if n != tracePacket {
			t.Fatalf("field %d in the trace", n)
		}
		var at, sequence uint64
		var event []byte
		fields(t, packet, func(n protowire.Number, v uint64, msg []byte) {
			switch n {
			case packetTimestamp:
				at = v
			case packetSequence:
				sequence = v
			case packetTrackEvent:
				event = msg
			case packetTrack:
				fields(t, msg, func(n protowire.Number, v uint64, _ []byte) {
					if n == trackUUID {
						open[v] = ""
					}
				})
			}
		})
		if sequence != 1 || at < last {
			t.Fatalf("a packet of sequence %d at %d, after %d", sequence, at, last)
		}
		if event == nil {
			return
		}
		last = at
		var kind, track uint64
		name := ""
		fields(t, event, func(n protowire.Number, v uint64, msg []byte) {
			switch n {
			case eventType:
				kind = v
			case eventTrack:
				track = v
			case eventName:
				name = string(msg)
			case eventFlows:
				out = append(out, fmt.Sprint(v))
			case eventFlowsEnd:
				in = append(in, fmt.Sprint(v))
			}
		})
		now, known := open[track]
		switch {
		case !known:
			t.Fatalf("an event on track %d, which nothing describes", track)
		case kind == sliceBegin && now == "":
			open[track] = name
			lines = append(lines, name)
		case kind == sliceEnd && now != "":
			open[track] = ""
		default:
			t.Fatalf("an event of type %d on track %d, where %q goes on", kind, track, now)
		}
	})
	for track, now := range open {
		if now != "" {
			t.Errorf("%q on track %d never ends", now, track)
		}
	}
	slices.Sort(out)
	slices.Sort(in)
	if len(lines) != len(r.Timeline.Spans) || len(out) != 8 || !slices.Equal(out, in) {
		t.Errorf("%d slices of %d spans, flows from %v, to %v", len(lines), len(r.Timeline.Spans), out, in)
	}
}

func TestTraceWithoutTimeline(t *testing.T) {
	for _, write := range []func(io.Writer, *sim.Result) error{ChromeTrace, PerfettoTrace} {
		if err := write(io.Discard, &sim.Result{Scenario: "cut"}); err == nil || !strings.Contains(err.Error(), `scenario "cut" has no timeline`) {
			t.Errorf("%v, want a complaint", err)
		}
	}
}

// BenchmarkTrace reports the size and time of both formats.
func BenchmarkTrace(b *testing.B) {
	line := smallTimeline()
	for range 4000 {
		for _, s := range smallTimeline().Spans {
			shift := line.To * 100
			s.Start, s.End, s.Round = s.Start+shift, s.End+shift, s.Round+1
			line.Spans = append(line.Spans, s)
		}
		line.To += 100_000
	}
	r := &sim.Result{Scenario: "large", Timeline: line}
	for _, f := range []struct {
		name  string
		write func(io.Writer, *sim.Result) error
	}{{"json", ChromeTrace}, {"pftrace", PerfettoTrace}} {
		b.Run(f.name, func(b *testing.B) {
			var size bytes.Buffer
			for b.Loop() {
				size.Reset()
				if err := f.write(&size, r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size.Len())/float64(len(line.Spans)), "B/span")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(line.Spans)), "ns/span")
		})
	}
}

// The rows of the memory's CSV add up, and say when memory changes.
func TestMemoryCSV(t *testing.T) {
	r := smallResult()
	var b bytes.Buffer
	if err := MemoryCSV(&b, r); err != nil {
		t.Fatal(err)
	}
	want := `stage,device,round,at_ns,weights,gradients,optimizer,slots,activations,buffers,total,capacity
1,xeon-6148,6,1000000,0,0,0,0,0,0,0,206158430208
1,xeon-6148,6,1002000,0,0,0,0,50331648,0,50331648,206158430208
1,xeon-6148,6,1012000,0,0,0,0,100663296,0,100663296,206158430208
1,xeon-6148,6,1093000,0,0,0,0,0,0,0,206158430208
2,v100-32,6,1000000,1073741824,1073741824,2147483648,8589934592,0,0,12884901888,34359738368
2,v100-32,6,1012000,1073741824,1073741824,2147483648,8589934592,0,268435456,13153337344,34359738368
2,v100-32,6,1030000,1073741824,1073741824,2147483648,8589934592,1073741824,0,13958643712,34359738368
2,v100-32,6,1066000,1073741824,1073741824,2147483648,8589934592,0,0,12884901888,34359738368
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
