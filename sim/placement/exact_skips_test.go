package placement

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/workloads"
)

// residualModel is a chain with skips: blocks one after the other, whose first layer
// also sends to the last, as in residual networks; beside them now and then edges that
// cross or pass over blocks, outputs that many layers read, measured transfers.
func residualModel(r *rand.Rand, layers int) *workloads.Model {
	m := chainModel(r, layers)
	heavy := math.Pow(10, 1+3*r.Float64())
	for l := range m.Layers {
		ly := &m.Layers[l]
		ly.Output *= heavy
		ly.Stored = ly.Output * oneOf(r, 0.01, 1, 10)
	}
	m.Edges = nil
	add := func(from, to int) {
		if from < to && to < layers && !slices.ContainsFunc(m.Edges, func(e workloads.Edge) bool { return e.From == from && e.To == to }) {
			e := workloads.Edge{From: from, To: to, Elements: m.Layers[from].Output * oneOf(r, 1, 1, 1, 0.5)}
			if r.IntN(10) == 0 {
				e.Seconds = 1e-4 * r.Float64()
			}
			m.Edges = append(m.Edges, e)
		}
	}
	for l := range layers - 1 {
		if r.IntN(12) > 0 {
			add(l, l+1)
		}
	}
	for from := r.IntN(3); from < layers-2; {
		to := from + 2 + r.IntN(4)
		add(from, to)
		from = to + r.IntN(3) - oneOf(r, 0, 0, 1)
	}
	for range oneOf(r, 0, 0, 1, 3) {
		from := r.IntN(layers)
		add(from, from+2+r.IntN(layers))
	}
	return m
}

// skipsCluster has pools within which devices are near each other and between which
// they are far: of one node or of several, sometimes with their hosts' sockets.
func skipsCluster(r *rand.Rand, pools int) *hw.Cluster {
	c := &hw.Cluster{}
	for t := range pools {
		if t > 0 && r.IntN(5) == 0 && c.Pools[t-1].Device.Kind.Accelerator() {
			pool := cpuPool(fmt.Sprint("c", t), 1+r.IntN(4), 1+r.Float64())
			pool.Inside = c.Pools[t-1].Name
			c.Pools = append(c.Pools, pool)
			continue
		}
		pool := gpuPool(fmt.Sprint("g", t), 1+r.IntN(6), 1+3*r.Float64())
		pool.Node.Devices = oneOf(r, 8, 8, 8, 2, 1)
		pool.Node.NIC.Bandwidth *= unit.Rate(math.Pow(10, -2*r.Float64()))
		pool.Node.PeerLink.Bandwidth *= oneOf[unit.Rate](r, 1, 1, 0.1, 1e-3)
		pool.Device.Peak[hw.FP32] *= unit.FLOPS(0.5 + r.Float64())
		pool.Device.Overhead = oneOf(r, 0, pool.Device.Overhead)
		c.Pools = append(c.Pools, pool)
	}
	return c
}

// skipsSpec is a problem in which it matters where skips begin and end.
func skipsSpec(r *rand.Rand) (Spec, Fidelity) {
	pools := 2 + r.IntN(3)
	layers := 4 + r.IntN(map[int]int{2: 7, 3: 5, 4: 4}[pools])
	s := spec(residualModel(r, layers), skipsCluster(r, pools))
	s.Objective = oneOf(r, Throughput, Throughput, Cost, Time)
	s.Microbatches = oneOf(r, 1, 4, 16)
	s.Batch = s.Microbatches * oneOf(r, 1, 8, 64)
	s.Schedule = pipeline.Schedules[r.IntN(len(pipeline.Schedules))]
	s.Inference, s.CommParallel = r.IntN(5) == 0, oneOf(r, 0, 0.5, 1, 1)
	s.Sync = oneOf(r, NoSync, Ring, Server)
	if s.Sync == Server && !s.Inference && r.IntN(2) == 0 {
		s.Servers = 1 + r.IntN(pools)
	}
	if r.IntN(6) == 0 {
		s.Only = make([]int, layers)
		s.Only[r.IntN(layers)] = 1 + r.IntN(pools)
	}
	if r.IntN(8) == 0 {
		s.Communication = Added
	} else if r.IntN(6) == 0 {
		return s, Recurrence
	}
	return s, ClosedForm
}

// TestExactSkips: on graphs whose edges pass over stages, between pools that are not
// alike, exact finds what exhaustive finds, and no bound is below it.
func TestExactSkips(t *testing.T) {
	defer func(was, counts int) {
		exactEnumerates, exactClimbs, exactRough, countsPerComparison = was, true, true, counts
	}(exactEnumerates, countsPerComparison)
	exactEnumerates = 0
	counts := countsPerComparison
	feasible, open, roots := 0, 0, 0
	for i := *wildSeed; i < *wildSeed+drawn(*wild); i++ {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		s, fidelity := skipsSpec(r)
		exactClimbs, exactRough = r.IntN(3) == 0, r.IntN(3) == 0
		countsPerComparison = oneOf(r, counts, 1<<60) // all by tables
		p := mustProblem(t, s)
		if f := outcomeOf(t, "exhaustive", p, fidelity).Fitness; f.Feasible && r.IntN(3) == 0 {
			wildCaps(r, &s, f)
			p = mustProblem(t, s)
		}
		best := outcomeOf(t, "exhaustive", p, fidelity).Fitness
		if !wildExact(t, i, p, fidelity, best) {
			open++
		}
		wildBounds(t, i, p, fidelity, best)
		if best.Feasible {
			feasible++
			if out := outcomeOf(t, "random", p, fidelity); out.Bound <= best.Value*(1+1e-6) {
				roots++
			}
		}
	}
	t.Logf("%d feasible, %d not proven, %d with a bound that is the optimum", feasible, open, roots)
	if feasible < drawn(*wild)*9/10 || roots < feasible*7/10 {
		t.Errorf("too few: the test says little, or the relaxation leaves too much open")
	}
}

// measuredGraph is a layer graph with times measured by PipeDream on four kinds of
// accelerators; far slows the network between pools. Skips where the file is not there.
func measuredGraph(t testing.TB, name string, counts []int, far unit.Rate) Spec {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "pipedream", name, "graph.txt"))
	if os.IsNotExist(err) {
		t.Skip("shared data is not there: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := workloads.ImportPipeDream(name, bytes.NewReader(data), workloads.PipeDreamOptions{Device: "v100-16", Batch: 128})
	if err != nil {
		t.Fatal(err)
	}
	c := cluster()
	for i, device := range []string{"v100-32", "a100-40", "h100-80", "v100-16"} {
		d, err := hw.LookupDevice(device)
		if err != nil {
			t.Fatal(err)
		}
		n, err := hw.NodeOf(device)
		if err != nil {
			t.Fatal(err)
		}
		pool := hw.Pool{Name: device, Device: d, Host: cpuType(n.Host), Node: *n, Count: counts[i], Price: d.Price}
		pool.Node.NIC.Bandwidth *= far
		c.Pools = append(c.Pools, pool)
	}
	s := spec(m, c)
	s.Batch, s.Optimizer = 8*128, Momentum
	return s
}

// TestExactResidual: measured graphs with skips are solved to a gap of 0 at the root or
// soon after, over pools of one node and of several, near each other and far.
func TestExactResidual(t *testing.T) {
	for _, name := range []string{"resnet50", "gnmt"} {
		for _, counts := range [][]int{{4, 8, 2, 6}, {16, 8, 2, 32}} {
			for _, far := range []unit.Rate{0.1, 1} {
				for _, o := range []Objective{Throughput, Cost} {
					if testing.Short() && (far == 1 || o == Cost) {
						continue
					}
					s := measuredGraph(t, name, counts, far)
					s.Objective = o
					out := outcomeOf(t, "exact", mustProblem(t, s))
					if out.Gap != 0 || !out.Fitness.Feasible || out.Stopped != "" {
						t.Errorf("%s %v x%v %s: gap %v, %+v, %q", name, counts, far, o, out.Gap, out.Fitness, out.Stopped)
					}
				}
			}
		}
	}
}

// BenchmarkExactResidual solves ResNet-50 over four pools of one node each.
func BenchmarkExactResidual(b *testing.B) {
	for _, o := range []Objective{Throughput, Cost} {
		s := measuredGraph(b, "resnet50", []int{4, 8, 2, 6}, 0.1)
		s.Objective = o
		p := mustProblem(b, s)
		b.Run(string(o), func(b *testing.B) {
			for b.Loop() {
				if out := outcomeOf(b, "exact", p); out.Gap != 0 {
					b.Fatal(out.Gap, out.Certificate)
				}
			}
		})
	}
}
