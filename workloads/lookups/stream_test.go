package lookups

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"stowage/workloads"
)

func tables(rows ...int64) []workloads.Table {
	var out []workloads.Table
	for i, r := range rows {
		out = append(out, workloads.Table{Name: fmt.Sprint("t", i), Rows: r, Dim: 16, Lookups: 1})
	}
	return out
}

func stream(t testing.TB, tables []workloads.Table, spec Spec, batch int, seed uint64) Stream {
	t.Helper()
	s, err := NewStream(tables, spec, batch, seed, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func next(t testing.TB, s Stream) []uint32 {
	t.Helper()
	keys, err := s.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestZipfUnique checks the unique keys per batch of the published generator:
// Zipf(1.2) over 8 000 000 rows (UGache's SYN configuration).
func TestZipfUnique(t *testing.T) {
	const lookups = 1 << 20 // per batch size, so that the mean is good to 0.3 %
	for batch, want := range map[int]float64{1024: 441, 4096: 1366, 8192: 2395, 32768: 7313, 65536: 12720, 262144: 38036} {
		s := stream(t, tables(8e6), Spec{Generator: Zipf, Alpha: 1.2}, batch, 7)
		rounds := lookups / batch
		trace, err := Record(s, rounds, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := float64(trace.Keys()) / float64(rounds)
		if math.Abs(got/want-1) > 0.01 {
			t.Errorf("batch %d: %.1f unique keys per round, want %.0f within 1 %%", batch, got, want)
		}
	}
}

// TestZipfHead: the hottest 7.3 % of the rows take 97.0 % of the lookups.
func TestZipfHead(t *testing.T) {
	const rows = 8e6
	s := stream(t, tables(rows), Spec{Generator: Zipf, Alpha: 1.2}, 1<<20, 1)
	hot := 0
	for _, k := range next(t, s) {
		if float64(k) < 0.073*rows {
			hot++
		}
	}
	if share := float64(hot) / (1 << 20); math.Abs(share-0.970) > 0.001 {
		t.Errorf("the hottest 7.3 %% of the rows take %.4f of the lookups, want 0.970", share)
	}
}

// TestShape compares counts with the probabilities of the closed form, by
// chi-square with 49 degrees of freedom: 99.99 % lie in [17, 96].
func TestShape(t *testing.T) {
	const rows, draws = 50, 200000
	for _, alpha := range []float64{0, 1e-9, 0.5, 1 - 1e-13, 1, 1 + 1e-9, 1.2, 2, 3} {
		spec := Spec{Generator: Zipf, Alpha: alpha}
		cdf := func(x float64) float64 {
			if math.Abs(alpha-1) < 1e-7 {
				return math.Log(x) / math.Log(rows+1)
			}
			return (1 - math.Pow(x, 1-alpha)) / (1 - math.Pow(rows+1, 1-alpha))
		}
		checkShape(t, spec, rows, draws, func(r int) float64 { return cdf(float64(r+2)) - cdf(float64(r+1)) })
	}
	checkShape(t, Spec{Generator: Uniform}, rows, draws, func(int) float64 { return 1. / rows })
}

func checkShape(t *testing.T, spec Spec, rows int64, draws int, p func(int) float64) {
	t.Helper()
	counts := make([]int, rows)
	for _, k := range next(t, stream(t, tables(rows), spec, draws, 3)) {
		counts[k]++
	}
	chi := 0.0
	for r, n := range counts {
		want := p(r) * float64(draws)
		chi += (float64(n) - want) * (float64(n) - want) / want
	}
	if chi < 17 || chi > 96 {
		t.Errorf("%+v: chi-square %.1f, want 17 to 96", spec, chi)
	}
}

// TestZipfGuide: the guide table answers what the formula does.
func TestZipfGuide(t *testing.T) {
	for _, n := range []uint32{1, 2, 3, 1000, 8e6, MaxRows} {
		for _, alpha := range []float64{0.3, 1, 1.2, 4, 40} {
			z := newZipf(n, alpha)
			direct := 0
			for i := range uint64(1 << 16) {
				x := i<<48 | i*0x9e3779b9
				got, want := z.rank(x), z.inverse(float64(x>>11)*0x1p-53)
				if got != want {
					t.Fatalf("n %d, alpha %v, draw %#x: rank %d, want %d", n, alpha, x, got, want)
				}
				if got >= n {
					t.Fatalf("n %d, alpha %v, draw %#x: rank %d", n, alpha, x, got)
				}
				if z.direct[x>>(64-zipfCellBits)] != mixedCell {
					direct++
				}
			}
			if n > 1e6 && alpha == 1.2 && direct < 1<<15 {
				t.Errorf("n %d, alpha %v: the guide answers only %d of 65536", n, alpha, direct)
			}
			if top := z.rank(math.MaxUint64); top >= n {
				t.Errorf("n %d, alpha %v: the last draw gives rank %d", n, alpha, top)
			}
		}
	}
}

func TestScatterIsABijection(t *testing.T) {
	sizes := []uint32{1 << 16, 1<<16 + 1, 1e6}
	for n := range uint32(300) {
		sizes = append(sizes, n+1)
	}
	for _, n := range sizes {
		s := newScatter(n)
		seen := make([]bool, n)
		near := 0 // ranks whose row is next to that of the rank before
		for rank := range n {
			row := s.row(rank)
			if row >= n || seen[row] {
				t.Fatalf("%d rows: rank %d gets row %d, out of range or taken", n, rank, row)
			}
			seen[row] = true
			if rank > 0 && (row-s.row(rank-1)+1) <= 2 {
				near++
			}
		}
		// A random order has two such ranks on average, whatever n is.
		if n >= 100 && near > 20 {
			t.Errorf("%d rows: %d ranks lie next to the one before", n, near)
		}
	}
	for _, n := range []uint32{MaxRows, 1<<31 + 1} { // too many to list, not to draw
		s := newScatter(n)
		for rank := range uint32(1000) {
			if row := s.row(n - 1 - rank); row >= n {
				t.Errorf("%d rows: row %d", n, row)
			}
		}
	}
}

// TestScatterKeepsCounts: scattered lookups are the same lookups, renamed.
func TestScatterKeepsCounts(t *testing.T) {
	plain := next(t, stream(t, tables(1000), Spec{Generator: Zipf, Alpha: 1.1}, 5000, 5))
	moved := next(t, stream(t, tables(1000), Spec{Generator: Zipf, Alpha: 1.1, Scatter: true}, 5000, 5))
	s := newScatter(1000)
	for i := range plain {
		if moved[i] != s.row(plain[i]) {
			t.Fatalf("lookup %d: row %d, want that of rank %d", i, moved[i], plain[i])
		}
	}
}

// TestDrift: the hot set is the window the page says, round after round, and it
// takes its share of the lookups.
func TestDrift(t *testing.T) {
	const rows, batch, share = 1000, 20000, 0.8
	spec := Spec{Generator: Drifting, Alpha: 0.9, Drift: Drift{Rows: 0.05, Lookups: share, Move: 7}}
	s := stream(t, tables(rows), spec, batch, 11)
	for round := range 200 { // the window goes round the table once and a half
		keys := next(t, s)
		if round%23 != 0 {
			continue
		}
		start := round * 7
		hot, hottest := 0, map[uint32]int{}
		for _, k := range keys {
			if (int(k)-start%rows+rows)%rows < 50 {
				hot++
				hottest[k]++
			}
		}
		if got := float64(hot) / batch; math.Abs(got-share) > 0.017 { // 6 sigma
			t.Errorf("round %d: %.4f of the lookups are hot, want %v", round, got, share)
		}
		// Rank 0 is the row of the window whose virtual number divides by 50.
		want := uint32((start + 49) / 50 * 50 % rows)
		for k, n := range hottest {
			if n > hottest[want] {
				t.Errorf("round %d: row %d is hotter than row %d", round, k, want)
			}
		}
	}
}

// TestDriftEdges: everything hot, nothing hot, and a move beyond the hot set.
func TestDriftEdges(t *testing.T) {
	for _, d := range []Drift{{Rows: 1, Lookups: 0}, {Rows: 1, Lookups: 1, Move: 1 << 62}, {Rows: 1e-9, Lookups: 1}, {Rows: 0.5, Lookups: 0, Move: 3}} {
		s := stream(t, tables(10), Spec{Generator: Drifting, Drift: d}, 1000, 1)
		for round := range 3 {
			seen := map[uint32]bool{}
			for _, k := range next(t, s) {
				if k >= 10 {
					t.Fatalf("%+v: key %d", d, k)
				}
				seen[k] = true
			}
			want := 10
			switch {
			case d.Rows == 1e-9:
				want = 1 // one row is hot at least, and it takes all
			case d.Rows == 0.5:
				want = 5 // the cold half takes all
			}
			if len(seen) != want {
				t.Errorf("%+v, round %d: %d rows are looked up, want %d", d, round, len(seen), want)
			}
		}
	}
}

// TestTablesAreIndependent: a table's lookups do not depend on the other tables,
// and differ between seeds, streams and tables.
func TestTablesAreIndependent(t *testing.T) {
	spec := Spec{Generator: Zipf, Alpha: 1.05}
	two := tables(1000, 500)
	two[1].Lookups = 3
	three := append([]workloads.Table{{Name: "new", Rows: 77, Lookups: 2}}, two...)
	a, b := stream(t, two, spec, 64, 9), stream(t, three, spec, 64, 9)
	for range 3 {
		x, y := next(t, a), next(t, b)
		if len(x) != 64*4 || len(y) != 64*6 {
			t.Fatalf("%d and %d lookups, want %d and %d", len(x), len(y), 64*4, 64*6)
		}
		for i := range x {
			if x[i]+77 != y[i+128] {
				t.Fatalf("lookup %d: row %d, with another table before %d", i, x[i], y[i+128]-77)
			}
		}
		for _, k := range x[64:] {
			if k < 1000 || k >= 1500 {
				t.Fatalf("key %d of the second table", k)
			}
		}
	}
	same := func(name string, seed, id uint64) bool {
		s, err := NewStream([]workloads.Table{{Name: name, Rows: 1000, Lookups: 1}}, spec, 64, seed, id)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(next(t, s), next(t, stream(t, tables(1000), spec, 64, 9)))
	}
	if !same("t0", 9, 0) {
		t.Error("the same seed, stream and table give other lookups")
	}
	for _, differs := range []bool{same("t0", 10, 0), same("t0", 9, 1), same("t1", 9, 0)} {
		if differs {
			t.Error("another seed, stream or table gives the same lookups")
		}
	}
	twins := []workloads.Table{{Name: "t", Rows: 1000, Lookups: 1}, {Name: "t", Rows: 1000, Lookups: 1}}
	k := next(t, stream(t, twins, Spec{Generator: Uniform}, 8, 1))
	if k[0] == k[8]-1000 && k[1] == k[9]-1000 && k[2] == k[10]-1000 {
		t.Error("two tables of one name draw the same rows")
	}
}

func TestTraceStream(t *testing.T) {
	spec := Spec{Generator: Traced, Keys: []uint32{0, 1, 2, 3, 4}}
	s := stream(t, tables(3, 2), spec, 1, 0)
	var got [][]uint32
	var buf []uint32
	for {
		var err error
		if buf, err = s.Next(buf); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, slices.Clone(buf))
	}
	if want := "[[0 1] [2 3] [4]]"; fmt.Sprint(got) != want {
		t.Errorf("rounds %v, want %s", got, want)
	}
	spec.Wrap = true
	s = stream(t, tables(3, 2), spec, 4, 0) // longer than the trace
	if got, want := fmt.Sprint(next(t, s), next(t, s)), "[0 1 2 3 4 0 1 2] [3 4 0 1 2 3 4 0]"; got != want {
		t.Errorf("wrapped rounds %s, want %s", got, want)
	}
}

func TestStreamErrors(t *testing.T) {
	good := Spec{Generator: Uniform}
	for _, test := range []struct {
		tables []workloads.Table
		spec   Spec
		batch  int
		want   string
	}{
		{tables(4), good, 0, "batch = 0: want at least 1"},
		{nil, good, 1, "no tables"},
		{tables(4, 0), good, 1, "table t1: rows = 0: want at least 1"},
		{tables(1<<31, 1<<31), good, 1, "table t1: rows = 2147483648: want at least 1, and at most 4294967295"},
		{[]workloads.Table{{Rows: 5}}, good, 1, "no table of the layer has lookups"},
		{[]workloads.Table{{Rows: 5, Lookups: -1}}, good, 1, "table 0: -1 lookups"},
		{[]workloads.Table{{Rows: 5, Lookups: 1 << 20}}, good, 1 << 11, "at most 1073741824 lookups per round"},
		{tables(4), Spec{Generator: Traced, Keys: []uint32{3, 4}}, 1, "key 1 of the trace is not below the 4 rows"},
		{tables(4), Spec{Generator: "zipff"}, 1, `generator = "zipff": want one of uniform, zipf, drift, trace, histogram; did you mean zipf?`},
		{tables(4), Spec{Generator: Zipf, Alpha: -1}, 1, "alpha = -1: want a finite number >= 0"},
		{tables(4), Spec{Generator: Zipf, Alpha: math.NaN()}, 1, "alpha = NaN: want"},
		{tables(4), Spec{Generator: Zipf, Alpha: math.Inf(1)}, 1, "alpha = +Inf: want"},
		{tables(4), Spec{Generator: Uniform, Alpha: 1}, 1, "alpha = 1: only the generators zipf and drift"},
		{tables(4), Spec{Generator: Zipf, Drift: Drift{Rows: 1}}, 1, "only the generator drift"},
		{tables(4), Spec{Generator: Uniform, Scatter: true}, 1, "scatter = true: only"},
		{tables(4), Spec{Generator: Zipf, Wrap: true}, 1, "wrap = true: only the generator trace"},
		{tables(4), Spec{Generator: Zipf, Keys: []uint32{1}}, 1, "keys = 1 keys: only the generator trace"},
		{tables(4), Spec{Generator: Traced}, 1, "keys = none"},
		{tables(4), Spec{Generator: Drifting}, 1, "drift.rows = 0: want the share"},
		{tables(4), Spec{Generator: Drifting, Drift: Drift{Rows: 1.5}}, 1, "drift.rows = 1.5"},
		{tables(4), Spec{Generator: Drifting, Drift: Drift{Rows: 1, Lookups: math.NaN()}}, 1, "drift.lookups = NaN"},
		{tables(4), Spec{Generator: Drifting, Drift: Drift{Rows: 1, Move: -1}}, 1, "drift.move = -1"},
	} {
		_, err := NewStream(test.tables, test.spec, test.batch, 0, 0)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v, batch %d: error %v, want … %s …", test.spec, test.batch, err, test.want)
		}
	}
}
