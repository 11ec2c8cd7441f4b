package hw

import (
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"stowage/hw/unit"
)

// sample is a measured all-reduce.
type sample struct {
	ranks          int
	bytes, seconds float64
}

// measured reads the tables of 2 to 8 ranks: the mean of out of place and in place.
func measured(t *testing.T, folder string) (all []sample) {
	t.Helper()
	for n := 2; n <= 8; n++ {
		text := dataFile(t, fmt.Sprintf("vtrain/allreduce/%s/AR_GPU%d_1M_1024M_LUT", folder, n))
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		number := func(s string) float64 {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for _, r := range rows[1:] {
			all = append(all, sample{n, number(r[0]), (number(r[3]) + number(r[5])) / 2 * 1e-9})
		}
	}
	return all
}

// fit solves for the numbers that make the sum of squares of relative errors least:
// terms(sample) times the numbers is the time.
func fit(samples []sample, terms func(sample) []float64) []float64 {
	k := len(terms(samples[0]))
	scale := make([]float64, k)
	var rows [][]float64
	for _, s := range samples {
		row := terms(s)
		for i := range row {
			row[i] /= s.seconds
			scale[i] = max(scale[i], math.Abs(row[i]))
		}
		rows = append(rows, row)
	}
	a := make([][]float64, k) // normal equations, scaled, with the right side
	for i := range a {
		a[i] = make([]float64, k+1)
	}
	for _, row := range rows {
		for i := range row {
			for j := range row {
				a[i][j] += row[i] / scale[i] * row[j] / scale[j]
			}
			a[i][k] += row[i] / scale[i]
		}
	}
	for i := range k { // Gauss and Jordan; the matrix is positive definite
		for r := range k {
			if r == i {
				continue
			}
			by := a[r][i] / a[i][i]
			for c := i; c <= k; c++ {
				a[r][c] -= by * a[i][c]
			}
		}
	}
	x := make([]float64, k)
	for i := range x {
		x[i] = a[i][k] / a[i][i] / scale[i]
	}
	return x
}

// The shipped numbers are the fit that their file describes, and these are the mean
// relative errors of the formula over the tables.
func TestMeasuredAllReduces(t *testing.T) {
	ring := func(s sample) float64 { n := float64(s.ranks); return 2 * (n - 1) / n * s.bytes }
	tests := []struct {
		name, folder string
		fitted       func(s sample) bool
		terms        func(s sample) []float64
		numbers      func(a *AllReduce) []float64
		most         float64 // mean relative error over all of the table
		small        float64 // and up to 16 MiB
	}{
		{
			"nccl-a100-nvswitch", "a100",
			func(s sample) bool { return s.ranks == 2 || s.ranks == 8 },
			func(s sample) []float64 { return []float64{1, float64(2 * (s.ranks - 1)), ring(s), s.bytes} },
			func(a *AllReduce) []float64 {
				return []float64{a.Base, a.Step, 1 / float64(a.Bandwidth[0]), 1 / float64(a.Local)}
			},
			0.017, 0.075,
		},
		{
			"nccl-v100-cube-mesh", "v100",
			func(sample) bool { return true },
			func(s sample) []float64 {
				row := make([]float64, 9)
				row[0], row[1], row[s.ranks] = 1, float64(2*(s.ranks-1)), ring(s)
				return row
			},
			func(a *AllReduce) []float64 {
				x := []float64{a.Base, a.Step}
				for _, b := range a.Bandwidth {
					x = append(x, 1/float64(b))
				}
				return x
			},
			0.005, 0.07,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			samples := measured(t, test.folder)
			a := find(load().collectives, test.name, func(a *AllReduce) string { return a.Name })
			var fitted []sample
			var sum, predicted, small float64
			var others, smalls int
			for _, s := range samples {
				got, ok := a.Seconds(s.bytes, s.ranks)
				if !ok {
					t.Fatalf("%d ranks: no formula", s.ranks)
				}
				off := math.Abs(got/s.seconds - 1)
				sum += off
				if test.fitted(s) {
					fitted = append(fitted, s)
				} else {
					predicted, others = predicted+off, others+1
				}
				if s.bytes <= 16<<20 {
					small, smalls = small+off, smalls+1
				}
			}
			want := fit(fitted, test.terms)
			for i, got := range test.numbers(a) {
				if math.Abs(got/want[i]-1) > 0.01 {
					t.Errorf("number %d is %g, the fit says %g", i, got, want[i])
				}
			}
			mean, few := sum/float64(len(samples)), small/float64(smalls)
			t.Logf("%d times, mean error %.4f; up to 16 MiB %.4f; of %d predicted %.4f", len(samples), mean, few, others, predicted/float64(max(1, others)))
			if mean > test.most || few > test.small {
				t.Errorf("mean error %.4f, up to 16 MiB %.4f: more than %g and %g", mean, few, test.most, test.small)
			}
			if others > 0 && predicted/float64(others) > test.most {
				t.Errorf("counts of ranks that were not fitted are %.4f off", predicted/float64(others))
			}
		})
	}
}

func TestAllReduceSeconds(t *testing.T) {
	a := AllReduce{Base: 1, Step: 0.5, Bandwidth: unitRates(4, 8), Local: 2}
	test := func(bytes float64, n int, want float64, wantOK bool) {
		t.Helper()
		if got, ok := a.Seconds(bytes, n); math.Abs(got-want) > 1e-12 || ok != wantOK {
			t.Errorf("Seconds(%g, %d) = %g, %v, want %g, %v", bytes, n, got, ok, want, wantOK)
		}
	}
	test(8, 1, 0, true)
	test(8, 2, 1+1+8./4+4, true)
	test(8, 3, 1+2+4./3*8/8+4, true)
	test(8, 4, 0, false)
	test(8, 0, 0, false)
	a.Bandwidth, a.Local = unitRates(4), 0
	test(8, 4, 1+3+1.5*8/4, true)
	if got := a.Ranks(); got != 0 {
		t.Errorf("one bandwidth is for any count of ranks, not for %d", got)
	}
	if _, err := AllReduceOf("t4"); err == nil {
		t.Error("no all-reduce of t4 was measured")
	}
}

func unitRates(of ...float64) (rates []unit.Rate) {
	for _, r := range of {
		rates = append(rates, unit.Rate(r))
	}
	return rates
}
