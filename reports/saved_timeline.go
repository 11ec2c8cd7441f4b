package reports

import (
	_ "embed" // timeline.schema.json
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"stowage/hw/unit"
	"stowage/sim"
)

// TimelineFile keeps what the timeline and memory plots draw: one step of a run.
const TimelineFile = "timeline.json"

//go:embed timeline.schema.json
var timelineSchema []byte

// TimelineSchema returns the JSON Schema (draft 2020-12) of timeline.json. The caller may
// keep and change the bytes.
func TimelineSchema() []byte { return slices.Clone(timelineSchema) }

// savedTimeline is a timeline as it is kept. Lists of numbers have no names, since there
// can be a quarter of a million; the schema has them.
type savedTimeline struct {
	Scenario string        `json:"scenario"` // scenario, seed and version are those of the result
	Seed     int64         `json:"seed"`
	Version  string        `json:"version"`
	Round    int           `json:"round"`
	From     time.Duration `json:"from"`
	To       time.Duration `json:"to"`
	Kinds    []string      `json:"kinds"`
	Tracks   []savedTrack  `json:"tracks"`
	Spans    [][9]int64    `json:"spans"`
	Memory   []savedMemory `json:"memory,omitempty"`
}

type savedTrack struct {
	Name        string `json:"name"`
	Stage       int    `json:"stage"`
	To          int    `json:"to"`
	Link        bool   `json:"link,omitempty"`
	Rows        bool   `json:"rows,omitempty"`
	Synchronous bool   `json:"synchronous,omitempty"`
	Trouble     bool   `json:"trouble,omitempty"`
}

type savedMemory struct {
	Stage  int        `json:"stage"`
	Points [][3]int64 `json:"points"`
}

// writeTimeline writes the step of r's timeline, whatever else was recorded.
func writeTimeline(w io.Writer, r *sim.Result) error {
	line := r.Timeline
	s := savedTimeline{Scenario: r.Scenario, Seed: r.Seed, Version: r.Version, Round: line.Round, From: line.From, To: line.To, Spans: [][9]int64{}}
	for _, k := range sim.SpanKinds() {
		s.Kinds = append(s.Kinds, k.String())
	}
	inside := func(x *sim.Span) bool { return x.End > line.From && x.Start < line.To }
	used := make([]bool, len(line.Tracks))
	for i := range line.Spans {
		if inside(&line.Spans[i]) {
			used[line.Spans[i].Track] = true
		}
	}
	number := make([]int64, len(line.Tracks)) // of those that are kept
	for i, t := range line.Tracks {
		number[i] = int64(len(s.Tracks))
		if used[i] || isStage(&t) {
			s.Tracks = append(s.Tracks, savedTrack{t.Name, t.Stage, t.To, t.Link, t.Rows, t.Synchronous, t.Trouble})
		}
	}
	for i := range line.Spans {
		if x := &line.Spans[i]; inside(x) {
			s.Spans = append(s.Spans, [9]int64{
				number[x.Track], int64(x.Start), int64(x.End), int64(x.Kind), int64(x.Segment), int64(x.To), int64(x.Micro), int64(x.Round), int64(x.Attempt),
			})
		}
	}
	for _, m := range memoryOf(r) {
		kept := savedMemory{Stage: m.Stage, Points: [][3]int64{}}
		for _, p := range m.Points {
			kept.Points = append(kept.Points, [3]int64{int64(p.At), int64(p.Activations), int64(p.Buffers)})
		}
		s.Memory = append(s.Memory, kept)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(&s)
}

// memoryOf is the memory that the plot of it draws.
func memoryOf(r *sim.Result) []sim.StageMemory {
	if !hasMemory(r) {
		return nil
	}
	return r.Timeline.Memory
}

// addTimeline gives a result the timeline that was kept beside it.
func addTimeline(r *sim.Result, data []byte) error {
	var s savedTimeline
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("no timeline of a run: %w", err)
	}
	if s.Scenario != r.Scenario || s.Seed != r.Seed || s.Version != r.Version {
		return fmt.Errorf("it is of another run than the result beside it: scenario %q, seed %d, stowage %s", s.Scenario, s.Seed, s.Version)
	}
	line := &sim.Timeline{Round: s.Round, From: s.From, To: s.To}
	for _, t := range s.Tracks {
		line.Tracks = append(line.Tracks, sim.Track{Name: t.Name, Stage: t.Stage, To: t.To, Link: t.Link, Rows: t.Rows, Synchronous: t.Synchronous, Trouble: t.Trouble})
	}
	for i, x := range s.Spans {
		kind := x[3]
		if x[0] < 0 || x[0] >= int64(len(s.Tracks)) || kind < 0 || kind >= int64(len(s.Kinds)) || x[1] > x[2] {
			return fmt.Errorf("span %d is of track %d of %d and of kind %d of %d, from %d to %d ns", i, x[0], len(s.Tracks), kind, len(s.Kinds), x[1], x[2])
		}
		known := slices.IndexFunc(sim.SpanKinds(), func(k sim.SpanKind) bool { return k.String() == s.Kinds[kind] })
		if known < 0 {
			return fmt.Errorf("span %d is of an unknown kind, %q", i, s.Kinds[kind])
		}
		line.Spans = append(line.Spans, sim.Span{
			Track: int32(x[0]), Start: time.Duration(x[1]), End: time.Duration(x[2]), Kind: sim.SpanKinds()[known],
			Segment: int32(x[4]), To: int32(x[5]), Micro: int32(x[6]), Round: int32(x[7]), Attempt: int32(x[8]),
		})
	}
	for _, m := range s.Memory {
		if m.Stage < 0 || m.Stage >= len(r.Scheme.Stages) || len(m.Points) == 0 {
			return fmt.Errorf("memory is of stage %d of %d, at %d times", m.Stage+1, len(r.Scheme.Stages), len(m.Points))
		}
		kept := sim.StageMemory{Stage: m.Stage}
		for _, p := range m.Points {
			kept.Points = append(kept.Points, sim.MemoryPoint{At: time.Duration(p[0]), Activations: unit.Bytes(p[1]), Buffers: unit.Bytes(p[2])})
		}
		line.Memory = append(line.Memory, kept)
	}
	if line.To <= line.From {
		return errors.New("its step ends before it begins")
	}
	r.Timeline = line
	return nil
}
