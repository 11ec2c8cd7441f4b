package rounds

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"stowage/hw"
)

// What is foreseen for a number of devices is what a feed of as many takes in the last
// round, under every rule of sharing; between the numbers that are counted it is
// between theirs.
func TestForesee(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	keys := make([]uint32, 2*48)
	for i := range keys {
		keys[i] = min(rng.Uint32N(64), rng.Uint32N(64))
	}
	const most = 21
	for _, x := range Collectives() {
		for _, scope := range []Scope{NoUnique, PerDevice, PerBatch} {
			for _, readOnly := range []bool{false, true} {
				spec := batches(t, 48, 64*most, keys...)
				spec.Exchange, spec.Scope, spec.ReadOnly, spec.Replicated = x, scope, readOnly, 0.05
				spec.Layers[0].OutBytes = 32
				spec.Costs.PerNode = 4
				spec.Costs.Peer = hw.Link{Bandwidth: 1e6, Latency: 3 * time.Microsecond}
				spec.Costs.NIC = hw.Link{Bandwidth: 3e5, Latency: 5 * time.Microsecond}
				prospect, err := Foresee(spec, most)
				if err != nil {
					t.Fatal(err)
				}
				times := prospect.Times(spec)
				for n := 1; n <= most; n++ {
					spec.Devices = n
					want := newRig(t, spec).feed.tables.trade(1)
					pull, push := times.Of(n)
					if !slices.Contains(times.sizes, n) && n > 1 && x != NoExchange {
						before, _ := times.Of(n - 1)
						after, _ := times.Of(n + 1)
						if (pull-before)*(after-pull) < 0 {
							t.Errorf("%s, %s: %d devices pull for %v s, their neighbours %v and %v", x, scope, n, pull, before, after)
						}
						continue
					}
					if pull != want.pull || push != want.push {
						t.Errorf("%s, %s, read only %v, %d devices: %v and %v s, want %+v", x, scope, readOnly, n, pull, push, want)
					}
				}
			}
		}
	}
	if got := groupSizes(21); !slices.Equal(got, []int{2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 21}) {
		t.Errorf("sizes %v", got)
	}
}
