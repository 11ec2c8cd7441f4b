package placement

import (
	"errors"
	"math"
	"testing"
)

// TestTables: where few devices make many partial routes as good as each other, a chain
// of 200 layers is solved for good; labels alone did not end in minutes.
func TestTables(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds")
	}
	for _, objective := range []Objective{Throughput, Cost} {
		s := jagged(t, 200, 8)
		s.Objective = objective
		if out := mustSearch(t, "exact", mustProblem(t, s), Options{}); out.Gap != 0 || out.Stopped != "" {
			t.Errorf("%s: %v with a gap of %v %%, %s", objective, out.Fitness, out.Gap, out.Certificate)
		}
	}
}

// TestTablesEqualLabels: both find routes of the same price, or none, for any step time
// and any cap.
func TestTablesEqualLabels(t *testing.T) {
	defer func(was int) { countsPerComparison = was }(countsPerComparison)
	found, none := 0, 0
	for _, devices := range []int{1, 3, 7} {
		p := mustProblem(t, jagged(t, 24, devices))
		r := newRelaxation(p, ClosedForm)
		o := newRouter(t.Context(), r, func() error { return nil })
		if o.tables == nil {
			t.Fatalf("no tables for %d devices", devices)
		}
		for _, cap := range []float64{math.Inf(1), o.top / 2, o.top / 4} {
			for time := r.shortest(); time < 40*r.shortest(); time *= 1.07 {
				var price [2]float64
				for i, counts := range []int{1 << 60, 1} {
					countsPerComparison = counts
					price[i] = math.Inf(1)
					if rt, err := o.cheapest(time, cap, false); err == nil {
						price[i] = rt.price
					} else if !errors.Is(err, errNone) {
						t.Fatal(err)
					}
				}
				if math.IsInf(price[0], 1) != math.IsInf(price[1], 1) || math.Abs(price[0]-price[1]) > 1e-9 {
					t.Fatalf("%d devices, %v s, cap %v: %v by tables, %v by labels", devices, time, cap, price[0], price[1])
				}
				if math.IsInf(price[0], 1) {
					none++
				} else {
					found++
				}
			}
		}
		if o.tables.after == nil {
			t.Errorf("%d devices: bounds settled everything", devices)
		}
	}
	if found < 10 || none < 10 {
		t.Errorf("%d routes found, %d times none: too few to tell", found, none)
	}
}
