package sim

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/sim/placement"
	"stowage/workloads"
)

// replicas is one stage of a layer of 24 us, divided among n devices, on a node each,
// which hold 4 kB of weights: 4 us of a port.
func replicas(t rapid.TB, n, rounds int) Job {
	t.Helper()
	m := &workloads.Model{Name: "replicas", Layers: []workloads.Layer{timed(0, 12*us, 12*us, 1, "a")}}
	m.Layers[0].Params = 1000
	return on(t, specOf(m, machine("a", n)), placement.Scheme{0}, n)
}

// on is a job of a scheme on given devices per stage.
func on(t rapid.TB, spec placement.Spec, scheme placement.Scheme, devices ...int) Job {
	t.Helper()
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := placement.NewEvaluator(p).PlanDevices(scheme, devices)
	if err != nil || !pl.Fitness.Feasible {
		t.Fatal(err, pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: 6}
}

// device is one of the first pool.
func device(n int) Devices { return Devices{Stage: -1, From: n, To: n + 1} }

// Rounds take 6 us on four replicas, 8 on three, 12 on two, 24 on one. A loss is noticed
// after 1 us, reconfiguring takes 2, restarting 5, and a device is back after 20. By hand,
// for a loss at 8 us: 6 | 2 lost, 1, 2 | 19, 27, 35 on three, the device being back at 28
// | 2, 4 for its weights | 47, 53 on four.
func TestShrinkByHand(t *testing.T) {
	lost := func(at ...time.Duration) (l []Loss) {
		for i, d := range at {
			l = append(l, Loss{Devices: device(i), At: d})
		}
		return l
	}
	type times struct {
		redone, waiting, restart, detection, reconfiguration, transfer time.Duration
	}
	for _, c := range []struct {
		name   string
		n      int // replicas
		losses []Loss
		spares int
		repair time.Duration
		ends   []time.Duration
		lost   times
		shrunk time.Duration
	}{
		{"one", 4, lost(8 * us), 0, 20 * us, []time.Duration{6 * us, 19 * us, 27 * us, 35 * us, 47 * us, 53 * us},
			times{2 * us, 0, 0, us, 4 * us, 4 * us}, 24 * us},
		{"one, never repaired", 4, lost(8 * us), 0, time.Second, []time.Duration{6 * us, 19 * us, 27 * us, 35 * us, 43 * us, 51 * us},
			times{2 * us, 0, 0, us, 2 * us, 0}, 40 * us},
		{"with a spare", 4, lost(8 * us), 1, 20 * us, []time.Duration{6 * us, 21 * us, 27 * us, 33 * us, 39 * us, 45 * us},
			times{2 * us, 0, 0, us, 2 * us, 4 * us}, 0},
		// Two replicas hold all as well as three.
		{"two, 12 us apart", 4, lost(8*us, 20*us), 0, time.Second, []time.Duration{6 * us, 19 * us, 35 * us, 47 * us, 59 * us, 71 * us},
			times{3 * us, 0, 0, 2 * us, 4 * us, 0}, 57 * us},
		// Noticed anew, and both are out.
		{"two, before the first is noticed", 4, lost(8*us, 8500), 0, time.Second, []time.Duration{6 * us, 23500, 35500, 47500, 59500, 71500},
			times{2 * us, 0, 0, 1500, 2 * us, 0}, 60 * us},
		{"two, while reconfiguring", 4, lost(8*us, 10*us), 0, time.Second, []time.Duration{6 * us, 25 * us, 37 * us, 49 * us, 61 * us, 73 * us},
			times{2 * us, 0, 0, 2 * us, 3 * us, 0}, 60 * us},
		{"one of two, in the first round", 2, lost(8 * us), 0, 20 * us, []time.Duration{35 * us, 53 * us, 65 * us, 77 * us, 89 * us, 101 * us},
			times{8 * us, 0, 0, us, 4 * us, 4 * us}, 24 * us},
		// Nobody holds anything any more: from the start, on the first device that is back.
		{"all", 2, lost(8*us, 10*us), 0, 20 * us, []time.Duration{57 * us, 75 * us, 87 * us, 99 * us, 111 * us, 123 * us},
			times{8 * us, 17 * us, 5 * us, 2 * us, 3 * us, 4 * us}, 24 * us},
		{"after the end", 4, lost(100 * us), 0, 20 * us, []time.Duration{6 * us, 12 * us, 18 * us, 24 * us, 30 * us, 36 * us}, times{}, 0},
	} {
		job := replicas(t, c.n, 6)
		job.Record = RecordAll
		job.Trouble = &Trouble{Losses: c.losses, Recovery: Recovery{
			Mode: Shrink, Detect: us, Reconfigure: 2 * us, Restart: 5 * us, Repair: c.repair, Spares: c.spares,
		}}
		run := train(t, job)
		got := lostTo(run)
		want := [lossCauses]time.Duration{0, c.lost.redone, c.lost.waiting, c.lost.restart, c.lost.detection, c.lost.reconfiguration, c.lost.transfer}
		if !slices.Equal(ends(run), c.ends) || got != want || run.Shrunk != c.shrunk {
			t.Errorf("%s: rounds end at %v, lost %v, shrunk for %v; by hand %v, %v, %v\n%v", c.name, ends(run), got, run.Shrunk, c.ends, want, c.shrunk, run.Incidents)
		}
		checkAccount(t, job, run)
		checkTroubleSpans(t, run)
	}
}

// Between a loss and the return of the device a job that computes alone has (R-1)/R of
// its throughput, and its goodput is all samples over the time by hand.
func TestShrunkThroughput(t *testing.T) {
	const rounds, full = 40, 5040 * us // divisible by all numbers of replicas
	for _, n := range []int{2, 3, 4, 8, 10} {
		m := &workloads.Model{Name: "replicas", Layers: []workloads.Layer{timed(0, full/2*time.Duration(n), full/2*time.Duration(n), 1, "a")}}
		job := on(t, specOf(m, machine("a", n)), placement.Scheme{0}, n)
		job.Rounds = rounds
		less := full * time.Duration(n) / time.Duration(n-1)
		const lost, detect, regroup = full / 3, 700 * us, 400 * us
		// Six rounds and a half on fewer replicas until the device is back.
		repair := detect + regroup + 6*less + less/2
		job.Trouble = &Trouble{Losses: []Loss{{Devices: device(n - 1), At: 10*full + lost}}, Recovery: Recovery{
			Mode: Shrink, Detect: detect, Reconfigure: regroup, Repair: repair,
		}}
		run := train(t, job)
		want := (rounds-7)*full + 7*less + lost + detect + 2*regroup
		if d := run.End - want; d < -rounds || d > rounds { // a round is rounded to nanoseconds
			t.Errorf("%d replicas: %v, by hand %v", n, run.End, want)
		}
		for r, rd := range run.Rounds {
			ratio := 1.0
			if r >= 10 && r < 17 {
				ratio = float64(n-1) / float64(n)
			}
			if x := rd.Throughput * full.Seconds() / ratio; x < 1-1e-6 || x > 1+1e-6 {
				t.Errorf("%d replicas: round %d has %g of what it should", n, r, x)
			}
		}
	}
}

// After devices are lost for good the rounds take as long as in a job that was planned
// without them, be it on ports of its own or in a network: the straggler and the weak
// port that go with them hold nobody up any more.
func TestShrunkIsAPlanOfFewer(t *testing.T) {
	for _, topology := range []hw.Topology{hw.OwnPorts, hw.OneSwitch} {
		two := func(pools ...int) Job {
			m, scheme := chainOf(60*us, 60*us)
			m.Edges[0] = workloads.Edge{From: 0, To: 1, Elements: 3000}
			for i := range m.Layers {
				m.Layers[i].Params = 500
			}
			a, b := machine("a", 8), machine("b", 8)
			for _, p := range []*hw.Pool{&a, &b} {
				p.Node.Devices, p.Node.NIC.Latency, p.Node.PeerLink = 2, us, hw.Link{Bandwidth: 5e9, Latency: us}
			}
			spec := specOf(m, a, b)
			spec.Batch, spec.Microbatches, spec.Sync = 16, 4, placement.Ring
			spec.Cluster.Network.Topology = topology
			job := on(t, spec, scheme, pools...)
			job.Rounds = 8
			return job
		}
		job := two(8, 8)
		tr := &Trouble{
			Stragglers: []Straggler{{Devices: Devices{Stage: -1, Pool: 0, From: 7, To: 8}, Factor: 3, Noise: 0.1}},
			Links:      []WeakLink{{Pool: 0, Node: 3, Factor: 0.1}},
			Recovery:   Recovery{Mode: Shrink, Repair: time.Hour},
		}
		job.Trouble = tr
		slow := train(t, job)
		for d := 4; d < 8; d++ {
			tr.Losses = append(tr.Losses, Loss{Devices: device(d), At: slow.Rounds[2].Start + us})
		}
		run, fewer := train(t, job), train(t, two(4, 8))
		for r := 2; r < 8; r++ {
			// The first round of a pipeline takes as long as the others: it is flushed.
			if got, want := run.Rounds[r].StepTime, fewer.Rounds[r-2].StepTime; got != want || got >= slow.Rounds[r].StepTime {
				t.Errorf("%q: round %d takes %v, of a plan of fewer %v, with the slow devices %v", topology, r, got, want, slow.Rounds[r].StepTime)
			}
		}
		if run.Redone != 0 || len(run.Lost) != 1 {
			t.Errorf("%q: %d rounds redone, lost %v", topology, run.Redone, run.Lost)
		}
	}
}

// What a device that is back is sent goes over the network: over its port and that of
// the nearest replica, at the bandwidth of the slower one.
func TestStateIsAFlow(t *testing.T) {
	for _, weak := range []float64{1, 0.25} {
		job := replicas(t, 4, 6)
		job.Problem.Cluster.Network.Topology = hw.OneSwitch
		job.Trouble = &Trouble{
			Losses: []Loss{{Devices: device(2), At: 8 * us}}, Links: []WeakLink{{Pool: 0, Node: 1, Factor: weak}},
			Recovery: Recovery{Mode: Shrink, Repair: 20 * us},
		}
		run := train(t, job)
		latency := 2 * 7 * us // through the hosts, as the fixture has no network latency
		if got, want := lostTo(run)[LostToTransfer], time.Duration(4000/weak)*time.Nanosecond; got < want || got > want+latency {
			t.Errorf("%v, by the bandwidth %v", got, want)
		}
		checkAccount(t, job, run)
		for _, l := range run.Links {
			if l.Bytes != 4000 {
				t.Errorf("%s carried %d bytes", l.Name, l.Bytes)
			}
		}
		if len(run.Links) != 4 {
			t.Errorf("%d links carried anything: %+v", len(run.Links), run.Links)
		}
	}
}

// A replica of two devices is out with one of them. Losing the other, which is idle,
// stops nobody, and it is back when both are.
func TestTensorParallelReplicaDropsOut(t *testing.T) {
	m := &workloads.Model{Name: "teams", Layers: []workloads.Layer{timed(0, 12*us, 12*us, 1, "a")}}
	m.Layers[0].Profiles[0].Tensor = 2
	a := machine("a", 8)
	a.Node.Devices = 2
	spec := specOf(m, a)
	spec.Tensor = []int{2}
	job := on(t, spec, placement.Scheme{0}, 8)
	job.Trouble = &Trouble{
		Losses:   []Loss{{Devices: device(3), At: 8 * us}, {Devices: device(2), At: 12 * us}},
		Recovery: Recovery{Mode: Shrink, Repair: 11 * us},
	}
	// 6 | 2 lost, 16, 24 on three; the second is back at 23 | 30, 36, 42.
	want := []time.Duration{6 * us, 16 * us, 24 * us, 30 * us, 36 * us, 42 * us}
	if run := train(t, job); !slices.Equal(ends(run), want) || run.Losses != 2 {
		t.Errorf("%v, by hand %v, %d losses", ends(run), want, run.Losses)
	}
}

// ZeRO divides what was learned: what a lost device had comes from the checkpoint.
func TestShrinkWithZeroReloads(t *testing.T) {
	for zero, redone := range []int{0, 3, 3, 3} {
		m := &workloads.Model{Name: "zero", Layers: []workloads.Layer{timed(0, 12*us, 12*us, 1, "a")}}
		m.Layers[0].Params = 1000
		spec := specOf(m, machine("a", 4))
		spec.Sync, spec.Optimizer, spec.Zero = placement.Ring, placement.Adam, zero
		job := on(t, spec, placement.Scheme{0}, 4)
		job.Rounds = 10
		at := train(t, job).Rounds[7].Start + us
		job.Trouble = &Trouble{
			Losses: []Loss{{Devices: device(1), At: at}}, Checkpoint: &Checkpoint{Rounds: 4},
			Recovery: Recovery{Mode: Shrink, Repair: time.Hour, Restart: 50 * us, Reconfigure: 3 * us},
		}
		run := train(t, job)
		lost := lostTo(run)
		if run.Redone != redone || lost[LostToRestart] > 0 != (zero > 0) || lost[LostToReconfiguration] > 0 != (zero == 0) || run.Shrunk == 0 {
			t.Errorf("zero = %d: %d rounds redone, lost %v, shrunk for %v", zero, run.Redone, run.Lost, run.Shrunk)
		}
		checkAccount(t, job, run)
	}
}

// A job that cannot go on with fewer replicas waits, says why, and loses no more than it
// has to.
func TestShrinkThatWaits(t *testing.T) {
	single := replicas(t, 1, 6)
	tight := func() Job {
		m := &workloads.Model{Name: "tight", Layers: []workloads.Layer{timed(0, 12*us, 12*us, 1, "a")}}
		m.Layers[0].Stored = 1200 // 1.2 kB on each of four, 1.6 on each of three
		a := machine("a", 4)
		a.Device.Memory.Capacity = 1300
		return on(t, specOf(m, a), placement.Scheme{0}, 4)
	}()
	slotted := embeddedLoss(t, 12)
	for _, c := range []struct {
		name   string
		job    Job
		redone int
		why    string
	}{
		{"one replica", single, 2, `mode = "shrink" could not go on without the lost devices, and waited: stage 1 has no replica left`},
		{"memory", tight, 0, `mode = "shrink" could not go on without the lost devices, and waited: stage 1 (layer0) needs 1.6 kB of memory on each of 3 a, which has 1.3 kB: weights 0 B, gradients 0 B, optimizer 0 B, activations 1.6 kB, tables 0 B`},
		{"slots", slotted, 2, `mode = "shrink" could not go on without the lost devices, and waited: rows of layer "layer0" are in slots, which the devices of stage 1 divide among them`},
	} {
		job := c.job
		at := train(t, job).Rounds[2].Start + us
		job.Trouble = &Trouble{Losses: []Loss{{Devices: device(0), At: at}}, Recovery: Recovery{Mode: Shrink, Repair: 50 * us, Restart: 10 * us, Reconfigure: 10 * us}}
		run := train(t, job)
		if !slices.Contains(run.Notes, c.why) || run.Redone != c.redone || run.Shrunk != 0 {
			t.Errorf("%s: %d rounds redone, shrunk for %v, notes %q\nwant %d and %q", c.name, run.Redone, run.Shrunk, run.Notes, c.redone, c.why)
		}
		checkAccount(t, job, run)
		wait := *job.Trouble
		wait.Recovery.Mode = Wait
		job.Trouble = &wait
		if waited := train(t, job); c.redone > 0 && waited.End != run.End || waited.End < run.End {
			t.Errorf("%s: ends at %v, of a job that waits at %v", c.name, run.End, waited.End)
		}
	}
}

// In any pipeline the account is whole; without a loss in time both modes are one; and
// if a repair takes long, going on is never worse than waiting for it.
func TestShrinkOfPipelines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, false, 3)
		if rapid.Bool().Draw(t, "network") {
			job.Problem.Cluster.Network.Topology = hw.OneSwitch
		}
		plain := train(t, job)
		step := plain.End / time.Duration(job.Rounds)
		job.Rounds = rapid.IntRange(1, 12).Draw(t, "rounds")
		span := func(name string) time.Duration {
			return time.Duration(rapid.Float64Range(0, 3).Draw(t, name) * float64(step))
		}
		tr := &Trouble{Recovery: Recovery{
			Mode: Shrink, Detect: span("detect"), Reconfigure: span("reconfigure"), Repair: span("repair"),
			Spares: rapid.IntRange(0, 1).Draw(t, "spares"),
		}}
		tr.Recovery.Restart = tr.Recovery.Reconfigure + span("restart")
		if rapid.Bool().Draw(t, "checkpoint") {
			tr.Checkpoint = &Checkpoint{Rounds: rapid.IntRange(1, 3).Draw(t, "every"), Write: span("write")}
			if rapid.Bool().Draw(t, "background") {
				tr.Checkpoint.Background, tr.Checkpoint.Pause = true, span("pause")/4
			}
		}
		with := func(mode RecoveryMode, losses []Loss) *Run {
			other := *tr
			other.Recovery.Mode, other.Losses = mode, losses
			job.Trouble = &other
			return train(t, job)
		}
		calm := with(Shrink, nil)
		var losses []Loss
		for range rapid.IntRange(1, 4).Draw(t, "losses") {
			d := rapid.IntRange(0, 3).Draw(t, "device")
			losses = append(losses, Loss{Devices: Devices{Stage: -1, From: d, To: d + 1}, At: span("loss") * 3})
		}
		run := with(Shrink, losses)
		if job.Problem.Schedule.Staleness == 0 && job.Problem.Sync != placement.Server {
			checkAccount(t, job, run)
		}
		late := []Loss{{Devices: all(0), At: calm.End + 1}}
		if a, b := with(Shrink, late), with(Wait, nil); !slices.Equal(ends(a), ends(b)) || len(a.Lost) != len(b.Lost) {
			t.Fatalf("without losses %v, with a late one %v", ends(b), ends(a))
		}
		tr.Recovery.Repair, tr.Recovery.Spares = time.Hour, 0
		if a, b := with(Shrink, losses[:1]), with(Wait, losses[:1]); a.End > b.End {
			t.Fatalf("%v, waiting %v", a.End, b.End)
		}
	})
}

// A job that waits for its devices does so from when it knows of the loss: not at all if
// they are back by then.
func TestDetectionBeforeWaiting(t *testing.T) {
	for repair, want := range map[time.Duration][lossCauses]time.Duration{
		5 * us: {6 * us, us, 3 * us, 4 * us, 2 * us}, us: {6 * us, us, 0, 4 * us, 2 * us},
	} {
		job := alone(t, 10*us, 6)
		job.Record = RecordAll
		job.Trouble = &Trouble{
			Losses: []Loss{{Devices: all(0), At: 47 * us}}, Checkpoint: &Checkpoint{Rounds: 2, Write: 3 * us},
			Recovery: Recovery{Detect: 2 * us, Restart: 4 * us, Repair: repair},
		}
		run := train(t, job)
		if lostTo(run) != want {
			t.Errorf("repaired after %v: lost %v, by hand %v", repair, lostTo(run), want)
		}
		checkAccount(t, job, run)
		checkTroubleSpans(t, run)
	}
}
