package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// orders writes the operations of every stage in order, as in F0 F1 B0 B1, with a
// letter for the chunk where there are several.
func orders(p *Pipeline) []string {
	lines := make([]string, p.Stages)
	p.program(func(op Op) {
		stage := p.Segments[op.Segment].Stage
		text := fmt.Sprintf("%c%d", "FBW"[op.Pass], op.Micro)
		if p.shared() {
			text += string(rune('a' + int(op.Segment)/p.Stages))
		}
		lines[stage] = strings.TrimSpace(lines[stage] + " " + text)
	})
	return lines
}

func TestSchedules(t *testing.T) {
	test := func(schedule string, chunks, microbatches int, want ...string) {
		t.Helper()
		if got := orders(rotate(line(schedule, microbatches, make([][2]time.Duration, chunks*len(want)), 0, 0), len(want))); !slices.Equal(got, want) {
			t.Errorf("%s, %d micro-batches:\n%s\nwant\n%s", schedule, microbatches, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	test("gpipe", 1, 3,
		"F0 F1 F2 B0 B1 B2",
		"F0 F1 F2 B0 B1 B2")
	test("1f1b", 1, 4,
		"F0 F1 F2 B0 F3 B1 B2 B3",
		"F0 F1 B0 F2 B1 F3 B2 B3",
		"F0 B0 F1 B1 F2 B2 F3 B3")
	test("1f1b", 1, 1,
		"F0 B0",
		"F0 B0")
	// Figure 4 of Narayanan et al., with 2 devices in place of 4.
	test("interleaved", 2, 4,
		"F0a F1a F0b F1b F2a B0b F3a B1b F2b B0a F3b B1a B2b B3b B2a B3a",
		"F0a F1a F0b B0b F1b B1b F2a B0a F3a B1a F2b B2b F3b B3b B2a B3a")
	// Figure 2 of Qi et al., with 3 devices in place of 4: all hold 3 micro-batches.
	test("zb-h1", 1, 4,
		"F0 F1 F2 B0 W0 F3 B1 W1 B2 W2 B3 W3",
		"F0 F1 B0 F2 B1 W0 F3 B2 W1 B3 W2 W3",
		"F0 B0 F1 B1 F2 B2 W0 F3 B3 W1 W2 W3")
}

// rotate puts the segments of p on so many stages in rotation.
func rotate(p *Pipeline, stages int) *Pipeline {
	p.Stages, p.Sync = stages, p.Sync[:stages]
	for g := range p.Segments {
		p.Segments[g].Stage = g % stages
	}
	return p
}

// The operation at a position is what the rule of windows gives step by step.
func TestOpAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 30).Draw(t, "microbatches")
		window := rapid.IntRange(1, m).Draw(t, "window")
		p := line("gpipe", m, make([][2]time.Duration, 1), 0, 0)
		p.Schedule.Window = func(_, _, _ int) int { return window }
		for i, want := range segmentOrder(p, 0, window) {
			if micro, pass := opAt(i, window, m); micro != want.micro || pass.String() != want.what {
				t.Fatalf("operation %d is %d (%v), want %v", i, micro, pass, want)
			}
		}
	})
}

func TestLookupSchedule(t *testing.T) {
	for _, name := range ScheduleNames() {
		if s, ok := LookupSchedule(name); !ok || s.Name != name || s.Title == "" || s.Window == nil {
			t.Errorf("LookupSchedule(%q) = %+v, %v", name, s, ok)
		}
	}
	if _, ok := LookupSchedule("GPipe"); ok {
		t.Error("schedules are named in lower case")
	}
}

// A segment holds as many micro-batches as its order of operations says, and as
// the schedule says without looking at the order where stages have one segment or
// rotate.
func TestInFlight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		rounds := 1
		if p.Schedule.Staleness > 0 {
			rounds = 3 + 2*p.Schedule.Staleness // so that the windows fill
		}
		want := make([]int, len(p.Segments))
		held := make([]int, len(p.Segments))
		last := "backward"
		if p.split() {
			last = "weight"
		}
		for _, order := range newTwin(p, nil, rounds).order {
			for _, op := range order {
				if op.what == last || p.ForwardOnly {
					held[op.at] = max(0, held[op.at]-1)
				}
				if op.what == "forward" {
					held[op.at]++
				}
				want[op.at] = max(want[op.at], held[op.at])
			}
		}
		if p.Schedule.Staleness > 0 && rounds*p.Microbatches < len(p.Segments) {
			return // a run of so few rounds does not fill the windows
		}
		if got := p.InFlight(); !slices.Equal(got, want) {
			t.Fatalf("%s: InFlight() = %v, the order of operations says %v", kind(p), got, want)
		}
		if p.ForwardOnly {
			return
		}
		claim := p.Schedule.HeldBy(p.stageOf(), p.Microbatches)
		if k := kind(p); k != "by units" && !slices.Equal(claim, want) {
			t.Fatalf("%s: HeldBy() = %v, the order of operations says %v", k, claim, want)
		}
		for g := range claim {
			if claim[g] < want[g] {
				t.Fatalf("HeldBy() = %v, the order of operations says %v", claim, want)
			}
		}
	})
}

// Every operation appears once, after all that it needs.
func TestProgramIsTopological(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		at := map[Op]int{}
		if p.Schedule.Staleness > 0 {
			p.Schedule.Staleness = 0
		}
		p.program(func(op Op) {
			if _, twice := at[op]; twice {
				t.Fatalf("%+v appears twice", op)
			}
			at[op] = len(at)
		})
		want := len(p.Segments) * p.Microbatches
		switch {
		case p.split():
			want *= 3
		case !p.ForwardOnly:
			want *= 2
		}
		if len(at) != want {
			t.Fatalf("%d operations, want %d", len(at), want)
		}
		before := func(a, b Op) {
			if at[a] >= at[b] {
				t.Fatalf("%+v comes after %+v", a, b)
			}
		}
		for g := range int32(len(p.Segments)) {
			for m := range int32(p.Microbatches) {
				if !p.ForwardOnly {
					before(Op{g, m, Forward}, Op{g, m, Backward})
				}
				if p.split() {
					before(Op{g, m, Backward}, Op{g, m, Weight})
				}
			}
		}
		for _, c := range p.Channels {
			from, to := int32(c.From), int32(c.To)
			for m := range int32(p.Microbatches) {
				before(Op{from, m, Forward}, Op{to, m, Forward})
				if !p.ForwardOnly {
					before(Op{to, m, Backward}, Op{from, m, Backward})
				}
			}
		}
	})
}
