package placement

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSurrogate: mean and deviation against a plain solution by elimination, with
// rows added one by one and after the kernel changed.
func TestSurrogate(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var g surrogate
	g.settle(0.3, 0.1, 9)
	var y []float64
	seen := map[string]bool{}
	for len(y) < 40 {
		sc := randomScheme(r, 9, 3, 0.5)
		if !seen[string(sc)] {
			seen[string(sc)] = true
			g.add(sc)
			y = append(y, 5+3*r.NormFloat64())
		}
	}
	for _, ab := range [][2]float64{{0.3, 0.1}, {0.05, 0.4}} {
		if g.a != ab[0] {
			g.settle(ab[0], ab[1], 9)
		}
		g.fit(y)
		for range 20 {
			x := randomScheme(r, 9, 3, 0.5)
			mean, deviation := g.predict(x)
			wantMean, wantVar := dumbGP(&g, y, x)
			if math.Abs(mean-wantMean) > 1e-6 || math.Abs(deviation*deviation-wantVar) > 1e-6 {
				t.Errorf("a, b = %v: %v +- %v, want %v +- %v", ab, mean, deviation, wantMean, math.Sqrt(wantVar))
			}
		}
	}
	for i, sc := range g.schemes { // at a point there is its target and hardly any doubt
		if mean, deviation := g.predict(sc); math.Abs(mean-y[i]) > 0.05*g.scale || deviation > 0.05*g.scale {
			t.Errorf("point %d: %v +- %v, is %v", i, mean, deviation, y[i])
		}
	}
}

// dumbGP solves K x = k by Gauss-Jordan elimination.
func dumbGP(g *surrogate, y []float64, x Scheme) (mean, variance float64) {
	n := len(y)
	k := func(a, b Scheme) float64 {
		h, edges := 0, 0
		for l := range a {
			if a[l] != b[l] {
				h++
			}
			if l > 0 && (a[l] == a[l-1]) != (b[l] == b[l-1]) {
				edges++
			}
		}
		return math.Exp(-g.a*float64(h) - g.b*float64(edges))
	}
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		for j := range n {
			m[i][j] = k(g.schemes[i], g.schemes[j])
		}
		m[i][i] += jitter
		m[i][n] = k(g.schemes[i], x)
	}
	for c := range n {
		for i := range n {
			if i != c {
				f := m[i][c] / m[c][c]
				for j := c; j <= n; j++ {
					m[i][j] -= f * m[c][j]
				}
			}
		}
	}
	mean, variance = g.mean, 1
	for i := range n {
		w := m[i][n] / m[i][i]
		mean += w * (y[i] - g.mean)
		variance -= w * k(g.schemes[i], x)
	}
	return mean, variance * g.scale * g.scale
}

// TestTune: targets that change with layers only are best explained by a kernel
// that looks at layers.
func TestTune(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var g surrogate
	g.settle(1, 1, 12)
	var y []float64
	for range 80 {
		sc := randomScheme(r, 12, 2, 0.5)
		g.add(sc)
		v := 0.0
		for l, t := range sc {
			v += float64(l) * float64(t)
		}
		y = append(y, v)
	}
	g.tune(y)
	tuned := g.likelihood(y)
	for _, a := range []float64{0.03, 0.1, 0.3, 1} {
		for _, b := range []float64{0.03, 0.1, 0.3, 1} {
			g.settle(a, b, 12)
			if v := g.likelihood(y); v > tuned+1e-9 {
				t.Errorf("a = %v, b = %v: %v, tuned %v", a, b, v, tuned)
			}
		}
	}
}

// TestImprovement against the integral.
func TestImprovement(t *testing.T) {
	for _, c := range [][3]float64{{1, 2, 0.5}, {0, 1, 3}, {-1, 0.1, 0}, {2, 0.5, 2}} {
		mean, deviation, best := c[0], c[1], c[2]
		sum, h := 0.0, deviation/1000
		for x := mean - 10*deviation; x < mean+10*deviation; x += h {
			z := (x + h/2 - mean) / deviation
			sum += h * max(0, x+h/2-best) * math.Exp(-z*z/2) / (deviation * math.Sqrt(2*math.Pi))
		}
		if got := improvement(mean, deviation, best); math.Abs(got-sum) > 1e-5 {
			t.Errorf("%v: %v, the integral is %v", c, got, sum)
		}
	}
	if improvement(3, 0, 1) != 2 || improvement(1, 0, 3) != 0 {
		t.Error("without doubt")
	}
}
