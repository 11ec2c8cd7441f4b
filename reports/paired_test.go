package reports

import (
	"math"
	"math/rand/v2"
	"testing"
)

// bruteRank counts signs one by one.
func bruteRank(ds []float64) float64 {
	ranks, positive := doubledRanks(ds)
	total := 0
	for _, r := range ranks {
		total += r
	}
	less := min(positive, total-positive)
	n, hits := len(ranks), 0
	for signs := range 1 << n {
		sum := 0
		for i, r := range ranks {
			if signs>>i&1 == 1 {
				sum += r
			}
		}
		if sum <= less || sum >= total-less {
			hits++
		}
	}
	return float64(hits) / float64(int(1)<<n)
}

func TestSignedRank(t *testing.T) {
	for _, c := range []struct {
		differences []float64
		want        float64
	}{
		{nil, 1}, {[]float64{0, 0}, 1}, {[]float64{1}, 1}, {[]float64{1, -1}, 1},
		{[]float64{1, 2, 3, 4, 5}, 2.0 / 32}, {[]float64{-1, -2, -3, -4, -5, -6}, 2.0 / 64},
		// Darwin's plants, on which the test is often shown: n = 15, the negative ranks sum
		// to 24, p = 0.0413. The pair without a difference does not count.
		{[]float64{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48, 0}, 0.0413},
	} {
		if p := signedRank(c.differences); math.Abs(p-c.want) > 1e-3 {
			t.Errorf("%v: p = %v, want %v", c.differences, p, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		ds := make([]float64, r.IntN(12))
		for i := range ds {
			ds[i] = float64(r.IntN(9) - 3) // ties, zeroes and a drift
		}
		if p, want := signedRank(ds), bruteRank(ds); math.Abs(p-want) > 1e-12 {
			t.Fatalf("%v: p = %v, by counting %v", ds, p, want)
		}
	}
	// Where the normal distribution takes over, it says what counting says.
	ds := make([]float64, exactPairs)
	for i := range ds {
		ds[i] = r.NormFloat64() + 0.2
	}
	ranks, positive := doubledRanks(ds)
	total := exactPairs * (exactPairs + 1)
	if p, near := signedRank(ds), normalTail(ranks, total, min(positive, total-positive)); math.Abs(p-near) > 1e-3 {
		t.Errorf("counted %v, normal %v", p, near)
	}
	if p := signedRank(append(ds, ds...)); !(p > 0 && p < 0.2) {
		t.Errorf("of %d pairs: p = %v", 2*exactPairs, p)
	}
}
