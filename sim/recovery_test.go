package sim

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/workloads"
)

// alone is one device with rounds of one step each.
func alone(t rapid.TB, step time.Duration, rounds int) Job {
	t.Helper()
	m := &workloads.Model{Name: "alone", Layers: []workloads.Layer{timed(0, step/2, step-step/2, 1, "a")}}
	job := planned(t, specOf(m, machine("a", 1)), placement.Scheme{0})
	job.Rounds = rounds
	return job
}

// lostTo returns the times lost by cause, in the order of causes.
func lostTo(run *Run) (lost [lossCauses]time.Duration) {
	for _, l := range run.Lost {
		for c := range lossCauses {
			if c.String() == l.Cause {
				lost[c] = l.Time
			}
		}
	}
	return lost
}

// Rounds of 10 us, a checkpoint of 3 us after every second one, 5 us until a lost device
// is repaired and 4 us to restart. By hand: rounds end at 10 and 20; 3 us; 33 and 43; 3 us;
// 56 and 66, and what a loss changes.
func TestLossesByHand(t *testing.T) {
	at := func(times ...time.Duration) (losses []Loss) {
		for _, d := range times {
			losses = append(losses, Loss{Devices: all(0), At: d})
		}
		return losses
	}
	blocking := &Checkpoint{Rounds: 2, Write: 3 * us}
	for _, c := range []struct {
		name       string
		losses     []Loss
		checkpoint *Checkpoint
		spares     int
		end        time.Duration
		lost       [lossCauses]time.Duration // checkpoint, redone, waiting, restart
		redone     int
	}{
		{"nothing is lost", nil, blocking, 0, 66 * us, [lossCauses]time.Duration{6 * us}, 0},
		{"in the first microsecond of round 4", at(47 * us), blocking, 0, 76 * us, [lossCauses]time.Duration{6 * us, us, 5 * us, 4 * us}, 0},
		{"in round 3: 2 is lost too", at(41 * us), blocking, 0, 93 * us, [lossCauses]time.Duration{6 * us, 18 * us, 5 * us, 4 * us}, 1},
		{"with a spare", at(41 * us), blocking, 1, 88 * us, [lossCauses]time.Duration{6 * us, 18 * us, 0, 4 * us}, 1},
		{"in the checkpoint, which counts for nothing", at(44 * us), blocking, 0, 96 * us, [lossCauses]time.Duration{7 * us, 20 * us, 5 * us, 4 * us}, 2},
		{"again while waiting: until the last is back", at(47*us, 49*us), blocking, 0, 78 * us, [lossCauses]time.Duration{6 * us, us, 7 * us, 4 * us}, 0},
		{"again in the restart", at(47*us, 53*us), blocking, 0, 82 * us, [lossCauses]time.Duration{6 * us, us, 10 * us, 5 * us}, 0},
		{"again before the first is back as a spare", at(47*us, 49*us), blocking, 1, 76 * us, [lossCauses]time.Duration{6 * us, us, 3 * us, 6 * us}, 0},
		{"without a checkpoint", at(41 * us), nil, 0, 110 * us, [lossCauses]time.Duration{0, 41 * us, 5 * us, 4 * us}, 4},
		{"after the end", at(100 * us), nil, 0, 60 * us, [lossCauses]time.Duration{}, 0},
		// Pauses at 20 and 41; what is saved at 36 is rounds 0 and 1.
		{"in the background", at(44 * us), &Checkpoint{Rounds: 2, Write: 15 * us, Background: true, Pause: us}, 0, 94 * us, [lossCauses]time.Duration{3 * us, 22 * us, 5 * us, 4 * us}, 2},
		// Due 15 us after the last one: at 20, at 43 and at 66.
		{"by time", nil, &Checkpoint{Every: 15 * us, Write: 3 * us}, 0, 66 * us, [lossCauses]time.Duration{6 * us}, 0},
		// Written in 25 us from 20 on: the one due at 40 is taken at 50.
		{"slow in the background", nil, &Checkpoint{Rounds: 2, Write: 25 * us, Background: true}, 0, 60 * us, [lossCauses]time.Duration{}, 0},
	} {
		job := alone(t, 10*us, 6)
		job.Trouble = &Trouble{Losses: c.losses, Checkpoint: c.checkpoint, Recovery: Recovery{Restart: 4 * us, Repair: 5 * us, Spares: c.spares}}
		job.Record = RecordAll
		run := train(t, job)
		if run.End != c.end || lostTo(run) != c.lost || run.Redone != c.redone || len(run.LostRounds) != c.redone {
			t.Errorf("%s: ends at %v, lost %v, %d rounds; by hand %v, %v, %d", c.name, run.End, lostTo(run), run.Redone, c.end, c.lost, c.redone)
		}
		checkAccount(t, job, run)
		checkTroubleSpans(t, run)
	}
}

// checkTroubleSpans holds the slices of a timeline of all rounds against the account of time, and
// against each other: none of an attempt begins before it or ends after the next one does.
func checkTroubleSpans(t *testing.T, run *Run) {
	t.Helper()
	of := map[SpanKind]LossCause{SpanCheckpoint: LostToCheckpoint, SpanLost: LostToRedoing, SpanWaiting: LostToWaiting, SpanRestart: LostToRestart,
		SpanDetection: LostToDetection, SpanReconfiguration: LostToReconfiguration, SpanTransfer: LostToTransfer}
	var lost [lossCauses]time.Duration
	begun := map[int32]time.Duration{}
	for _, s := range run.Timeline.Spans { // by start
		if cause, ok := of[s.Kind]; ok {
			lost[cause] += s.End - s.Start
			continue
		}
		if _, ok := begun[s.Attempt]; !ok {
			begun[s.Attempt] = s.Start
		}
		if next, ok := begun[s.Attempt+1]; ok && s.End > next {
			t.Errorf("%v of round %d ends at %v, the job has begun anew at %v", s.Kind, s.Round, s.End, next)
		}
	}
	if lost != lostTo(run) {
		t.Errorf("slices of %v, lost was %v", lost, lostTo(run))
	}
}

// checkAccount holds the rounds against the account of time: those that count take all
// that was not lost.
func checkAccount(t rapid.TB, job Job, run *Run) {
	t.Helper()
	useful, lost, down := time.Duration(0), time.Duration(0), time.Duration(0)
	for r, rd := range run.Rounds {
		if rd.Round != r || rd.StepTime != rd.End-rd.Start || r > 0 && rd.Start < run.Rounds[r-1].End {
			t.Fatalf("round %d: %+v after %+v", r, rd, run.Rounds[max(0, r-1)])
		}
		useful += rd.StepTime
	}
	for _, d := range lostTo(run) {
		lost += d
	}
	if useful+lost != run.End || len(run.Rounds) != job.Rounds || run.Elapsed != run.End {
		t.Fatalf("%d rounds took %v and %v was lost, of %v\n%+v\n%+v\n%+v", len(run.Rounds), useful, lost, run.End, run.Rounds, run.Incidents, run.Lost)
	}
	for _, i := range run.Incidents {
		if i.Start > i.End || i.End > run.End {
			t.Fatalf("%+v in a run of %v", i, run.End)
		}
		if slices.Contains([]string{"waiting", "restart", "detection", "reconfiguration", "transfer"}, i.Kind) {
			down += i.End - i.Start
		}
	}
	if down != run.Down {
		t.Fatalf("restarts and waiting of %v, and %v", down, run.Down)
	}
	for i, u := range run.Usage {
		if u.Busy < 0 || u.Sync < 0 || u.Stall < 0 || u.Held < 0 || u.Busy+u.Sync+u.Stall+u.Held+run.Down > run.End {
			t.Fatalf("stage %d: %+v and down for %v in %v", i, u, run.Down, run.End)
		}
	}
}

// In any pipeline the account is whole, and a loss less never makes less of the time
// useful.
func TestLossesOfPipelines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, false, 3)
		if rapid.Bool().Draw(t, "network") {
			job.Problem.Cluster.Network.Topology = hw.OneSwitch
		}
		step := train(t, job).End / time.Duration(job.Rounds)
		job.Rounds = rapid.IntRange(1, 12).Draw(t, "rounds")
		span := func(name string) time.Duration {
			return time.Duration(rapid.Float64Range(0, 3).Draw(t, name) * float64(step))
		}
		tr := &Trouble{Recovery: Recovery{Restart: span("restart"), Repair: span("repair"), Spares: rapid.IntRange(0, 2).Draw(t, "spares")}}
		if rapid.Bool().Draw(t, "checkpoint") {
			tr.Checkpoint = &Checkpoint{Rounds: rapid.IntRange(1, 3).Draw(t, "every"), Write: span("write")}
			if rapid.Bool().Draw(t, "background") {
				tr.Checkpoint.Background, tr.Checkpoint.Pause = true, span("pause")/4
			}
		}
		for range rapid.IntRange(1, 3).Draw(t, "losses") {
			tr.Losses = append(tr.Losses, Loss{Devices: all(0), At: span("loss") * 3})
		}
		job.Trouble = tr
		run := train(t, job)
		if job.Problem.Schedule.Staleness == 0 && job.Problem.Sync != placement.Server {
			checkAccount(t, job, run)
		}
		fewer := *tr
		fewer.Losses = tr.Losses[:len(tr.Losses)-1]
		job.Trouble = &fewer
		if better := train(t, job); len(tr.Losses) == 1 && better.End > run.End {
			t.Fatalf("%v, with a loss less %v", run.End, better.End)
		}
	})
}

// A job with a slot table begins anew with an empty one, at the lookups of its round.
func TestLossEmptiesSlots(t *testing.T) {
	job := embeddedLoss(t, 12)
	plain := train(t, job)
	job.Trouble = &Trouble{
		Losses:     []Loss{{Devices: all(0), At: plain.Rounds[7].Start + us}},
		Checkpoint: &Checkpoint{Rounds: 4}, Recovery: Recovery{Restart: ms},
	}
	run := train(t, job)
	checkAccount(t, job, run)
	if run.Redone != 3 {
		t.Fatalf("%d rounds were redone, want 3", run.Redone)
	}
	for r := range 4 {
		if *run.Rounds[r].Slots != *plain.Rounds[r].Slots {
			t.Errorf("round %d: %+v, without a loss %+v", r, run.Rounds[r].Slots, plain.Rounds[r].Slots)
		}
	}
	at := run.Rounds[4].Slots
	if at.Hits != 0 || at.Unique != plain.Rounds[4].Slots.Unique || plain.Rounds[4].Slots.Hits == 0 {
		t.Errorf("after the restart %+v, without a loss %+v", at, plain.Rounds[4].Slots)
	}
}

// With failures by chance the mean time of a run is what Daly's complete model says, M
// e^(R/M) (e^((tau+C)/M) - 1) W/tau, and the best interval near sqrt(2 C M): J. T. Daly, A
// higher order estimate of the optimum checkpoint interval for restart dumps, Future
// Generation Computer Systems 22 (2006), 303-312, equations 20 and 37 (recalled); to the
// first order it is J. W. Young's, CACM 17 (1974). The goodput is W over that time.
func TestCheckpointsAreDaly(t *testing.T) {
	const (
		step, write, restart, mtbf = 10.0, 20.0, 60.0, 2000.0
		rounds                     = 2000
	)
	seeds := 150
	if testing.Short() {
		seeds = 20
	}
	optimum := math.Sqrt(2 * write * mtbf) // 283 s
	job := alone(t, 10*time.Second, rounds)
	best, least := 0.0, math.Inf(1)
	for _, tau := range []float64{50, 100, 200, 280, 400, 800, 1600} {
		sum, squares := 0.0, 0.0
		for seed := range seeds {
			job.Trouble = &Trouble{
				Seed: int64(seed), Losses: []Loss{{Devices: all(0), MTBF: mtbf}},
				Checkpoint: &Checkpoint{Every: time.Duration(tau * 1e9), Write: write * time.Second},
				Recovery:   Recovery{Restart: restart * time.Second, Spares: 1},
			}
			x := train(t, job).End.Seconds()
			sum, squares = sum+x, squares+x*x
		}
		n := float64(seeds)
		mean := sum / n
		spread := math.Sqrt((squares/n - mean*mean) / (n - 1))
		exact := mtbf * math.Exp(restart/mtbf) * math.Expm1((tau+write)/mtbf) * rounds * step / tau
		if math.Abs(mean-exact) > 4*spread+0.002*exact { // the last segment has no checkpoint
			t.Errorf("every %g s: %.0f s ± %.0f, by Daly %.0f s", tau, mean, spread, exact)
		}
		// To the first order a share of C/(tau+C) + (tau/2+C/2+R)/M is lost.
		goodput := rounds * step / mean
		if first := (1 - (tau/2+write/2+restart)/mtbf) * tau / (tau + write); tau <= 400 && math.Abs(goodput-first) > 0.015 {
			t.Errorf("every %g s: goodput ratio %.4f, to the first order %.4f", tau, goodput, first)
		}
		if mean < least {
			best, least = tau, mean
		}
	}
	if best < optimum/1.5 || best > optimum*1.5 {
		t.Errorf("the best interval is %g s, by Young and Daly %.0f s", best, optimum)
	}
}

// Without progress a run ends at a limit, not never.
func TestLossesWithoutEnd(t *testing.T) {
	job := alone(t, time.Second, 100)
	job.MaxEvents = 100_000
	job.Trouble = &Trouble{Losses: []Loss{{Devices: all(0), MTBF: 0.01}}}
	if run, err := Train(t.Context(), job); err == nil || run == nil || len(run.Rounds) > 0 {
		t.Errorf("%v", err)
	}
}

// A pause holds every schedule, and what it is held for is in no other account.
func TestPausesOfSchedules(t *testing.T) {
	for _, s := range pipeline.Schedules {
		job := line(t, 4, 7*us, 5*us)
		job.Problem = withSchedule(t, job.Problem, s)
		plain := train(t, job)
		job.Trouble = &Trouble{Checkpoint: &Checkpoint{Rounds: 1, Write: 100 * us}}
		run := train(t, job)
		if s.Staleness == 0 && run.End != plain.End+300*us {
			t.Errorf("%s: %v, with three pauses of 100us %v", s.Name, plain.End, run.End)
		}
		for i, u := range run.Usage {
			if u.Busy != plain.Usage[i].Busy || u.Held == 0 || u.Held > 300*us || s.Staleness == 0 && u.Held != 300*us {
				t.Errorf("%s: stage %d: %+v, without pauses %+v", s.Name, i, u, plain.Usage[i])
			}
		}
	}
}
