package network

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"stowage/sim/engine"
)

// Poisson transfers on one link are an M/G/1 queue with processor sharing: the mean
// sojourn is that of a transfer alone, divided by 1 - rho, whatever the distribution of
// sizes, and so is the mean sojourn of the transfers of one size (Kleinrock, Queueing
// Systems II, 4.4; recalled).
func TestProcessorSharing(t *testing.T) {
	const (
		capacity, mean = 1e9, 1e6 // 1 ms alone
		count          = 40_000
	)
	tests := []struct {
		name string
		rho  float64
		size func(r *rand.Rand) float64 // of mean 1
	}{
		{"M/M/1-PS", 0.5, (*rand.Rand).ExpFloat64},
		{"M/M/1-PS", 0.8, (*rand.Rand).ExpFloat64},
		{"M/D/1-PS", 0.7, func(*rand.Rand) float64 { return 1 }},
		{"M/G/1-PS, two sizes", 0.7, func(r *rand.Rand) float64 { // one fifth is 16 times as large as the others
			if r.Float64() < 0.8 {
				return 0.25
			}
			return 4
		}},
		{"M/H/1-PS", 0.6, func(r *rand.Rand) float64 { // hyperexponential, squared coefficient of variation 5.5
			if r.Float64() < 0.9 {
				return 0.5 * r.ExpFloat64()
			}
			return 5.5 * r.ExpFloat64()
		}},
	}
	for i, test := range tests {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		rate := test.rho * capacity / mean
		arrivals, sizes := make([]float64, count), make([]float64, count)
		for k := range count {
			arrivals[k] = r.ExpFloat64() / rate
			if k > 0 {
				arrivals[k] += arrivals[k-1]
			}
			sizes[k] = mean * test.size(r)
		}
		sojourns := sojourns(t, arrivals, sizes)
		want := mean / capacity / (1 - test.rho)
		got, half := batchMeans(sojourns[count/10:])
		t.Logf("%s at %g: mean sojourn %.4g ms ± %.2g, theory %.4g ms", test.name, test.rho, got*1e3, half*1e3, want*1e3)
		if math.Abs(got-want) > half {
			t.Errorf("%s at %g: mean sojourn %g s ± %g, theory says %g s", test.name, test.rho, got, half, want)
		}
		if half > 0.15*want {
			t.Errorf("%s at %g: ± %g s says nothing about %g s", test.name, test.rho, half, want)
		}
		// In proportion to the size: small and large transfers are slowed down alike.
		for _, large := range []bool{false, true} {
			var slowed []float64
			for k := count / 10; k < count; k++ {
				if (sizes[k] > mean) == large {
					slowed = append(slowed, sojourns[k]/(sizes[k]/capacity))
				}
			}
			if len(slowed) == 0 {
				continue
			}
			got, half := batchMeans(slowed)
			if want := 1 / (1 - test.rho); math.Abs(got-want) > half {
				t.Errorf("%s at %g, large %v: slowed down %g times ± %g, theory says %g", test.name, test.rho, large, got, half, want)
			}
		}
	}
}

// sojourns runs transfers over one link and returns how long each was there.
func sojourns(t *testing.T, arrivals, sizes []float64) []float64 {
	t.Helper()
	e := engine.New(engine.Options{})
	n := New(e)
	path := []LinkID{n.Link("l", 1e9)}
	out := make([]float64, len(arrivals))
	for k, at := range arrivals {
		start := time.Duration(math.Round(at * 1e9))
		e.After(start, func() {
			n.Transfer(path, sizes[k], 0, func() { out[k] = (e.Now() - start).Seconds() })
		})
	}
	run(t, e)
	if err := n.Check(); err != nil {
		t.Fatal(err)
	}
	return out
}

// batchMeans returns the mean and the half width of its 99 % confidence interval from 20
// batches (Student's t with 19 degrees of freedom: 2.861).
func batchMeans(x []float64) (mean, half float64) {
	const batches, quantile = 20, 2.861
	var means [batches]float64
	per := len(x) / batches
	for b := range means {
		for _, v := range x[b*per : (b+1)*per] {
			means[b] += v / float64(per)
		}
		mean += means[b] / batches
	}
	variance := 0.0
	for _, m := range means {
		variance += (m - mean) * (m - mean) / (batches - 1)
	}
	return mean, quantile * math.Sqrt(variance/batches)
}
