package rounds

import (
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
)

// Two devices hold rows of 100 bytes; row 0 is replicated and both look it up. With
// its gradients the two copies exchange 2 (W-1) x 100 bytes, under every collective,
// and at 100 bytes/s the ring takes 2 (W-1)/W seconds.
func TestReplicatedRowsAgree(t *testing.T) {
	for _, x := range []Collective{AllToAll, Padded} {
		for _, readOnly := range []bool{false, true} {
			spec := batches(t, 2, 32, 0, 0)
			spec.Devices, spec.Costs.PerNode = 2, 2
			spec.Exchange, spec.Replicated, spec.ReadOnly = x, 1.0/float64(spec.Layers[0].Rows), readOnly
			spec.Layers[0].OutBytes = 100
			spec.Costs.Peer.Bandwidth = 100
			g := newRig(t, spec)
			want := trade{push: 1, bytes: 200}
			if readOnly {
				want = trade{}
			}
			if got := g.feed.tables.trade(0); !near(got.push, want.push) || !near(got.bytes, want.bytes) || got.pull != 0 {
				t.Errorf("%s, read only %v: %+v, want %+v", x, readOnly, got, want)
			}
		}
	}
}

// Four devices, two a node, exchange rows of 100 bytes: row k belongs to device k mod 4,
// and device d looks up 0, d and 4. The buckets have 2, 1, 1 and 1 rows.
func TestTrades(t *testing.T) {
	peer, nic := hw.Link{Bandwidth: 1000}, hw.Link{Bandwidth: 500}
	for _, c := range []struct {
		exchange Collective
		perNode  int
		want     trade
	}{
		// Devices 1, 2 and 3 get rows 0 and 4 of device 0, which sends 600 bytes.
		{AllToAll, 4, trade{pull: 0.6, push: 0.6, bytes: 1200}},
		// 200 bytes inside the first node, 400 from it to the other one.
		{AllToAll, 2, trade{pull: 0.8, push: 0.8, bytes: 1200}},
		// 3 x 2 rows for everyone, then 2 x 3/4 of an array of 4 x 2.
		{Padded, 4, trade{pull: 0.6, push: 1.2, bytes: 2400 + 4800}},
		{Padded, 2, trade{pull: 1.2, push: 2.4, bytes: 2400 + 4800}},
	} {
		spec := batches(t, 12, 64, 0, 0, 4, 0, 1, 4, 0, 2, 4, 0, 3, 4)
		spec.Devices, spec.Exchange = 4, c.exchange
		spec.Costs.PerNode, spec.Costs.Peer, spec.Costs.NIC = c.perNode, peer, nic
		got := newRig(t, spec).feed.tables.trade(0)
		if !near(got.pull, c.want.pull) || !near(got.push, c.want.push) || !near(got.bytes, c.want.bytes) {
			t.Errorf("%s, %d a node: %+v, want %+v", c.exchange, c.perNode, got, c.want)
		}
	}
	// Devices in a mesh have a third of their links' bandwidth for each other one, and
	// rings over all of them.
	spec := batches(t, 12, 64, 0, 0, 4, 0, 1, 4, 0, 2, 4, 0, 3, 4)
	spec.Devices, spec.Costs.PerNode, spec.Costs.Peer, spec.Costs.Wiring = 4, 4, hw.Link{Bandwidth: unit.Rate(3000)}, Meshed
	if got := newRig(t, spec).feed.tables.trade(0); !near(got.pull, 0.2) {
		t.Errorf("mesh: %+v, want 200 bytes at 1000 B/s", got)
	}
	spec.Exchange = Padded
	if got := newRig(t, spec).feed.tables.trade(0); !near(got.pull, 0.2) {
		t.Errorf("padded, mesh: %+v, want 600 bytes at 3000 B/s", got)
	}
}
