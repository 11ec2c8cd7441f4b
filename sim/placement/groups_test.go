package placement

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/workloads"
)

// mixed is a pool of groups of a fast device and one a third as fast, with a quarter of
// its memory, at 2 and 1 USD/h.
func mixed(count int) hw.Pool {
	pool := gpuPool("fast", count, 2)
	pool.Device.Overhead, pool.Device.Price, pool.Device.Parallel = 0, 2, 1
	slow := *pool.Device
	slow.Name, slow.Price = "slow", 1
	slow.Peak = map[hw.Precision]unit.FLOPS{hw.FP32: pool.Device.Peak[hw.FP32] / 3}
	slow.Memory.Capacity /= 4
	pool = pool.Grouped(&slow)
	pool.Name = "mixed"
	return pool
}

// TestGroupsByHand: of 16 samples of a micro-batch the fast device takes 12 and the slow
// one 4, which take as long; evenly they take 8 each, which takes the slow one twice as
// long.
func TestGroupsByHand(t *testing.T) {
	layer := workloads.Layer{Name: "a", Kind: workloads.Linear, FLOPs: 1e9, Params: 1000, Stored: 1e6, Output: 1, Backward: 2, Parallel: -1}
	m := &workloads.Model{Layers: []workloads.Layer{layer}}
	for _, c := range []struct {
		shares  Shares
		samples []int
		slowest float64 // samples of the slow device
	}{{"", []int{12, 4}, 4}, {BySpeed, []int{12, 4}, 4}, {Even, []int{8, 8}, 8}} {
		s := spec(m, cluster(mixed(8)))
		s.Batch, s.Microbatches, s.Shares, s.Sync = 64, 4, c.shares, Ring
		p := mustProblem(t, s)
		pl := onePlan(t, p, 4)
		st := &pl.Stages[0]
		if st.Replicas != 2 || !slices.Equal(st.Samples, c.samples) || pl.Fitness.Price != 6 {
			t.Errorf("%q: %+v at %v USD/h", c.shares, st, pl.Fitness.Price)
		}
		// Two groups, each half of the samples; 5 TFLOPS.
		want := 4 * 3 * c.slowest / 2 * 1e9 / 5e12
		if math.Abs(st.StepTime-want) > 1e-12*want {
			t.Errorf("%q: a step takes %v s, want %v", c.shares, st.StepTime, want)
		}
		// The slow device has least left, whatever it has to do: a quarter of 16 GiB.
		if act := wholeBytes(4e6 * c.slowest / 2); st.Memory.Activations != act || st.Memory.Capacity != 4<<30 {
			t.Errorf("%q: memory %+v, want activations of %v in 4 GiB", c.shares, st.Memory, act)
		}
		pipe, _, err := p.Pipeline(pl)
		if sync := network.RingAllReduce(4000, 4, 1.2e11, p.Cluster.Pools[0].Node.PeerLink.Latency); err != nil || math.Abs(pipe.Sync[0].Seconds()-sync) > 1e-9 {
			t.Errorf("%q: four devices synchronise in %v, want %v s: %v", c.shares, pipe.Sync[0], sync, err)
		}
	}
}

// TestGroupsThatDoNotFit: the memory of each device of a group counts.
func TestGroupsThatDoNotFit(t *testing.T) {
	layer := workloads.Layer{Name: "a", Kind: workloads.Linear, FLOPs: 1e9, Stored: 1.5 * (1 << 30) / 4 / 4, Output: 1, Backward: 2, Parallel: -1}
	m := &workloads.Model{Layers: []workloads.Layer{layer}}
	fits := map[Shares]int{}
	for _, shares := range []Shares{BySpeed, Even} {
		s := spec(m, cluster(mixed(8)))
		s.Batch, s.Microbatches, s.Shares, s.Schedule = 64, 4, shares, schedule("gpipe")
		ev := NewEvaluator(mustProblem(t, s)) // 4 micro-batches of 16 samples of 0.375 GiB
		if n, _ := ev.merge(Scheme{0}); n > 0 {
			t.Fatal("refused")
		}
		fits[shares] = ev.memoryFloor(0)
	}
	// The slow one's 4 GiB hold 4 x 4 x 0.375 = 6 GiB on two groups; 12 on three.
	if fits[BySpeed] != 2 || fits[Even] != 3 {
		t.Errorf("groups from which a stage fits: %v, want 2 by speed and 3 evenly", fits)
	}
}

// TestSharesBySpeed: no whole shares of any two devices are faster for a model than those
// by speed, which are never slower than even ones.
func TestSharesBySpeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "model"), 1))
		m := randomModel(r, rapid.IntRange(1, 4).Draw(t, "layers"))
		pool := mixed(2)
		pool.Members[1].Memory.Bandwidth *= unit.Rate(rapid.Float64Range(0.1, 3).Draw(t, "bandwidth"))
		pool.Members[1].Memory.Capacity = 1 << 50
		s := spec(m, cluster(pool))
		s.Batch, s.Microbatches = rapid.IntRange(1, 40).Draw(t, "samples"), 1
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		shared := p.groups[0]
		got, samples := p.groupSeconds(shared, 1), 0.0
		for _, w := range shared {
			samples += w.samples
		}
		if samples != float64(s.Batch) {
			t.Fatalf("%d samples are shared as %v", s.Batch, shared)
		}
		even := p.groupSeconds(shareEvenly(shared, s.Batch), 1)
		if got > even*(1+1e-12) {
			t.Fatalf("by speed %v s, evenly %v", got, even)
		}
		if p.layers > 1 {
			return // after each layer devices wait, which shares do not know
		}
		for n := range s.Batch + 1 {
			other := []worker{{shared[0].pool, float64(n)}, {shared[1].pool, float64(s.Batch - n)}}
			if x := p.groupSeconds(other, 1); x < got*(1-1e-9) {
				t.Fatalf("shares %v and %v take %v s, %v and %v take %v", shared[0].samples, shared[1].samples, got, other[0].samples, other[1].samples, x)
			}
		}
	})
}
