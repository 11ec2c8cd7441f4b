package rounds

import (
	"math"
	"slices"
	"testing"
)

// minimize returns the point near x where f is least, and f there, by the simplex
// method (Nelder and Mead, 1965), begun anew from its result until that no longer
// helps. It draws nothing at random.
func minimize(f func(x []float64) float64, x []float64, step float64) ([]float64, float64) {
	best, least := x, f(x)
	for range 20 {
		x, fx := simplex(f, best, step)
		if fx > least-1e-10 {
			break
		}
		best, least = x, fx
	}
	return best, least
}

type vertex struct {
	x  []float64
	fx float64
}

func simplex(f func([]float64) float64, x []float64, step float64) ([]float64, float64) {
	n := len(x)
	v := make([]vertex, n+1)
	for i := range v {
		y := slices.Clone(x)
		if i < n {
			y[i] += step
		}
		v[i] = vertex{y, f(y)}
	}
	centre := make([]float64, n)
	for range 2000 * n {
		slices.SortStableFunc(v, func(a, b vertex) int {
			switch {
			case a.fx < b.fx:
				return -1
			case a.fx > b.fx:
				return 1
			}
			return 0
		})
		if v[n].fx-v[0].fx < 1e-13 {
			break
		}
		for j := range centre {
			centre[j] = 0
			for _, p := range v[:n] {
				centre[j] += p.x[j] / float64(n)
			}
		}
		along := func(t float64) vertex {
			y := make([]float64, n)
			for j := range y {
				y[j] = centre[j] + t*(v[n].x[j]-centre[j])
			}
			return vertex{y, f(y)}
		}
		r := along(-1)
		switch {
		case r.fx < v[0].fx:
			if e := along(-2); e.fx < r.fx {
				r = e
			}
			v[n] = r
		case r.fx < v[n-1].fx:
			v[n] = r
		default:
			inner := along(0.5)
			if r.fx < v[n].fx {
				inner = along(-0.5)
			}
			if inner.fx < min(r.fx, v[n].fx) {
				v[n] = inner
				continue
			}
			for i := range v[1:] {
				for j := range v[i+1].x {
					v[i+1].x[j] = (v[i+1].x[j] + v[0].x[j]) / 2
				}
				v[i+1].fx = f(v[i+1].x)
			}
		}
	}
	return v[0].x, v[0].fx
}

func TestMinimize(t *testing.T) {
	rosenbrock := func(x []float64) float64 {
		return math.Pow(1-x[0], 2) + 100*math.Pow(x[1]-x[0]*x[0], 2)
	}
	x, fx := minimize(rosenbrock, []float64{-1.2, 1}, 0.5)
	if fx > 1e-9 || math.Abs(x[0]-1) > 1e-3 || math.Abs(x[1]-1) > 1e-3 {
		t.Errorf("the minimum is %g at %v, want 0 at [1 1]", fx, x)
	}
	bowl := func(x []float64) (s float64) {
		for i := range x {
			s += math.Pow(x[i]-float64(i), 2)
		}
		return s
	}
	if x, fx := minimize(bowl, make([]float64, 8), 1); fx > 1e-9 {
		t.Errorf("the minimum is %g at %v, want 0 at [0 … 7]", fx, x)
	}
}
