package slots

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSketch compares with its twin, and with exact counts: no key is estimated
// lower than it was used since the last halving, up to 16.
func TestSketch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 40).Draw(t, "slots")
		x, w := newSketch(slots), newSlowSketch(slots)
		exact := map[uint32]int{}
		for _, k := range drawKeys(t, 60, 1000) {
			exact[k]++
			x.add(fmix64(uint64(k)))
			w.add(k)
			if w.uses <= 5*slots {
				clear(exact) // just halved, or the start
				exact[k] = 0
			}
			for k := range uint32(60) {
				got := int(x.estimate(fmix64(uint64(k))))
				if want := w.estimate(k); got != want {
					t.Fatalf("key %d: estimate %d, want %d", k, got, want)
				}
				if got < min(exact[k], 16) {
					t.Fatalf("key %d: estimate %d, it was used %d times", k, got, exact[k])
				}
			}
		}
	})
}

// TestSketchTellsHotFromCold: with as many hot keys as slots, and cold keys used
// once each in between, nearly all hot keys are estimated above nearly all cold
// ones.
func TestSketchTellsHotFromCold(t *testing.T) {
	const slots = 1000
	x := newSketch(slots)
	cold := uint64(slots)
	for i := range 9 * slots {
		if i%3 == 0 {
			x.add(fmix64(cold))
			cold++
		} else {
			x.add(fmix64(uint64(i % slots)))
		}
	}
	hotLow, coldHigh := 0, 0
	for k := range uint64(slots) {
		if x.estimate(fmix64(k)) < 4 {
			hotLow++
		}
	}
	for k := uint64(slots); k < cold; k++ {
		if x.estimate(fmix64(k)) >= 4 {
			coldHigh++
		}
	}
	t.Logf("%d hot keys of %d below 4, %d cold keys of %d not", hotLow, slots, coldHigh, cold-slots)
	if hotLow > slots/100 || coldHigh > int(cold-slots)/20 {
		t.Errorf("%d hot keys of %d are estimated below 4, %d cold keys of %d are not", hotLow, slots, coldHigh, cold-slots)
	}
}
