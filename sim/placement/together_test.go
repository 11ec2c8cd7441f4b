package placement

import (
	"math"
	"strings"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/workloads"
)

// measuredLayer was measured on 1 and on 4 of device g together, for 2 samples; half of
// its work and parameters can be divided, and 1000 elements of a sample are summed up in
// each pass.
func measuredLayer() workloads.Layer {
	return workloads.Layer{
		Name: "a", Kind: workloads.Linear, FLOPs: 1e9, Params: 1000, Stored: 100, Output: 1, Backward: 2, Parallel: 0,
		Split:  workloads.Amounts{FLOPs: 5e8, Params: 500, Stored: 50},
		Reduce: workloads.Reduction{Times: 1, Elements: 1000}, ReduceBack: workloads.Reduction{Times: 1, Elements: 1000},
		Profiles: []workloads.Profile{
			{Device: "g", Points: []workloads.ProfilePoint{{Batch: 2, Forward: 8e-3, Backward: 16e-3, Update: 4e-3}}},
			{Device: "g", Tensor: 4, Points: []workloads.ProfilePoint{{Batch: 2, Forward: 3e-3, Backward: 5e-3, Update: 1e-3}}},
		},
	}
}

// TestTogetherByHand: times that were measured on 4 devices together are taken as they
// are. On 2, which were not, it is 3/4 of what one device takes, and what they sum up:
// 2 samples of 1000 elements of 4 bytes.
func TestTogetherByHand(t *testing.T) {
	of := gpuPool("g", 16, 1)
	link := of.Node.PeerLink
	sums := network.RingAllReduce(8000, 2, link.Bandwidth, link.Latency)
	for _, c := range []struct {
		team                      int
		forward, backward, update float64
	}{
		{1, 8e-3, 16e-3, 4e-3},
		{2, 6e-3 + sums, 12e-3 + sums, 3e-3},
		{4, 3e-3, 5e-3, 1e-3},
	} {
		m := &workloads.Model{Layers: []workloads.Layer{measuredLayer()}}
		s := spec(m, cluster(of))
		s.Batch, s.Microbatches, s.Sync, s.Tensor = 4, 2, Ring, []int{c.team}
		p := mustProblem(t, s)
		pipe, _, err := p.Pipeline(onePlan(t, p, c.team))
		if err != nil {
			t.Fatal(err)
		}
		got := [3]float64{pipe.Segments[0].Forward.Seconds(), pipe.Segments[0].Backward.Seconds(), pipe.Update[0].Seconds()}
		for i, want := range [3]float64{c.forward, c.backward, c.update} {
			if math.Abs(got[i]-want) > 2e-9 {
				t.Errorf("on %d: forward, backward and update take %v, want %v, %v and %v", c.team, got, c.forward, c.backward, c.update)
				break
			}
		}
		for zero := 1; zero <= 3; zero++ { // two replicas update half each
			s.Zero = zero
			p := mustProblem(t, s)
			pipe, _, err := p.Pipeline(onePlan(t, p, 2*c.team))
			if err != nil || math.Abs(pipe.Update[0].Seconds()-c.update/2) > 1e-9 {
				t.Errorf("zero = %d on %d: updates take %v, want %v s: %v", zero, c.team, pipe.Update, c.update/2, err)
			}
		}
		if s.Zero, s.Inference = 0, true; true {
			p := mustProblem(t, s)
			if pipe, _, err := p.Pipeline(onePlan(t, p, c.team)); err != nil || pipe.Update != nil {
				t.Errorf("inference updates in %v: %v", pipe.Update, err)
			}
		}
	}
}

// TestTogetherOrNotAtAll: a layer with nothing but times runs on as many devices together
// as it was measured on.
func TestTogetherOrNotAtAll(t *testing.T) {
	layer := measuredLayer()
	layer.OnlyProfiled = true
	for team, refused := range map[int]bool{1: false, 2: true, 4: false} {
		s := spec(&workloads.Model{Layers: []workloads.Layer{layer}}, cluster(gpuPool("g", 16, 1)))
		s.Batch, s.Microbatches, s.Tensor = 4, 2, []int{team}
		pl := NewEvaluator(mustProblem(t, s)).Plan(Scheme{0})
		if pl.Fitness.Feasible == refused {
			t.Errorf("on %d: %+v %s", team, pl.Fitness, pl.Reason)
		}
		if want := "it was measured with tensor_parallel = [1 4] on g, not 2"; refused && !strings.Contains(pl.Reason, want) {
			t.Errorf("on %d: %q does not say %q", team, pl.Reason, want)
		}
	}
}

// TestGroupsOfTeamsByHand: 4 devices of type g and 4 of type h share samples, 2 each of a
// group's 4; h is slower. They fill the two nodes that their gradients go between, those of
// 4 devices over one port.
func TestGroupsOfTeamsByHand(t *testing.T) {
	layer := measuredLayer()
	for _, prof := range layer.Profiles[:2] {
		point := prof.Points[0]
		point.Forward, point.Update = 2*point.Forward, 3*point.Update
		layer.Profiles = append(layer.Profiles, workloads.Profile{Device: "h", Tensor: prof.Tensor, Points: []workloads.ProfilePoint{point}})
	}
	pool := gpuPool("g", 16, 1)
	pool.Node.Devices = 4
	slow := *pool.Device
	slow.Name = "h"
	pool = pool.Grouped(&slow)
	s := spec(&workloads.Model{Layers: []workloads.Layer{layer}}, cluster(pool))
	s.Batch, s.Microbatches, s.ReplicaBatch, s.Shares, s.Sync, s.Tensor = 8, 2, 4, Even, Ring, []int{4}
	p := mustProblem(t, s)
	pl := onePlan(t, p, 8)
	pipe, _, err := p.Pipeline(pl)
	if err != nil {
		t.Fatal(err)
	}
	st := &pl.Stages[0]
	if st.Replicas != 1 || st.Tensor != 4 || st.Devices != 8 || len(st.Samples) != 2 || st.Samples[0] != 2 {
		t.Errorf("%+v", st)
	}
	own := 500 + 500./4 // parameters of a device
	nic := pool.Node.NIC
	want := [4]float64{6e-3, 5e-3, 3e-3, network.RingAllReduce(4*own*4, 2, nic.Bandwidth, nic.Latency)}
	got := [4]float64{pipe.Segments[0].Forward.Seconds(), pipe.Segments[0].Backward.Seconds(), pipe.Update[0].Seconds(), pipe.Sync[0].Seconds()}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-9 {
			t.Errorf("forward, backward, update and synchronisation take %v, want %v", got, want)
			break
		}
	}
	if m := st.Memory; m.Weights != wholeBytes(4*own) || m.Activations != wholeBytes(2*(50+50./4)*4) {
		t.Errorf("memory %+v of a device with %v parameters", m, own)
	}
	for _, c := range []struct {
		count, perNode, team int
		want                 string
	}{
		{16, 4, 3, "3: on pool"},
		{12, 4, 4, "count: 12 devices of pool"},
		{24, 6, 2, "beside: on pool"},
	} {
		of := pool
		of.Count, of.Node.Devices = c.count, c.perNode
		err := CheckTeam(&of, c.team, Ring)
		if err == nil {
			err = CheckGroup(&of, c.team, Ring)
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := CheckTeam(&hw.Pool{Device: &slow, Count: 8, Members: pool.Members, Node: pool.Node}, 8, Ring); err != nil {
		t.Error(err)
	}
}

// TestPartsAreGathered: two stages of 2 replicas of 4 devices send a micro-batch of 8
// samples of 1000 elements, 32 kB, over the ports of their nodes, every device its part; the
// devices of a replica then gather its half. They wait for it if a device sends more than
// eager bytes, 4 kB here, at once. With sequence parallelism parts are what they want.
func TestPartsAreGathered(t *testing.T) {
	front, back := measuredLayer(), measuredLayer()
	front.Output, back.Name = 1000, "b"
	m := &workloads.Model{Layers: []workloads.Layer{front, back}, Edges: []workloads.Edge{{From: 0, To: 1, Elements: 1000}}}
	a, b := gpuPool("g", 8, 1), gpuPool("g", 8, 1)
	a.Name, b.Name = "front", "back"
	nic, peer := a.Node.NIC, a.Node.PeerLink
	for _, c := range []struct {
		eager    float64
		sequence bool
		blocking bool
	}{{3999, false, true}, {4000, false, false}, {0, true, true}} {
		s := spec(m, cluster(a, b))
		s.Batch, s.Microbatches, s.Tensor = 16, 2, []int{4, 4}
		s.Blocking, s.Eager, s.SequenceParallel = true, c.eager, c.sequence
		p := mustProblem(t, s)
		pl, err := NewEvaluator(p).PlanDevices(Scheme{0, 1}, []int{8, 8})
		if err != nil {
			t.Fatal(err)
		}
		pipe, _, err := p.Pipeline(pl)
		if err != nil {
			t.Fatal(err)
		}
		want := 32000/float64(nic.Bandwidth) + nic.Latency.Seconds()
		if !c.sequence {
			want += network.RingAllReduce(16000, 4, peer.Bandwidth, peer.Latency) / 2
		}
		for _, got := range []float64{pipe.Channels[0].Forward.Seconds(), pipe.Channels[0].Backward.Seconds()} {
			if math.Abs(got-want) > 2e-9 || pipe.Channels[0].Blocking != c.blocking {
				t.Errorf("%+v: a transfer takes %v s, blocking %v; want %v s", c, got, pipe.Channels[0].Blocking, want)
			}
		}
	}
}

// TestReservedMemory: what a stage needs of its devices still fits when all the rest is
// reserved, and one byte more does not; of a group the device with the least counts.
func TestReservedMemory(t *testing.T) {
	layer := workloads.Layer{Name: "a", Kind: workloads.Linear, FLOPs: 1e9, Params: 1000, Stored: 1e6, Output: 1, Backward: 2, Parallel: -1}
	m := &workloads.Model{Layers: []workloads.Layer{layer}}
	for _, pool := range []hw.Pool{gpuPool("g", 2, 1), mixed(2)} {
		s := spec(m, cluster(pool))
		s.Batch, s.Microbatches, s.Shares = 64, 4, Even
		used := onePlan(t, mustProblem(t, s), 2).Stages[0].Memory
		for more, fits := range []bool{true, false} {
			s.ReservedMemory = used.Capacity - used.Total() + unit.Bytes(more)
			pl, err := NewEvaluator(mustProblem(t, s)).PlanDevices(Scheme{0}, []int{2})
			if err != nil || pl.Fitness.Feasible != fits {
				t.Errorf("%s with %v reserved of %v, of which it needs %v: %v %s, %v", pool.Name, s.ReservedMemory, used.Capacity, used.Total(), pl.Fitness, pl.Reason, err)
			}
			if got := pl.Stages[0].Memory.Capacity; got != used.Capacity-s.ReservedMemory {
				t.Errorf("%s: %v are left of %v", pool.Name, got, used.Capacity)
			}
		}
		s.ReservedMemory = pool.LeastMemory()
		if _, err := NewProblem(s); err == nil || !strings.HasPrefix(err.Error(), "reserved_memory = ") {
			t.Errorf("%s with all reserved: %v", pool.Name, err)
		}
	}
}
