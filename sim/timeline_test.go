package sim

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A timeline of all rounds accounts for all that the stages did; recording changes
// nothing; and the timeline of a step is what of it falls into the step.
func TestTimelineIsTheRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, false, 3)
		plain, err := Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		job.Record = RecordAll
		run, err := Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(plain.Rounds, run.Rounds) || plain.Events != run.Events {
			t.Fatalf("recorded rounds %+v, others %+v", run.Rounds, plain.Rounds)
		}
		checkSpans(t, job, run)
		job.Record = RecordStep
		step, err := Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		inside := slices.DeleteFunc(slices.Clone(run.Timeline.Spans), func(s Span) bool {
			return s.End <= step.Timeline.From || s.Start >= step.Timeline.To
		})
		if !slices.EqualFunc(inside, step.Timeline.Spans, func(a, b Span) bool { a.Track, b.Track = 0, 0; return a == b }) {
			t.Fatalf("a step has spans\n%+v\nall rounds in that time\n%+v", step.Timeline.Spans, inside)
		}
	})
}

// checkSpans compares the timeline of all rounds with the books of the run.
func checkSpans(t *rapid.T, job Job, run *Run) {
	line := run.Timeline
	spent, last := map[int]time.Duration{}, map[int]time.Duration{}
	transfers := 0
	for _, s := range line.Spans {
		track := &line.Tracks[s.Track]
		switch {
		case s.Start >= s.End || s.End > run.Elapsed:
			t.Fatalf("%+v in a run of %v", s, run.Elapsed)
		case s.Kind == SpanActivation || s.Kind == SpanGradient:
			if !track.Link {
				t.Fatalf("%+v on track %+v", s, track)
			}
			transfers++
			continue
		case track.Synchronous:
			continue
		}
		if s.Start < last[track.Stage] {
			t.Fatalf("%+v begins before the last one ended at %v", s, last[track.Stage])
		}
		last[track.Stage] = s.End
		spent[track.Stage] += s.End - s.Start
	}
	pipe, _, err := job.Problem.Pipeline(job.Plan)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range run.Usage {
		want := u.Busy + u.Sync
		if job.Problem.Schedule.Staleness > 0 || pipe.Lead != nil && pipe.Lead[i] > 0 {
			want = u.Busy // the rest is waiting
		}
		if spent[i] != want {
			t.Fatalf("stage %d has spans of %v, was busy for %v and synchronised for %v", i, spent[i], u.Busy, u.Sync)
		}
	}
	want := 0
	for _, c := range pipe.Channels {
		if pipe.Segments[c.From].Stage == pipe.Segments[c.To].Stage {
			continue
		}
		for _, takes := range []time.Duration{c.Forward, c.Backward} {
			if takes > 0 && (takes == c.Forward || !pipe.ForwardOnly) {
				want += job.Rounds * pipe.Microbatches
			}
		}
	}
	if !pipe.ForwardOnly && transfers != want {
		t.Fatalf("%d transfers, want %d", transfers, want)
	}
}

// A run that is cut short before its warm step has no timeline.
func TestNoTimelineOfACutRun(t *testing.T) {
	job := busy(t, 40)
	job.Record, job.MaxEvents = RecordStep, 50
	run, err := Train(t.Context(), job)
	if err == nil || run.Timeline != nil {
		t.Errorf("Train = %v, timeline %+v", err, run.Timeline)
	}
}
