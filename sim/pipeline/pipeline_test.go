package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw/unit"
)

// line is a chain of stages with these forward and backward times, whose channels
// all take the same, without synchronisation.
func line(schedule string, microbatches int, times [][2]time.Duration, down, up time.Duration) *Pipeline {
	s, _ := LookupSchedule(schedule)
	p := &Pipeline{Stages: len(times), Microbatches: microbatches, Schedule: s, Sync: make([]time.Duration, len(times))}
	for i, t := range times {
		p.Segments = append(p.Segments, Segment{Stage: i, Forward: t[0], Backward: t[1]})
		if i > 0 {
			p.Channels = append(p.Channels, Channel{From: i - 1, To: i, Forward: down, Backward: up})
		}
	}
	return p
}

// bounce is a pipeline by type: segments 0 and 2 on stage 0, segment 1 on stage 1.
func bounce(schedule string, microbatches int) *Pipeline {
	p := line(schedule, microbatches, [][2]time.Duration{{1, 1}, {1, 1}, {1, 1}}, 0, 0)
	p.Stages, p.Sync = 2, p.Sync[:2]
	p.Segments[2].Stage = 0
	return p
}

func with(p *Pipeline, change func(p *Pipeline)) *Pipeline {
	change(p)
	return p
}

// Tables worked out by hand; the recurrence and the events must both say so.
func TestByHand(t *testing.T) {
	type pairs = [][2]time.Duration
	tests := []struct {
		name string
		p    *Pipeline
		want []time.Duration // of the rounds
	}{
		{"one stage, two rounds", with(line("gpipe", 2, pairs{{1, 2}}, 0, 0), func(p *Pipeline) { p.Sync[0] = 4 }), []time.Duration{10, 20}},
		// Stage 1: F 1-4 4-7, B 7-13 13-19; stage 0: B 13-15 19-21.
		{"unequal stages, gpipe", line("gpipe", 2, pairs{{1, 2}, {3, 6}}, 0, 0), []time.Duration{21}},
		// Stage 1: F 1-4, B 4-10, F 10-13, B 13-19; stage 0: F 0-1 1-2, B 10-12 19-21.
		{"unequal stages, 1f1b", line("1f1b", 2, pairs{{1, 2}, {3, 6}}, 0, 0), []time.Duration{21}},
		// Stage 1: F 3-4 6-7, B 7-9 9-11; stage 0: F 0-3 3-6, B 9-15 15-21.
		{"slow first stage, gpipe", line("gpipe", 2, pairs{{3, 6}, {1, 2}}, 0, 0), []time.Duration{21}},
		// Stage 1: F 3-4, B 4-6, F 6-7, B 7-9; stage 0: F 0-3 3-6, B 6-12 12-18.
		{"slow first stage, 1f1b", line("1f1b", 2, pairs{{3, 6}, {1, 2}}, 0, 0), []time.Duration{18}},
		// Channel down 1-6 6-11; stage 1: F 6-7 11-12, B 12-13 13-14; up 13-18 18-23.
		{"slow channel, gpipe", line("gpipe", 2, pairs{{1, 1}, {1, 1}}, 5, 5), []time.Duration{24}},
		// Stage 1: F 6-7, B 7-8, F 11-12, B 12-13; up 8-13 13-18; stage 0: B 13-14 18-19.
		{"slow channel, 1f1b", line("1f1b", 2, pairs{{1, 1}, {1, 1}}, 5, 5), []time.Duration{19}},
		{"forward only", with(line("gpipe", 3, pairs{{1, 9}, {3, 9}, {2, 9}}, 0, 0), func(p *Pipeline) { p.ForwardOnly = true }), []time.Duration{12, 21}},
		// Stage 1 synchronises 3-13 while stage 0 begins the next round at 4.
		{"synchronisation overlaps the next round", with(line("gpipe", 1, pairs{{1, 1}, {1, 1}}, 0, 0), func(p *Pipeline) { p.Sync[1] = 10 }), []time.Duration{13, 25}},
		{"by type, one micro-batch", bounce("gpipe", 1), []time.Duration{6}},
		// Stage 0: F 0-1 1-2 of segment 0, F 2-3 3-4 and B 4-5 5-6 of segment 2, B 6-7 7-8.
		{"by type, gpipe", bounce("gpipe", 2), []time.Duration{8}},
		// Segments 0 and 1 run side by side into 2, which needs both.
		{"two inputs", with(line("gpipe", 1, pairs{{2, 1}, {5, 1}, {1, 1}}, 0, 0), func(p *Pipeline) {
			p.Channels = []Channel{{From: 0, To: 2, Forward: 1, Backward: 1}, {From: 1, To: 2, Forward: 1, Backward: 7}}
		}), []time.Duration{16}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.p.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := recurrence(test.p, len(test.want), nil); !slices.Equal(got, test.want) {
				t.Errorf("the recurrence ends rounds at %v, want %v", got, test.want)
			}
			if got, _ := events(t, test.p, len(test.want), nil, nil); !slices.Equal(got, test.want) {
				t.Errorf("the events end rounds at %v, want %v", got, test.want)
			}
		})
	}
}

// Equal stages without transfers take what the papers say: F, B and W of a stage,
// of M micro-batches on S stages,
//
//	gpipe, 1f1b  (M + S - 1)(F + B + W): a bubble of (S - 1)(F + B + W)
//	interleaved  a bubble of (S - 1)(F + B + W) / v with v chunks (Narayanan et al., 2.2), M at least S
//	zb-h1        a bubble of (S - 1)(F + B - W) (Qi et al., table 2), where W is neither longer
//	             than F nor than B, and M at least 2 S - 1
//	async        none in the long run, when the staleness lets in S micro-batches
//
// and hold M, min(M, S - s), min(M, S - s) (of one chunk), S and S - s micro-batches.
func TestEqualStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stages, m := rapid.IntRange(1, 12).Draw(t, "stages"), rapid.IntRange(1, 30).Draw(t, "microbatches")
		chunks := rapid.IntRange(2, 4).Draw(t, "chunks")
		f := time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "forward"))
		b := time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "backward"))
		w := min(f, b, time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "weight")))
		test := func(p *Pipeline, step time.Duration, held func(s int) int) {
			t.Helper()
			for i := range p.Segments {
				p.Segments[i].Weight = w
			}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			want := []time.Duration{step, 2 * step, 3 * step}
			if p.Schedule.Staleness > 0 {
				if got := StepTime(p); got != step {
					t.Fatalf("%s: a step takes %v in the long run, want %v", p.Schedule.Name, got, step)
				}
			} else {
				if got := recurrence(p, 3, nil); !slices.Equal(got, want) {
					t.Fatalf("%s: the recurrence ends rounds at %v, want %v", p.Schedule.Name, got, want)
				}
				if got, _ := events(t, p, 3, nil, nil); !slices.Equal(got, want) {
					t.Fatalf("%s: the events end rounds at %v, want %v", p.Schedule.Name, got, want)
				}
			}
			for s, got := range p.InFlight() {
				if held != nil && got != held(s) {
					t.Fatalf("%s: segment %d holds %d micro-batches, want %d", p.Schedule.Name, s, got, held(s))
				}
			}
		}
		times := make([][2]time.Duration, stages)
		for i := range times {
			times[i] = [2]time.Duration{f, b + w}
		}
		work, rank := f+b+w, time.Duration(stages-1)
		test(line("gpipe", m, times, 0, 0), time.Duration(m)*work+rank*work, func(int) int { return m })
		test(line("1f1b", m, times, 0, 0), time.Duration(m)*work+rank*work, func(s int) int { return min(m, stages-s) })
		test(line("interleaved", m, times, 0, 0), time.Duration(m)*work+rank*work, func(s int) int { return min(m, stages-s) })
		test(line("zb-h1", max(m, 2*stages-1), times, 0, 0), time.Duration(max(m, 2*stages-1))*work+rank*(f+b-w), func(int) int { return stages })
		stale := (stages + m - 1) / m
		test(with(line("async", m, times, 0, 0), func(p *Pipeline) { p.Schedule.Staleness = stale }), time.Duration(m)*work,
			func(s int) int { return stages - s })
		enough := max(m, stages)
		test(rotate(line("interleaved", enough, slices.Repeat(times, chunks), 0, 0), stages), time.Duration(enough*chunks)*work+rank*work, nil)
	})
}

// The last round's end with one thing changed must not be earlier, or exactly that.
func TestMetamorphic(t *testing.T) {
	const rounds = 2
	end := func(p *Pipeline) time.Duration { return recurrence(p, rounds, nil)[rounds-1] }
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		base := end(p)
		scaled := alter(p, func(_ int, d time.Duration) time.Duration { return 3 * d })
		if got := end(scaled); got != 3*base {
			t.Fatalf("with all times three times as long it takes %v, before %v", got, base)
		}
		parts := 0
		alter(p, func(i int, d time.Duration) time.Duration { parts = i + 1; return d })
		which := rapid.IntRange(0, parts-1).Draw(t, "time to lengthen")
		more := time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "by"))
		longer := alter(p, func(i int, d time.Duration) time.Duration {
			if i == which {
				d += more
			}
			return d
		})
		if got := end(longer); got < base {
			t.Fatalf("with time %d longer by %v it takes %v, before %v", which, more, got, base)
		}
		// Stages with several segments take their operations in another order then, and
		// schedules that split backward passes or do not flush have other delays and windows.
		if !p.shared() && !p.split() && p.Schedule.Staleness == 0 {
			larger := *p
			larger.Microbatches++
			if got := end(&larger); got < base {
				t.Fatalf("one more micro-batch than %d takes %v, before %v", p.Microbatches, got, base)
			}
		}
	})
}

// TestBlockingByHand: two stages with forward passes of 2 and backward passes of 4, between
// which data takes 3. The first micro-batch takes 2+3+2+4+3+4 = 18; then the last stage
// receives for 3, computes for 6 and sends for 3 with each, where it would take 6 if data
// moved beside it.
func TestBlockingByHand(t *testing.T) {
	for m := 1; m <= 9; m++ {
		p := line("1f1b", m, [][2]time.Duration{{2, 4}, {2, 4}}, 3, 3)
		p.Channels[0].Blocking = true
		if got, want := StepTime(p), time.Duration(18+12*(m-1)); got != want {
			t.Errorf("%d micro-batches take %v, want %v", m, got, want)
		}
		p.Update = []time.Duration{5, 7}
		if got, want := StepTime(p), time.Duration(18+12*(m-1)+5); got != want {
			t.Errorf("%d micro-batches take %v with updates, want %v", m, got, want)
		}
	}
	p := line("async", 2, [][2]time.Duration{{2, 4}, {2, 4}}, 3, 3)
	p.Channels[0].Blocking = true
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "does not flush") {
		t.Errorf("without a flush: %v", err)
	}
}

// alter returns a copy of p whose times are changed one by one.
func alter(p *Pipeline, change func(i int, d time.Duration) time.Duration) *Pipeline {
	q := *p
	q.Segments, q.Channels, q.Sync = slices.Clone(p.Segments), slices.Clone(p.Channels), slices.Clone(p.Sync)
	i := 0
	set := func(d *time.Duration) {
		*d = change(i, *d)
		i++
	}
	for s := range q.Segments {
		g := &q.Segments[s]
		g.Backward -= g.Weight
		set(&g.Forward)
		set(&g.Backward)
		set(&g.Weight)
		g.Backward += g.Weight
	}
	for c := range q.Channels {
		set(&q.Channels[c].Forward)
		set(&q.Channels[c].Backward)
	}
	for s := range q.Sync {
		set(&q.Sync[s])
	}
	return &q
}

// The schedules differ in order only: the work is the same, and neither beats
// the busiest stage or the longest way of one micro-batch.
func TestSchedulesDoTheSameWork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		var first []Usage
		for _, p.Schedule = range Schedules {
			if p.Schedule.Staleness > 0 && p.shared() {
				continue
			}
			ends, usage := events(t, p, 2, nil, nil)
			if first == nil {
				first = usage
			}
			for i := range usage { // without a flush it is beside the passes
				if p.Schedule.Staleness > 0 {
					usage[i].Sync = first[i].Sync
				}
			}
			if !slices.Equal(usage, first) {
				t.Fatalf("%s: stages spend %v, under %s %v", p.Schedule.Name, usage, Schedules[0].Name, first)
			}
			single := *p
			single.Microbatches = 1
			if one := recurrence(&single, 1, nil)[0]; ends[0] < one {
				t.Fatalf("%s: a round takes %v, one micro-batch alone %v", p.Schedule.Name, ends[0], one)
			}
			for i, u := range usage {
				if p.Schedule.Staleness == 0 && ends[1] < u.Busy+u.Sync {
					t.Fatalf("%s: two rounds take %v, stage %d alone %v", p.Schedule.Name, ends[1], i, u.Busy+u.Sync)
				}
			}
		}
	})
}

func TestStepAllocatesNothing(t *testing.T) {
	for name, p := range map[string]*Pipeline{
		"chain":    line("1f1b", 20, make([][2]time.Duration, 5), 1, 1),
		"split":    line("zb-h1", 20, make([][2]time.Duration, 5), 1, 1),
		"flow":     line("async", 20, make([][2]time.Duration, 5), 1, 1),
		"turns":    rotate(line("interleaved", 20, make([][2]time.Duration, 6), 1, 1), 3),
		"columns":  with(line("1f1b", 20, make([][2]time.Duration, 5), 1, 1), func(p *Pipeline) { p.Channels[3].From = 0 }),
		"by units": bounce("1f1b", 20),
	} {
		if got := kind(p); got != name {
			t.Errorf("the recurrence takes the path %q, want %q", got, name)
		}
		r := NewRecurrence(p)
		if n := testing.AllocsPerRun(10, func() { r.Step(); r.Free(1, 7); r.Reset() }); n != 0 {
			t.Errorf("%s: %v allocations in a step", name, n)
		}
	}
}

func TestValidate(t *testing.T) {
	test := func(want string, change func(p *Pipeline)) {
		t.Helper()
		p := with(line("1f1b", 4, [][2]time.Duration{{1, 2}, {3, 4}, {5, 6}}, 1, 1), change)
		err := p.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want %q in it", err, want)
		}
	}
	test("0 stages", func(p *Pipeline) { p.Stages = 0 })
	test("every stage needs at least one", func(p *Pipeline) { p.Stages = 4 })
	test("0 micro-batches", func(p *Pipeline) { p.Microbatches = 0 })
	test("MaxOps = 16777216", func(p *Pipeline) { p.Microbatches = MaxOps/10 + 1 })
	test("MaxOps", func(p *Pipeline) { p.Microbatches = 1 << 62 })
	test("2 synchronisation times for 3 stages", func(p *Pipeline) { p.Sync = p.Sync[:2] })
	test("no schedule: one of gpipe, 1f1b", func(p *Pipeline) { p.Schedule = Schedule{} })
	test("segment 1 is on stage 3: stages are 0 to 2", func(p *Pipeline) { p.Segments[1].Stage = 3 })
	test("segment 1 is on stage -1", func(p *Pipeline) { p.Segments[1].Stage = -1 })
	test("stage 1 has no segment", func(p *Pipeline) { p.Segments[1].Stage = 0 })
	test("segment 2 has a negative time", func(p *Pipeline) { p.Segments[2].Forward = -1 })
	test("segment 2 has a negative time", func(p *Pipeline) { p.Segments[2].Backward = -1 })
	test("2 leads of synchronisation for 3 stages", func(p *Pipeline) { p.Lead = make([]time.Duration, 2) })
	test("synchronisation of stage 1 begins 3ns before the end of its last pass, of 2ns", func(p *Pipeline) {
		p.Segments[1].Backward, p.Lead = 2, []time.Duration{0, 3, 0}
	})
	test("stage 2 has a negative synchronisation time", func(p *Pipeline) { p.Sync[2] = -1 })
	test("channel 0 goes from segment 1 to 1", func(p *Pipeline) { p.Channels[0].From = 1 })
	test("channel 0 goes from segment -1 to 1", func(p *Pipeline) { p.Channels[0].From = -1 })
	test("channel 1 goes from segment 1 to 3", func(p *Pipeline) { p.Channels[1].To = 3 })
	test("channel 1 has a negative time", func(p *Pipeline) { p.Channels[1].Forward = -1 })
	test("channel 1 has a negative time", func(p *Pipeline) { p.Channels[1].Backward = -1 })
	test("add up to more than the clock's", func(p *Pipeline) { p.Segments[0].Forward = unit.MaxTime / 4 })
	test("add up to more than the clock's", func(p *Pipeline) { p.Segments[0].Backward = 1<<63 - 1 })
	test("add up to more than the clock's", func(p *Pipeline) { p.Channels[0].Backward = 1<<63 - 1 })
	test("add up to more than the clock's", func(p *Pipeline) { p.Sync[0], p.Sync[1] = unit.MaxTime/2, unit.MaxTime/2+1 })
	test(`schedule "growing" lets segment 1 hold 2 micro-batches and segment 0 only 1`, func(p *Pipeline) {
		p.Schedule = Schedule{Name: "growing", Window: func(s, _, _ int) int { return s + 1 }}
	})
	test("segment 1 computes gradients of weights for 5ns of its backward pass of 4ns", func(p *Pipeline) { p.Segments[1].Weight = 5 })
	test("segment 1 computes gradients of weights for -1ns", func(p *Pipeline) { p.Segments[1].Weight = -1 })
	test(`schedule "late" delays weight gradients of segment 0 by 4 micro-batches`, func(p *Pipeline) {
		p.Schedule = Schedule{Name: "late", Window: func(_, _, m int) int { return m }, Delay: func(_, _, m int) int { return m }}
	})
	test("delays must not shrink", func(p *Pipeline) {
		p.Schedule = Schedule{Name: "late", Window: func(_, _, m int) int { return m }, Delay: func(s, _, _ int) int { return 2 - s }}
	})
	test("has a staleness of -1", func(p *Pipeline) { p.Schedule.Staleness = -1 })
	test(`schedule "async" does not flush, and 2 stages own 3 segments`, func(p *Pipeline) { *p = *bounce("async", 4) })
	// Windows out of range count as the nearest in range, which does not grow.
	p := line("1f1b", 4, [][2]time.Duration{{1, 2}, {3, 4}}, 1, 1)
	p.Schedule = Schedule{Name: "odd", Window: func(s, _, _ int) int { return 9*s - 9 }}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	p.Segments[0].Forward = (unit.MaxTime - 4*11) / 4
	if err := p.Validate(); err != nil {
		t.Errorf("a step that just fits the clock: %v", err)
	}
}
