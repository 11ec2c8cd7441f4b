package rounds

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/network"
)

// What two nodes exchange over an idle network takes what the formula says: they have a
// port each, and nothing else goes through it.
func TestCrossingIsTheFormula(t *testing.T) {
	crossed := false
	rapid.Check(t, func(rt *rapid.T) {
		spec := drawSpec(rt)
		spec.Layers = spec.Layers[:1]
		spec.Devices, spec.Costs.PerNode = rapid.IntRange(3, 4).Draw(rt, "devices"), 2
		spec.Exchange, spec.Replicated = AllToAll, 0
		spec.Costs.Peer = hw.Link{Bandwidth: 1e12}
		spec.Costs.NIC = hw.Link{Bandwidth: unit.Rate(rapid.Float64Range(1e6, 1e9).Draw(rt, "port")), Latency: time.Microsecond}
		formula, err := tryRig(rt, spec, 0)
		if err != nil {
			rt.Skip(err)
		}
		spec.Crossing = true
		flows, err := tryRig(rt, spec, 0)
		if err != nil {
			rt.Fatal(err)
		}
		bytes := ports(flows.e, flows.feed, spec.Costs.NIC)
		if err := formula.run(); err != nil {
			rt.Skip(err)
		}
		flows.mustRun()
		crossed = crossed || *bytes > 0
		for r, want := range formula.ends {
			if off := flows.ends[r] - want; off < -time.Duration(4*r+4) || off > time.Duration(4*r+4) {
				rt.Fatalf("round %d ends at %v with flows, at %v by the formula", r, flows.ends[r], want)
			}
		}
	})
	if !crossed {
		t.Error("nothing was sent between nodes")
	}
}

// ports gives each node a port into a switch, and counts what goes through.
func ports(e *engine.Engine, f *Feed, nic hw.Link) (bytes *float64) {
	bytes = new(float64)
	n := network.New(e)
	var up, down []network.LinkID
	for range f.spec.nodes() {
		up, down = append(up, n.Link("up", nic.Bandwidth)), append(down, n.Link("down", nic.Bandwidth))
	}
	f.h.Exchange = func(nodes int, moved []float64, done func()) {
		left := 1
		arrived := func() {
			if left--; left == 0 {
				done()
			}
		}
		for i, b := range moved {
			if b > 0 {
				left++
				*bytes += b
				n.Transfer([]network.LinkID{up[i/nodes], down[i%nodes]}, b, nic.Latency, arrived)
			}
		}
		n.Transfer(nil, 0, 0, arrived)
	}
	return bytes
}
