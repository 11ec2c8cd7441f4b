package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// orders writes the operations of every segment in order, as in F0 F1 B0 B1.
func orders(p *Pipeline) []string {
	lines := make([]string, len(p.Segments))
	for s := range lines {
		var ops []string
		for i := range 2 * p.Microbatches {
			micro, backward := opAt(i, p.window(s), p.Microbatches)
			ops = append(ops, string("FB"[btoi(backward)])+fmt.Sprint(micro))
		}
		lines[s] = strings.Join(ops, " ")
	}
	return lines
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestSchedules(t *testing.T) {
	test := func(schedule string, microbatches int, want ...string) {
		t.Helper()
		if got := orders(line(schedule, microbatches, make([][2]time.Duration, len(want)), 0, 0)); !slices.Equal(got, want) {
			t.Errorf("%s, %d micro-batches:\n%s\nwant\n%s", schedule, microbatches, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	test("gpipe", 3,
		"F0 F1 F2 B0 B1 B2",
		"F0 F1 F2 B0 B1 B2")
	test("1f1b", 4,
		"F0 F1 F2 B0 F3 B1 B2 B3",
		"F0 F1 B0 F2 B1 F3 B2 B3",
		"F0 B0 F1 B1 F2 B2 F3 B3")
	test("1f1b", 1,
		"F0 B0",
		"F0 B0",
		"F0 B0")
}

// The operation at a position is what the rule of windows gives step by step.
func TestOpAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 30).Draw(t, "microbatches")
		window := rapid.IntRange(1, m).Draw(t, "window")
		p := line("gpipe", m, make([][2]time.Duration, 1), 0, 0)
		p.Schedule.Window = func(_, _, _ int) int { return window }
		for i, want := range segmentOrder(p, 0) {
			if micro, backward := opAt(i, window, m); micro != want.micro || backward != (want.what == "backward") {
				t.Fatalf("operation %d is %d (backward: %v), want %v", i, micro, backward, want)
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

// A segment holds as many micro-batches as its order of operations says.
func TestInFlight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		want := make([]int, len(p.Segments))
		held := make([]int, len(p.Segments))
		for _, order := range newTwin(p, nil).order {
			for _, op := range order {
				if op.what == "backward" || p.ForwardOnly {
					held[op.at] = max(0, held[op.at]-1)
				}
				if op.what == "forward" {
					held[op.at]++
				}
				want[op.at] = max(want[op.at], held[op.at])
			}
		}
		if got := p.InFlight(); !slices.Equal(got, want) {
			t.Fatalf("InFlight() = %v, the order of operations says %v", got, want)
		}
	})
}

// Every operation appears once, after all that it needs.
func TestInterleaveIsTopological(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		at := map[Op]int{}
		for i, op := range p.interleave() {
			if _, twice := at[op]; twice {
				t.Fatalf("%+v appears twice", op)
			}
			at[op] = i
		}
		want := len(p.Segments) * p.Microbatches
		if !p.ForwardOnly {
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
		for _, c := range p.Channels {
			from, to := int32(c.From), int32(c.To)
			for m := range int32(p.Microbatches) {
				before(Op{from, m, false}, Op{to, m, false})
				if !p.ForwardOnly {
					before(Op{to, m, true}, Op{from, m, true})
				}
			}
		}
	})
}
