package sim

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/sim/placement"
	"stowage/workloads"
)

// summarized trains a job and sums it up, cut short or not.
func summarized(t rapid.TB, ctx context.Context, job Job) (*Result, *Run) {
	t.Helper()
	run, err := Train(ctx, job)
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	policy, _ := placement.LookupPolicy("fixed")
	outcome := &placement.Outcome{Plan: job.Plan, Fitness: job.Plan.Fitness, Evaluations: 1}
	return Summarize(job, run, outcome, policy, placement.ClosedForm), run
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b)) }

// checkSummary checks what every result must fulfil.
func checkSummary(t rapid.TB, job Job, r *Result, run *Run) {
	t.Helper()
	devices, idle, price := 0.0, 0.0, 0.0
	for i, st := range r.Scheme.Stages {
		for _, share := range []float64{st.Busy, st.Sync, st.Stall, st.Idle} {
			if !(share >= 0 && share <= 1) {
				t.Fatalf("stage %d has a share of %v: %+v", i, share, st)
			}
		}
		if sum := st.Busy + st.Sync + st.Stall + st.Idle; run.Elapsed > 0 && math.Abs(sum-1) > 1e-12 {
			t.Fatalf("the shares of stage %d sum to %v: %+v", i, sum, st)
		}
		devices += float64(st.Devices)
		idle += float64(st.Devices) * st.Idle
		price += float64(st.Devices) * float64(job.Problem.Cluster.Pools[job.Plan.Stages[i].Pool].Price)
	}
	value := func(name string) float64 {
		m, ok := r.Metrics.Get(name)
		if !ok {
			t.Fatalf("no metric %s", name)
		}
		return m.Value
	}
	if got, ok := r.Metrics.Get("bubble_ratio"); ok != (run.Elapsed > 0) || !near(got.Value, idle/devices) {
		t.Fatalf("bubble_ratio %v, want %v", got, idle/devices)
	}
	if got := value("price"); !near(got, price) {
		t.Fatalf("price %v, the devices of the stages cost %v", got, price)
	}
	n := len(run.Rounds)
	if n == 0 {
		if _, ok := r.Metrics.Get("throughput"); ok {
			t.Fatal("a run of no rounds has a throughput")
		}
		return
	}
	x := float64(n*job.Problem.Batch) / run.End.Seconds()
	if got := value("throughput"); !near(got, x) {
		t.Fatalf("throughput %v, want rounds x batch / end = %v", got, x)
	}
	if got := value("step_time"); !near(got, run.End.Seconds()/float64(n)) {
		t.Fatalf("step_time %v, want %v", got, run.End.Seconds()/float64(n))
	}
	if got := value("cost"); !near(got, price/3600/x*1e6) {
		t.Fatalf("cost %v, want price / throughput = %v", got, price/3600/x*1e6)
	}
}

// checkMetrics checks metrics against the list of kinds: order, units, finite values.
func checkMetrics(t rapid.TB, r *Result) {
	t.Helper()
	at := -1
	for _, m := range r.Metrics {
		k := at + 1
		for k < len(MetricKinds) && MetricKinds[k].Name != m.Name {
			k++
		}
		if k == len(MetricKinds) {
			t.Fatalf("metric %q has no kind, or comes too late", m.Name)
		}
		at = k
		if m.Name == "fitness" || m.Name == "bound" {
			want := map[string]string{"throughput": "samples/s", "cost": "Msamples/USD", "time": "steps/s"}[r.Scheme.Objective]
			if m.Unit != want {
				t.Fatalf("fitness of objective %s in %q, want %q", r.Scheme.Objective, m.Unit, want)
			}
		} else if m.Unit != MetricKinds[k].Unit {
			t.Fatalf("%s in %q, its kind is in %q", m.Name, m.Unit, MetricKinds[k].Unit)
		}
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			t.Fatalf("%s is %v", m.Name, m.Value)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Fatal(err)
	}
}

func TestSummaryOfRandomRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, false, 3)
		objective := rapid.SampledFrom([]placement.Objective{placement.Throughput, placement.Cost, placement.Time}).Draw(t, "objective")
		job.Problem = recompiled(t, job.Problem, func(s *placement.Spec) { s.Objective = objective })
		job.Plan = placement.NewEvaluator(job.Problem).Plan(job.Plan.Scheme)
		r, run := summarized(t, context.Background(), job)
		checkSummary(t, job, r, run)
		checkMetrics(t, r)
		for _, name := range []string{"stall_ratio", "hit_ratio", "lookup_hit_ratio"} {
			if _, ok := r.Metrics.Get(name); ok {
				t.Fatalf("a run without slot tables has a %s", name)
			}
		}
	})
}

// A run with slot tables, whole and cut anywhere.
func TestSummaryOfStoppedRuns(t *testing.T) {
	for looks := range 14 {
		job := busy(t, 200)
		r, run := summarized(t, &fuse{context.Background(), looks}, job)
		checkSummary(t, job, r, run)
		checkMetrics(t, r)
		_, ok := r.Metrics.Get("hit_ratio")
		if ok != (len(run.Rounds) > 0) {
			t.Errorf("%d rounds, hit_ratio there: %v", len(run.Rounds), ok)
		}
	}
}

// One machine, two rounds of 3 + 5 ms for a batch of 1, 2 USD/h.
func TestSummaryByHand(t *testing.T) {
	m := &workloads.Model{Name: "one", Layers: []workloads.Layer{timed(0, 3*time.Millisecond, 5*time.Millisecond, 1, "a")}}
	job := planned(t, specOf(m, machine("a", 1)), placement.Scheme{0})
	job.Rounds = 4
	r, _ := summarized(t, context.Background(), job)
	want := map[string]float64{
		"throughput": 125, "step_time": 0.008, "warm_throughput": 125, "price": 2,
		"cost": 2.0 / 3600 / 125 * 1e6, "bubble_ratio": 0, "peak_memory": 0,
		"fitness": 125, "closed_form_throughput": 125, "recurrence_throughput": 125, "evaluations": 1,
	}
	if len(r.Metrics) != len(want) {
		t.Errorf("%d metrics, want %d: %+v", len(r.Metrics), len(want), r.Metrics)
	}
	for name, v := range want {
		if got, ok := r.Metrics.Get(name); !ok || !near(got.Value, v) {
			t.Errorf("%s = %v, want %v", name, got, v)
		}
	}
	st := r.Scheme.Stages[0]
	if st.Forward != 3*time.Millisecond || st.Backward != 5*time.Millisecond || st.Busy != 1 || st.Device != "a" || st.Devices != 1 {
		t.Errorf("%+v", st)
	}
}

// Servers that the plan provisions are in the result, and paid.
func TestSummaryOfServers(t *testing.T) {
	ly := timed(0, 3*time.Millisecond, 5*time.Millisecond, 1, "a")
	ly.Params = 1000
	s := specOf(&workloads.Model{Name: "one", Layers: []workloads.Layer{ly}}, machine("a", 1), machine("b", 3))
	s.Sync, s.Servers, s.Samples = placement.Server, 2, 9e6
	job := planned(t, s, placement.Scheme{0})
	job.Rounds = 4
	r, _ := summarized(t, context.Background(), job)
	want := Servers{Device: s.Cluster.Pools[1].Device.Name, Pool: "b", Devices: 1}
	if r.Scheme.Servers == nil || *r.Scheme.Servers != want {
		t.Errorf("%+v, want %+v", r.Scheme.Servers, want)
	}
	x, _ := r.Metrics.Get("throughput")
	for name, want := range map[string]float64{"price": 4, "run_hours": 9e6 / x.Value / 3600, "run_cost": 4 * 9e6 / x.Value / 3600} {
		if m, _ := r.Metrics.Get(name); !near(m.Value, want) {
			t.Errorf("%s is %v, want %v: two devices at 2 USD/h, %v samples/s, 9 million samples", name, m.Value, want, x.Value)
		}
	}
}

// warm_throughput is that of the last quarter of the rounds: of 8 rounds the last
// 2. Fewer than 4 have none.
func TestWarmThroughput(t *testing.T) {
	for _, c := range []struct{ rounds, warm int }{{1, 0}, {3, 0}, {4, 1}, {7, 1}, {8, 2}, {15, 3}} {
		job := busy(t, c.rounds)
		r, run := summarized(t, context.Background(), job)
		got, ok := r.Metrics.Get("warm_throughput")
		if ok != (c.warm > 0) {
			t.Errorf("%d rounds: warm_throughput there: %v", c.rounds, ok)
			continue
		}
		if !ok {
			continue
		}
		var span time.Duration
		for _, rd := range run.Rounds[c.rounds-c.warm:] {
			span += rd.StepTime
		}
		if want := float64(c.warm*job.Problem.Batch) / span.Seconds(); !near(got.Value, want) {
			t.Errorf("%d rounds: warm_throughput %v, want %v", c.rounds, got.Value, want)
		}
	}
}

func TestMetricKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range MetricKinds {
		if k.Name == "" || seen[k.Name] || k.Means == "" {
			t.Errorf("%+v: a name of its own and a meaning are needed", k)
		}
		if k.Better != "higher" && k.Better != "lower" && k.Better != "" {
			t.Errorf("%s: better = %q", k.Name, k.Better)
		}
		if k.Unit == "" && k.Name != "fitness" && k.Name != "bound" {
			t.Errorf("%s has no unit", k.Name)
		}
		seen[k.Name] = true
	}
}

func TestMetricsJSON(t *testing.T) {
	b, err := json.Marshal(Metrics{{"zeta", 1.5, "s"}, {"alpha", 2, "B"}})
	if want := `{"zeta":{"value":1.5,"unit":"s"},"alpha":{"value":2,"unit":"B"}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	if b, err = json.Marshal(Metrics{}); err != nil || string(b) != "{}" {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := json.Marshal(Metrics{{"x", math.NaN(), "s"}}); err == nil {
		t.Error("NaN is no error")
	}
}
