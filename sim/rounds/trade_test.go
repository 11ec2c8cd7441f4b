package rounds

import "testing"

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
