package sim

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// straggling is what stragglers make of the stages' times.
type straggling struct{ stages []slowStage }

// slowStage is a stage as groups of devices that the same stragglers are among.
type slowStage struct {
	healthy bool        // a device is in no group
	rest    []slowGroup // those that are in none
	groups  []slowGroup
}

type slowGroup struct {
	from, to int // devices, counted from the stage's first
	pace     pace
	noises   []window   // their factor is the variance of the logarithm
	devices  float64    // that take part
	rng      *rand.Rand // nil: there is no noise
}

// newStraggling returns nil if no stage has a straggler.
func newStraggling(t *Trouble, all []seat) *straggling {
	s := &straggling{stages: make([]slowStage, len(all))}
	any := false
	for i := range all {
		s.stages[i] = newSlowStage(t, i, all[i])
		any = any || len(s.stages[i].groups) > 0
	}
	if !any {
		return nil
	}
	return s
}

// newSlowStage cuts the devices of a stage where a straggler begins or ends.
func newSlowStage(t *Trouble, stage int, s seat) (slow slowStage) {
	cuts := []int{0, s.devices}
	for i := range t.Stragglers {
		from, to := t.Stragglers[i].of(stage, s)
		cuts = append(cuts, from, to)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for k := range len(cuts) - 1 {
		g := newSlowGroup(t, stage, s, cuts[k])
		g.from, g.to = cuts[k], cuts[k+1]
		if len(g.pace.sets) == 0 && g.rng == nil {
			slow.rest = append(slow.rest, g)
		} else {
			slow.groups = append(slow.groups, g)
		}
	}
	slow.count(&s)
	return slow
}

// count heeds which devices of the stage take part.
func (slow *slowStage) count(s *seat) {
	slow.healthy = false
	for _, g := range slow.rest {
		slow.healthy = slow.healthy || s.counts(g.from, g.to) > 0
	}
	for i := range slow.groups {
		g := &slow.groups[i]
		g.devices = float64(s.counts(g.from, g.to))
	}
}

// newSlowGroup gathers the stragglers among which a device of a stage is.
func newSlowGroup(t *Trouble, stage int, s seat, device int) (g slowGroup) {
	var windows []window
	for i := range t.Stragglers {
		st := &t.Stragglers[i]
		if from, to := st.of(stage, s); device < from || device >= to {
			continue
		}
		w := window{st.From, st.Until, st.FromRound, st.UntilRound, st.Factor}
		if st.Factor > 1 {
			windows = append(windows, w)
		}
		if st.Noise > 0 {
			w.factor = math.Log1p(st.Noise * st.Noise)
			g.noises = append(g.noises, w)
		}
	}
	g.pace = newPace(windows)
	if len(g.noises) > 0 {
		g.rng = random(t.Seed, "straggler", stage, device)
	}
	return g
}

// random is a source of chance for a purpose, the same for every run.
func random(seed int64, purpose string, of ...int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	for _, n := range of {
		h.Write([]byte(" " + strconv.Itoa(n)))
	}
	return rand.New(rand.NewPCG(uint64(seed), h.Sum64()))
}

// takes is the pipeline's hook for how long an operation takes: as long as it does on the
// slowest of the stage's devices.
func (s *straggling) takes(stage, round int, now, d time.Duration) time.Duration {
	st := &s.stages[stage]
	longest := time.Duration(0)
	if st.healthy || len(st.groups) == 0 {
		longest = d
	}
	for i := range st.groups {
		g := &st.groups[i]
		times := g.multiple(now, round)
		if g.devices > 0 {
			longest = max(longest, g.pace.takes(float64(d)*times, now, round))
		}
	}
	return longest
}

// multiple draws the largest of the noisy multiples of a group's devices. A log-normal
// multiple of mean 1 is exp(s z - s^2/2), z being normal; the largest of n independent z
// has the distribution function F^n, so that F^-1(u^(1/n)) draws it with one uniform u.
func (g *slowGroup) multiple(now time.Duration, round int) float64 {
	if g.rng == nil {
		return 1
	}
	u := 1 - g.rng.Float64() // above 0; drawn whether needed or not, so that draws do not depend on time
	variance := 0.0
	for i := range g.noises {
		if w := &g.noises[i]; w.has(now, round) {
			variance += w.factor
		}
	}
	if variance == 0 || g.devices == 0 {
		return 1
	}
	above := -math.Expm1(math.Log(u) / g.devices)                   // 1 - u^(1/n), to full precision
	above = min(max(above, math.SmallestNonzeroFloat64), 1-0x1p-53) // z is finite
	z := math.Sqrt2 * math.Erfcinv(2*above)
	return math.Exp(math.Sqrt(variance)*z - variance/2)
}
