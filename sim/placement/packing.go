package placement

import (
	"math"
	"slices"
)

// packing asks whether whole layers fit on pools within a step time, communication
// aside, where many layers are alike: the blocks of a transformer. Layers with the same
// load on every pool are one class, and how many of each class are left is all that
// matters to the pools that come. Spreading layers in parts (assignment.dual) knows
// nothing of what cannot be divided.
type packing struct {
	pools  int
	loads  []float64 // [class*pools + pool]: seconds of one layer on all devices
	count  []int     // per class
	states int       // of counts left
}

// maxPacked bounds the states of a packing.
const maxPacked = 1 << 11

// newPacking finds the classes of an assignment's layers. It returns nil when there are
// too many states of them.
func newPacking(a *assignment) *packing {
	k := &packing{pools: a.p.pools, states: 1}
	for l := range a.p.layers {
		load := a.load[l*k.pools : (l+1)*k.pools]
		class := 0
		for class < len(k.count) && !slices.Equal(load, k.loads[class*k.pools:(class+1)*k.pools]) {
			class++
		}
		if class == len(k.count) {
			k.loads, k.count = append(k.loads, load...), append(k.count, 0)
		}
		k.count[class]++
	}
	for _, n := range k.count {
		if k.states *= n + 1; k.states > maxPacked {
			return nil
		}
	}
	return k
}

// fits reports whether all layers can be on pools that need at most t seconds each. A
// rounding error is forgiven; without a limit they do.
func (k *packing) fits(t float64) bool {
	if math.IsInf(t, 1) {
		return true
	}
	t *= 1 + 1e-12
	left := make([]bool, k.states)
	left[k.states-1] = true // nothing is placed
	for pool := range k.pools {
		next := make([]bool, k.states)
		for s, reached := range left {
			if reached {
				k.fill(next, pool, 0, 1, s, s, t)
			}
		}
		left = next
	}
	return left[0]
}

// fill marks what can be left of state s when a pool takes layers of the classes from one
// on, in t seconds. A state's digits are the counts left, the first class's the lowest;
// rest are those of the classes to come.
func (k *packing) fill(next []bool, pool, class, weight, rest, s int, t float64) {
	if class == len(k.count) {
		next[s] = true
		return
	}
	base := k.count[class] + 1
	left, load := rest%base, k.loads[class*k.pools+pool]
	most := left
	if load > 0 {
		most = int(min(float64(left), t/load))
	}
	from := 0
	if class == len(k.count)-1 {
		from = most // to leave more of the last class is no better
	}
	for n := from; n <= most; n++ {
		if n > 0 && float64(n)*load > t {
			break
		}
		took := 0.0
		if n > 0 {
			took = float64(n) * load
		}
		k.fill(next, pool, class+1, weight*base, rest/base, s-n*weight, t-took)
	}
}

// least returns a step time below which layers do not fit, close to the shortest in which
// they do: at least low, which is above 0 or returned.
func (k *packing) least(low float64) float64 {
	if k.fits(low) || !positive(low) {
		return low
	}
	high := 2 * low
	for !k.fits(high) {
		high *= 2
	}
	if math.IsInf(high, 1) {
		return low // no pool takes some layer
	}
	for range 40 {
		if mid := low + (high-low)/2; k.fits(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}
