package sim

import (
	"math"
	"testing"
)

// Kendall's tau by hand: of the 6 pairs of 1 2 3 4 and 1 3 2 4, five agree and one does
// not; with ties, from the definition of tau-b.
func TestKendall(t *testing.T) {
	for _, tc := range []struct {
		x, y []float64
		tau  float64
		ok   bool
	}{
		{[]float64{1, 2, 3, 4}, []float64{1, 3, 2, 4}, 4.0 / 6, true},
		{[]float64{1, 2, 3}, []float64{30, 20, 10}, -1, true},
		{[]float64{1, 2, 3}, []float64{10, 20, 30}, 1, true},
		{[]float64{1, 1, 2}, []float64{1, 2, 3}, 2 / math.Sqrt(6), true},
		{[]float64{1, 1, 1}, []float64{1, 2, 3}, 0, false},
		{[]float64{1}, []float64{1}, 0, false},
		{nil, nil, 0, false},
	} {
		tau, ok := kendall(tc.x, tc.y)
		if math.Abs(tau-tc.tau) > 1e-12 || ok != tc.ok {
			t.Errorf("%v and %v: %v %v, want %v %v", tc.x, tc.y, tau, ok, tc.tau, tc.ok)
		}
	}
}

// Ranks: the best is 1, equals share a rank, and a scheme without a value has none.
func TestRank(t *testing.T) {
	at := func(v float64) *Level { return &Level{Value: v, Fitness: v} }
	l := Levels{Finalists: []Finalist{
		{ClosedForm: at(9), Simulated: at(5)}, {ClosedForm: at(8), Simulated: at(7)}, {ClosedForm: at(8), Simulated: at(7)}, {ClosedForm: at(7)},
	}}
	l.Rank()
	want := [][2]int{{1, 3}, {2, 1}, {2, 1}, {4, 0}}
	for i, f := range l.Finalists {
		simulated := 0
		if f.Simulated != nil {
			simulated = f.Simulated.Rank
		}
		if f.ClosedForm.Rank != want[i][0] || simulated != want[i][1] {
			t.Errorf("finalist %d has ranks %d and %d, want %v", i, f.ClosedForm.Rank, simulated, want[i])
		}
	}
	// 9 8 8 against 5 7 7: both pairs that are not ties go the other way.
	if len(l.Agreement) != 1 || l.Agreement[0] != (Agreement{"closed-form", "simulated", -1}) {
		t.Errorf("%+v", l.Agreement)
	}
}
