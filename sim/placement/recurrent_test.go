package placement

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestGradient: by backpropagation through time, against central differences of
// the loss, for both cells, by every weight.
func TestGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	for _, lstm := range []bool{true, false} {
		const layers, in, out = 6, 5, 3
		features := make([][]float64, layers)
		sc := make(Scheme, layers)
		for l := range features {
			sc[l] = uint8(r.IntN(out))
			for range in - 1 {
				features[l] = append(features[l], r.NormFloat64())
			}
		}
		net := newRecurrent(len(features[0])+out, 4, out, lstm, r)
		tp := net.newTape(layers)
		const advantage, entropy = 1.7, 0.3
		loss := func() float64 {
			sum := 0.0
			net.forward(tp, features, func(l int, p []float64) uint8 {
				sum -= advantage * math.Log(p[sc[l]])
				for _, v := range p {
					sum += entropy * v * math.Log(v)
				}
				return sc[l]
			})
			return sum
		}
		loss()
		grad := make([]float64, len(net.w))
		net.backward(tp, sc, advantage, entropy, grad)
		for i, w := range net.w {
			const h = 1e-5
			net.w[i] = w + h
			up := loss()
			net.w[i] = w - h
			down := loss()
			net.w[i] = w
			if want := (up - down) / (2 * h); math.Abs(grad[i]-want) > 1e-7*(1+math.Abs(want)) {
				t.Errorf("lstm %v, weight %d: gradient %v, differences give %v", lstm, i, grad[i], want)
			}
		}
	}
}

// TestReinforceLearns: a network that is rewarded for one scheme alone draws it
// far more often than chance would.
func TestReinforceLearns(t *testing.T) {
	for _, lstm := range []bool{true, false} {
		p := randomProblem(t, 2, 8)
		target := mustSearch(t, "exhaustive", p, Options{}).Plan.Scheme
		r := rand.New(rand.NewPCG(1, 1))
		features := p.features()
		net := newRecurrent(len(features[0])+p.pools, 8, p.pools, lstm, r)
		opt, tp, grad := adam{rate: 0.02}, net.newTape(p.layers), make([]float64, len(net.w))
		sc, average, hits := make(Scheme, p.layers), 0.0, 0
		for n := range 3000 {
			reward := 0.0
			net.forward(tp, features, func(l int, q []float64) uint8 {
				if sc[l] = sample(q, r); sc[l] == target[l] {
					reward++
				}
				return sc[l]
			})
			clear(grad)
			net.backward(tp, sc, reward-average, 1-float64(n)/3000, grad)
			average += 0.1 * (reward - average)
			opt.descend(net.w, grad)
			if n >= 2500 && reward == float64(p.layers) {
				hits++
			}
		}
		t.Logf("lstm %v: average reward %v, %d hits", lstm, average, hits)
		if hits < 250 {
			t.Errorf("lstm %v: %d of the last 500 schemes are the target", lstm, hits)
		}
	}
}

// TestSample draws by probability.
func TestSample(t *testing.T) {
	r, count := rand.New(rand.NewPCG(1, 1)), [3]int{}
	for range 100000 {
		count[sample([]float64{0.2, 0.5, 0.3}, r)]++
	}
	for k, want := range []int{20000, 50000, 30000} {
		if math.Abs(float64(count[k]-want)) > 700 {
			t.Errorf("%v", count)
		}
	}
}
