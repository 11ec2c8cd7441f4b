package sim

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads"
)

// all is every device of a pool.
func all(pool int) Devices { return Devices{Stage: -1, Pool: pool, To: 1 << 20} }

// chainOf is a model of layers of one time each, on a pool each.
func chainOf(times ...time.Duration) (*workloads.Model, placement.Scheme) {
	m, scheme := &workloads.Model{Name: "chain"}, placement.Scheme{}
	names := []string{"a", "b", "c", "d"}[:len(times)]
	for i, d := range times {
		m.Layers = append(m.Layers, timed(i, d, 2*d, 1, names...))
		scheme = append(scheme, uint8(i))
		if i > 0 {
			m.Edges = append(m.Edges, workloads.Edge{From: i - 1, To: i, Seconds: 3e-6})
		}
	}
	return m, scheme
}

// line is chainOf with four micro-batches, on two devices a pool.
func line(t rapid.TB, rounds int, times ...time.Duration) Job {
	t.Helper()
	m, scheme := chainOf(times...)
	var pools []hw.Pool
	for _, name := range []string{"a", "b", "c", "d"}[:len(times)] {
		pools = append(pools, machine(name, 2))
	}
	spec := specOf(m, pools...)
	spec.Batch, spec.Microbatches = 4, 4
	job := planned(t, spec, scheme)
	job.Rounds = rounds
	return job
}

// scaledEnds are the ends of rounds when each stage is slower by a factor.
func scaledEnds(t rapid.TB, job Job, factors ...float64) []time.Duration {
	t.Helper()
	pipe, _, err := job.Problem.Pipeline(job.Plan)
	if err != nil {
		t.Fatal(err)
	}
	slow := func(d time.Duration, f float64) time.Duration { return time.Duration(math.Round(float64(d) * f)) }
	for i := range pipe.Segments {
		g := &pipe.Segments[i]
		g.Forward, g.Backward, g.Weight = slow(g.Forward, factors[g.Stage]), slow(g.Backward, factors[g.Stage]), slow(g.Weight, factors[g.Stage])
	}
	return pipeline.Ends(pipe, job.Rounds, nil)
}

func ends(run *Run) (all []time.Duration) {
	for _, rd := range run.Rounds {
		all = append(all, rd.End)
	}
	return all
}

// A stage with a straggler is the same stage scaled, to the nanosecond, whether one of
// its devices is slow or all are; two of them multiply, and the slowest one counts.
func TestStragglerIsScaledPipeline(t *testing.T) {
	for _, c := range []struct {
		name       string
		stragglers []Straggler
		factors    []float64
	}{
		{"all devices", []Straggler{{Devices: all(1), Factor: 2}}, []float64{1, 2}},
		{"one device", []Straggler{{Devices: Devices{Stage: -1, Pool: 1, From: 1, To: 2}, Factor: 2}}, []float64{1, 2}},
		{"a stage", []Straggler{{Devices: Devices{Stage: 0}, Factor: 1.5}}, []float64{1.5, 1}},
		{"on one device", []Straggler{
			{Devices: Devices{Stage: -1, Pool: 0, From: 0, To: 1}, Factor: 1.5}, {Devices: all(0), Factor: 2},
		}, []float64{3, 1}},
		{"on two devices", []Straggler{
			{Devices: Devices{Stage: -1, Pool: 0, From: 0, To: 1}, Factor: 1.5}, {Devices: Devices{Stage: -1, Pool: 0, From: 1, To: 2}, Factor: 2},
		}, []float64{2, 1}},
		{"beyond the scheme", []Straggler{{Devices: Devices{Stage: 2}, Factor: 9}}, []float64{1, 1}},
	} {
		for _, s := range pipeline.Schedules {
			job := line(t, 3, 7*us, 5*us)
			job.Problem = withSchedule(t, job.Problem, s)
			job.Trouble = &Trouble{Stragglers: c.stragglers}
			if got, want := ends(train(t, job)), scaledEnds(t, job, c.factors...); !slices.Equal(got, want) {
				t.Errorf("%s, %s: rounds end at %v, scaled ones at %v", c.name, s.Name, got, want)
			}
		}
	}
}

func withSchedule(t rapid.TB, p *placement.Problem, s pipeline.Schedule) *placement.Problem {
	spec := p.Spec
	spec.Schedule = s
	q, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// One stage, a step of 4 x 3 us. It is half as fast from 5 us to 25 us: by hand, an
// operation that begins at 4 us and takes 2 us is half done at 5 us and ends at 7 us.
func TestStragglerByTimeByHand(t *testing.T) {
	job := line(t, 3, 2*us) // half of it on two devices
	job.Trouble = &Trouble{Stragglers: []Straggler{{Devices: all(0), Factor: 2, From: 5 * us, Until: 25 * us}}}
	// 12 us of work a round; 5 done at 5 us, 15 at 25 us, then one a microsecond.
	if got, want := ends(train(t, job)), []time.Duration{19 * us, 34 * us, 46 * us}; !slices.Equal(got, want) {
		t.Errorf("rounds end at %v, by hand at %v", got, want)
	}
	job.Trouble = &Trouble{Stragglers: []Straggler{{Devices: all(0), Factor: 2, FromRound: 1, UntilRound: 2}}}
	if got, want := ends(train(t, job)), []time.Duration{12 * us, 36 * us, 48 * us}; !slices.Equal(got, want) {
		t.Errorf("rounds end at %v, by hand at %v", got, want)
	}
}

// pace.takes is the time in which the integral of the speed is the work.
func TestPaceIsTheIntegral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var windows []window
		for range rapid.IntRange(0, 4).Draw(t, "windows") {
			from := time.Duration(rapid.IntRange(0, 900).Draw(t, "from"))
			w := window{from: from, factor: rapid.Float64Range(0.25, 5).Draw(t, "factor")}
			if rapid.Bool().Draw(t, "ends") {
				w.until = from + time.Duration(rapid.IntRange(1, 500).Draw(t, "for"))
			}
			windows = append(windows, w)
		}
		p := newPace(windows)
		at := time.Duration(rapid.IntRange(0, 1200).Draw(t, "at"))
		work := float64(rapid.IntRange(0, 1000).Draw(t, "work"))
		took := p.takes(work, at, 0)
		done, tolerance := 0.0, 0.0
		for ns := range took { // factors change at whole nanoseconds
			done += 1 / p.factor(at+ns, 0)
		}
		tolerance = 0.5/min(p.factor(at+took, 0), p.factor(at+max(0, took-1), 0)) + 1e-6
		if math.Abs(done-work) > tolerance {
			t.Fatalf("%g ns of work from %v on took %v, in which %g can be done", work, at, took, done)
		}
	})
}

// Trouble that is none leaves every bit of a run as it is.
func TestNoTroubleIsNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, false, 3)
		plain := train(t, job)
		job.Trouble = &Trouble{Stragglers: []Straggler{{Devices: Devices{Stage: 0}, Factor: 1}}, Links: []WeakLink{{Pool: 0, Node: -1, Factor: 1}}}
		same := train(t, job)
		if in := same.Incidents[0]; !strings.HasSuffix(in.What, ": as fast as ever") {
			t.Fatalf("%+v", in)
		}
		same.Incidents, same.Notes, plain.Events = nil, nil, same.Events
		if d := cmp.Diff(plain, same, cmp.AllowUnexported(Run{})); d != "" {
			t.Fatal(d)
		}
	})
}

// In a pipeline without contention a slower device never ends a round sooner, noisy or
// not: the draws do not depend on times.
func TestSlowerIsNeverFaster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, instant, false, 3)
		s := Straggler{Devices: all(0), Factor: rapid.Float64Range(1, 3).Draw(t, "factor")}
		if rapid.Bool().Draw(t, "noisy") {
			s.Noise = 0.3
		}
		job.Trouble = &Trouble{Seed: 5, Stragglers: []Straggler{s}}
		before := train(t, job)
		s.Factor *= rapid.Float64Range(1, 3).Draw(t, "slower by")
		job.Trouble = &Trouble{Seed: 5, Stragglers: []Straggler{s}}
		after := train(t, job)
		for r := range before.Rounds {
			if after.Rounds[r].End < before.Rounds[r].End {
				t.Fatalf("round %d ends at %v, with a slower device at %v", r, before.Rounds[r].End, after.Rounds[r].End)
			}
		}
	})
}

// Noise of one device is log-normal of mean 1 and the given deviation, and the largest of
// several is distributed as the largest of so many draws.
func TestNoiseIsLogNormal(t *testing.T) {
	const n, noise = 200_000, 0.2
	group := func(devices float64) *slowGroup {
		return &slowGroup{devices: devices, rng: random(3, "test"), noises: []window{{factor: math.Log1p(noise * noise)}}}
	}
	sum, squares := 0.0, 0.0
	one := group(1)
	for range n {
		x := one.multiple(0, 0)
		sum, squares = sum+x, squares+x*x
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-1) > 4*noise/math.Sqrt(n) || math.Abs(deviation-noise) > 0.01*noise {
		t.Errorf("mean %g and deviation %g, want 1 and %g", mean, deviation, noise)
	}
	const k = 7
	most, drawn := group(k), group(1)
	var a, b []float64
	for range n / k {
		a = append(a, most.multiple(0, 0))
		largest := 0.0
		for range k {
			largest = max(largest, drawn.multiple(0, 0))
		}
		b = append(b, largest)
	}
	slices.Sort(a)
	slices.Sort(b)
	for _, q := range []float64{0.05, 0.25, 0.5, 0.75, 0.95} {
		if x, y := a[int(q*float64(len(a)))], b[int(q*float64(len(b)))]; math.Abs(x-y) > 0.01 {
			t.Errorf("the %g quantile of the largest of %d is %g, of drawn ones %g", q, k, x, y)
		}
	}
}

// A link that is weak all the time is a link of that bandwidth, in a network and without.
func TestWeakLinkIsASlowOne(t *testing.T) {
	for name, topology := range map[string]hw.Network{
		"own ports": {},
		"network":   {Topology: hw.Cables, Cables: []hw.Cable{{From: "a:0", To: "s", Bandwidth: 1e9}, {From: "s", To: "b:0", Bandwidth: 1e9}}},
	} {
		job := busyLink(t, topology, 1)
		job.Trouble = &Trouble{Links: []WeakLink{{Pool: 1, Node: 0, Factor: 0.25}}}
		got := train(t, job)
		want := train(t, busyLink(t, topology, 0.25))
		if !slices.Equal(ends(got), ends(want)) || ends(got)[0] == ends(train(t, busyLink(t, topology, 1)))[0] {
			t.Errorf("%s: rounds end at %v, on a slow link at %v", name, ends(got), ends(want))
		}
	}
	// By name, in one direction and both.
	job := busyLink(t, hw.Network{Topology: hw.Cables, Cables: []hw.Cable{{From: "a:0", To: "s", Bandwidth: 1e9}, {From: "s", To: "b:0", Bandwidth: 1e9}}}, 1)
	end := func(name string) time.Duration {
		job.Trouble = &Trouble{Links: []WeakLink{{Name: name, Factor: 0.25}}}
		return train(t, job).End
	}
	// Each of 2 rounds computes 1 ms and moves 1 ms of activations and 1 ms of gradients, or
	// 4 ms, each with the 7 us of two host links' halves.
	if there, both := end("s -> b:0"), end("b:0 -- s"); there != 12*ms+28*us || both != 18*ms+28*us {
		t.Errorf("weak in one direction %v, want 12.028ms; in both %v, want 18.028ms", there, both)
	}
	job.Trouble = &Trouble{Links: []WeakLink{{Name: "s -> c", Factor: 0.25}}}
	if _, err := Train(t.Context(), job); err == nil || err.Error() != `trouble: the network has no link "s -> c"` {
		t.Errorf("%v", err)
	}
}

// busyLink is two stages of 0.5 ms with a megabyte between them, over links of 1 GB/s, that
// of b times a factor.
func busyLink(t *testing.T, network hw.Network, factor float64) Job {
	t.Helper()
	m := &workloads.Model{Name: "two", Edges: []workloads.Edge{{From: 0, To: 1, Elements: 250_000}}}
	for i := range 2 {
		m.Layers = append(m.Layers, timed(i, ms/4, ms/4, 1, "a", "b"))
	}
	a, b := machine("a", 1), machine("b", 1)
	b.Node.NIC.Bandwidth *= unit.Rate(factor)
	spec := specOf(m, a, b)
	network.Cables = slices.Clone(network.Cables)
	for i := range network.Cables {
		if network.Cables[i].To == "b:0" {
			network.Cables[i].Bandwidth *= unit.Rate(factor)
		}
	}
	spec.Cluster.Network = network
	job := planned(t, spec, placement.Scheme{0, 1})
	job.Rounds = 2
	return job
}

// A weak port slows what its stage synchronises with other nodes.
func TestWeakPortSlowsSynchronisation(t *testing.T) {
	job := line(t, 2, us)
	spec := job.Problem.Spec
	spec.Sync = placement.Ring
	spec.Model.Layers[0].Params = 1000
	job = planned(t, spec, placement.Scheme{0})
	job.Rounds = 2
	pipe, _, err := job.Problem.Pipeline(job.Plan)
	if err != nil || pipe.Sync[0] == 0 {
		t.Fatalf("%v, the fixture synchronises nothing", err)
	}
	whole := train(t, job).End
	job.Trouble = &Trouble{Links: []WeakLink{{Pool: 0, Node: 1, Factor: 0.5}}}
	if weak := train(t, job).End; weak != whole+2*pipe.Sync[0] {
		t.Errorf("%v, with a port of half the bandwidth %v, want %v more", whole, weak, 2*pipe.Sync[0])
	}
}

// Every node of a stage carries its part of what goes over their ports: two weak ones
// hold it up as one does, and two entries on one port multiply.
func TestWeakPortsOfOneStage(t *testing.T) {
	job := twoNodes(t, 1)
	port := func(node int, factor float64) WeakLink { return WeakLink{Pool: 0, Node: node, Factor: factor} }
	end := func(links ...WeakLink) time.Duration {
		job.Trouble = &Trouble{Links: links}
		return train(t, job).End
	}
	half, quarter := end(port(0, 0.5)), end(port(0, 0.25))
	if half <= end() || quarter <= half {
		t.Fatalf("a weak port changes nothing: %v, %v", half, quarter)
	}
	for what, c := range map[string]struct{ got, want time.Duration }{
		"all nodes":              {end(port(-1, 0.5)), half},
		"each node":              {end(port(0, 0.5), port(1, 0.5)), half},
		"a node twice":           {end(port(0, 0.5), port(0, 0.5)), quarter},
		"all nodes and one more": {end(port(-1, 0.5), port(1, 0.5)), quarter},
		"the weakest":            {end(port(1, 0.25), port(0, 0.5)), quarter},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

// A port that is weak all the time is one of that bandwidth to gradients, too: what they
// take for latency stays.
func TestWeakPortIsASlowOne(t *testing.T) {
	job := twoNodes(t, 1)
	job.Trouble = &Trouble{Links: []WeakLink{{Pool: 0, Node: 1, Factor: 0.25}}}
	whole, weak, want := train(t, twoNodes(t, 1)).End, train(t, job).End, train(t, twoNodes(t, 0.25)).End
	if weak != want || weak <= whole {
		t.Errorf("%v with a weak port, %v with slow ones, %v with whole ones", weak, want, whole)
	}
}

// twoNodes is a stage of four devices on two nodes, which synchronise a layer's gradients
// over ports of a factor of their bandwidth.
func twoNodes(t *testing.T, factor float64) Job {
	t.Helper()
	pool := machine("a", 4)
	pool.Node.Devices = 2
	pool.Node.NIC.Bandwidth *= unit.Rate(factor)
	pool.Node.NIC.Latency = us
	m, scheme := chainOf(us)
	m.Layers[0].Params = 1000
	spec := specOf(m, pool)
	spec.Batch, spec.Microbatches, spec.Sync = 4, 1, placement.Ring
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := placement.NewEvaluator(p).PlanDevices(scheme, []int{4})
	if err != nil || !pl.Fitness.Feasible {
		t.Fatal(err, pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: 2}
}

// embeddedLoss is a job with a slot table for tests of losses.
func embeddedLoss(t rapid.TB, rounds int) Job {
	keys := make([]uint32, 4*rounds)
	for i := range keys {
		keys[i] = uint32(i*i*7) % 40
	}
	return embedded(t, traceOf(t, 40, 4, keys), slots.Config{Slots: 20, Policy: "min"}, 1, 200*us)
}
