package placement

import "math"

// surrogate is a Gaussian process over schemes (Rasmussen and Williams, Gaussian
// Processes for Machine Learning, 2006, algorithm 2.1). Its kernel looks at layers
// and at segments:
//
//	k(x, y) = exp(-a H(x, y) - b B(x, y))
//
// where H is the number of layers on different pools and B the number of places
// where only one of both schemes has a boundary. It is a product of one positive
// definite kernel a place, and so positive definite.
type surrogate struct {
	schemes []Scheme
	near    [][]distance // near[i][j], j <= i
	a, b    float64
	ea, eb  []float64 // exp(-a n) and exp(-b n) by n

	l     [][]float64 // Cholesky factor of the kernel matrix, by row
	alpha []float64   // of the targets, once fit
	mean  float64     // of the targets
	scale float64     // their standard deviation

	v []float64 // scratch of predict
}

// distance is H and B of two schemes.
type distance struct{ layers, boundaries int32 }

func distanceOf(x, y Scheme) distance {
	var d distance
	for l := range x {
		if x[l] != y[l] {
			d.layers++
		}
		if l > 0 && (x[l] != x[l-1]) != (y[l] != y[l-1]) {
			d.boundaries++
		}
	}
	return d
}

// jitter is added to the diagonal: that much of the variance is noise.
const jitter = 1e-4

func (g *surrogate) kernel(d distance) float64 { return g.ea[d.layers] * g.eb[d.boundaries] }

// settle sets a and b, for schemes of so many layers.
func (g *surrogate) settle(a, b float64, layers int) {
	g.a, g.b, g.ea, g.eb = a, b, g.ea[:0], g.eb[:0]
	for n := range layers + 1 {
		g.ea = append(g.ea, math.Exp(-a*float64(n)))
		g.eb = append(g.eb, math.Exp(-b*float64(n)))
	}
	for i := range g.schemes {
		g.factor(i)
	}
}

// add appends a scheme, which must be new, and a row to the factor.
func (g *surrogate) add(sc Scheme) {
	row := make([]distance, len(g.schemes)+1)
	for i, other := range g.schemes {
		row[i] = distanceOf(sc, other)
	}
	g.schemes = append(g.schemes, sc)
	g.near = append(g.near, row)
	g.factor(len(g.schemes) - 1)
}

// factor computes row i of the factor from the rows before.
func (g *surrogate) factor(i int) {
	row := make([]float64, i+1)
	for j := range i {
		row[j] = g.kernel(g.near[i][j])
	}
	g.forward(row[:i])
	rest := 1 + jitter
	for _, v := range row[:i] {
		rest -= v * v
	}
	row[i] = math.Sqrt(max(rest, jitter/2)) // rounding must not make it negative
	g.l = append(g.l[:i], row)
}

// forward solves L x = v in place.
func (g *surrogate) forward(v []float64) {
	for i := range v {
		row, sum := g.l[i], v[i]
		for j, x := range v[:i] {
			sum -= row[j] * x
		}
		v[i] = sum / row[i]
	}
}

// fit takes the targets, one a scheme.
func (g *surrogate) fit(y []float64) {
	n := float64(len(y))
	g.mean, g.scale = 0, 0
	for _, v := range y {
		g.mean += v / n
	}
	for _, v := range y {
		g.scale += (v - g.mean) * (v - g.mean) / n
	}
	if g.scale = math.Sqrt(g.scale); g.scale == 0 {
		g.scale = 1
	}
	g.alpha = g.alpha[:0]
	for _, v := range y {
		g.alpha = append(g.alpha, (v-g.mean)/g.scale)
	}
	g.forward(g.alpha)
	for i := len(g.alpha) - 1; i >= 0; i-- { // and L' x = v
		x := g.alpha[i] / g.l[i][i]
		g.alpha[i] = x
		for j := range i {
			g.alpha[j] -= g.l[i][j] * x
		}
	}
}

// likelihood is the logarithm of the marginal likelihood of the targets, but for
// a constant.
func (g *surrogate) likelihood(y []float64) float64 {
	g.fit(y)
	sum := 0.0
	for i, v := range y {
		sum -= (v - g.mean) / g.scale * g.alpha[i] / 2
		sum -= math.Log(g.l[i][i])
	}
	return sum
}

// tune chooses a and b by the likelihood, from a grid.
func (g *surrogate) tune(y []float64) {
	best, a, b, layers := math.Inf(-1), 0.0, 0.0, len(g.schemes[0])
	grid := [...]float64{0.03, 0.1, 0.3, 1}
	for _, x := range grid {
		for _, z := range grid {
			g.settle(x, z, layers)
			if v := g.likelihood(y); v > best {
				best, a, b = v, x, z
			}
		}
	}
	g.settle(a, b, layers)
}

// predict returns the mean and the standard deviation of the target of a scheme.
func (g *surrogate) predict(sc Scheme) (mean, deviation float64) {
	g.v = g.v[:0]
	for i, other := range g.schemes {
		k := g.kernel(distanceOf(sc, other))
		g.v = append(g.v, k)
		mean += k * g.alpha[i]
	}
	g.forward(g.v)
	rest := 1.0
	for _, v := range g.v {
		rest -= v * v
	}
	return g.mean + g.scale*mean, g.scale * math.Sqrt(max(rest, 0))
}

// improvement is the expectation of max(0, y - best) for a normal y (Močkus,
// 1975; Jones, Schonlau and Welch, Journal of Global Optimization 13, 1998).
func improvement(mean, deviation, best float64) float64 {
	d := mean - best
	if deviation <= 0 {
		return max(0, d)
	}
	z := d / deviation
	return d*math.Erfc(-z/math.Sqrt2)/2 + deviation*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
}
