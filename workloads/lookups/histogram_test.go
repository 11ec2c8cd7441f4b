package lookups

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads"
)

// countsOf returns how often each touched row of a round is looked up, the most
// often first.
func countsOf(t testing.TB, s Stream) []uint32 {
	t.Helper()
	counts := slices.Clone(NewUniquer(s.Rows()).Unique(next(t, s)).Counts)
	slices.Sort(counts)
	slices.Reverse(counts)
	return counts
}

// reused returns a stream of one table that makes rounds of a histogram's batch,
// scaled down in rows and lookups to some number of lookups.
func reused(t testing.TB, h *Histogram, lookups int, rowsPerTouched float64) Stream {
	t.Helper()
	perSample := max(lookups/h.Samples, 1)
	rows := float64(perSample*h.Samples) / h.Dedup() * rowsPerTouched
	table := []workloads.Table{{Name: "t", Rows: int64(rows), Dim: 1, Lookups: perSample}}
	return stream(t, table, Spec{Generator: Reused, Histogram: h, Scatter: true}, h.Samples, 3)
}

// curve returns the share of the lookups that goes to the hottest share of the
// touched rows.
func curve(counts []uint32, share float64) float64 {
	n, all := int(math.Round(share*float64(len(counts)))), 0.0
	head := 0.0
	for i, c := range counts {
		if i == n {
			head = all
		}
		all += float64(c)
	}
	if n >= len(counts) {
		head = all
	}
	return head / all
}

// TestPublishedReuse: rounds have the published lookups per row within 2 %, and the
// published shares of rows, of lookups, and of the lookups of the hottest rows
// within one point, whatever the length of the tail.
func TestPublishedReuse(t *testing.T) {
	if raceDetector {
		t.Skip("millions of lookups")
	}
	for _, file := range []string{"locality_stats_2021.txt", "locality_stats_2022.txt"} {
		f, err := os.Open(sharedData(t, "lookups", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		hs, err := ReadHistograms(f, file)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"locality_stats_2021.txt": 17, "locality_stats_2022.txt": 16}[file]; len(hs) != want {
			t.Fatalf("%s: %d histograms, want %d", file, len(hs), want)
		}
		for i := range hs {
			if i > 1 && i < len(hs)-1 && (testing.Short() || i != 9) {
				continue // they are nearly alike
			}
			tails := []float64{2, 5, 100}
			if i > 0 {
				tails = tails[i%3:][:1]
			}
			for _, tail := range tails {
				checkReuse(t, &hs[i], countsOf(t, reused(t, &hs[i], 4e6, tail)), tail)
			}
		}
	}
}

func checkReuse(t *testing.T, h *Histogram, counts []uint32, tail float64) {
	t.Helper()
	lookups := 0.0
	for _, c := range counts {
		lookups += float64(c)
	}
	if got := lookups / float64(len(counts)); math.Abs(got/h.Dedup()-1) > 0.02 {
		t.Errorf("%s, tail %v: %.3f lookups per row, want %.3f", h.Name, tail, got, h.Dedup())
	}
	aboveRows, aboveLookups := 1.0, 1.0 // shares above the bin's start
	for _, b := range h.Bins {
		rows, n := 0.0, 0.0
		for _, c := range counts {
			if int64(c) > b.Above && (int64(c) <= b.UpTo || b.UpTo == 0) {
				rows++
				n += float64(c)
			}
		}
		if got := rows / float64(len(counts)); math.Abs(got-b.Rows) > 0.01 {
			t.Errorf("%s, tail %v, bin %d: %.4f of the rows, want %.4f", h.Name, tail, b.Above, got, b.Rows)
		}
		if got := n / lookups; math.Abs(got-b.Lookups) > 0.01 {
			t.Errorf("%s, tail %v, bin %d: %.4f of the lookups, want %.4f", h.Name, tail, b.Above, got, b.Lookups)
		}
		// Rounded shares of rows place the hottest few badly: below 1 % by 5 % of
		// themselves, which is more than a point of their lookups.
		if aboveRows > 0.01 {
			if got := curve(counts, aboveRows); math.Abs(got-aboveLookups) > 0.01 {
				t.Errorf("%s, tail %v: the hottest %.4f of the rows have %.4f of the lookups, want %.4f", h.Name, tail, aboveRows, got, aboveLookups)
			}
		}
		aboveRows -= b.Rows
		aboveLookups -= b.Lookups
	}
}

// TestPublishedCurves checks points of the published cumulative curves, as per cent.
func TestPublishedCurves(t *testing.T) {
	if raceDetector {
		t.Skip("millions of lookups")
	}
	for name, points := range map[string][][2]float64{
		"meta-2021": {{.8, 42.1}, {1.95, 49.4}, {5.15, 59.8}, {12.3, 71.9}, {23.5, 82.0}, {37.4, 88.8}, {52.6, 93.2}},
		"meta-2022": {{1.8, 52.0}, {4.7, 61.9}, {11.5, 73.9}, {22.7, 84.4}},
	} {
		h := NamedHistogram(name)
		for _, tail := range []float64{2, 20} {
			counts := countsOf(t, reused(t, h, 1<<22, tail))
			for _, p := range points {
				if got := 100 * curve(counts, p[0]/100); math.Abs(got-p[1]) > 1 {
					t.Errorf("%s, tail %v: the hottest %v %% have %.2f %% of the lookups, want %v", name, tail, p[0], got, p[1])
				}
			}
			ones := 0
			for _, c := range counts {
				if c == 1 {
					ones++
				}
			}
			if got := float64(ones) / float64(len(counts)); name == "meta-2021" && math.Abs(got-0.473) > 0.01 {
				t.Errorf("%s, tail %v: %.3f of the rows are touched once, want 0.473", name, tail, got)
			}
		}
	}
	for name, want := range map[string]float64{"meta-2021": 6.9, "meta-2021-split": 7.6, "meta-2022": 12.7} {
		h := NamedHistogram(name)
		if counts := countsOf(t, reused(t, h, 1<<21, 3)); math.Abs(float64(int(2<<20)/h.Samples*h.Samples)/float64(len(counts))/want-1) > 0.02 {
			t.Errorf("%s: %d rows in %d lookups, want a row in %v", name, len(counts), 2<<20, want)
		}
	}
}

// TestShippedHistograms: what is typed in is what the files say.
func TestShippedHistograms(t *testing.T) {
	if NamedHistogram("none") != nil || len(HistogramNames()) != 3 {
		t.Errorf("names %v", HistogramNames())
	}
	for name, from := range map[string][2]string{
		"meta-2021":       {"locality_stats_2021.txt", "fbgemm_t856_bs65536.pt"},
		"meta-2021-split": {"locality_stats_2021.txt", "fbgemm_t856_bs65536_0.pt"},
		"meta-2022":       {"locality_stats_2022.txt", "fbgemm_t788_bs131072_0.pt"},
	} {
		want, err := LoadHistogram(sharedData(t, "lookups", from[0]), from[1])
		if err != nil {
			t.Fatal(err)
		}
		want.Name = name
		if got := NamedHistogram(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
}

// TestPoisson: the approximation for many events meets the sum for few.
func TestPoisson(t *testing.T) {
	for k := 30.0; k < 110; k++ {
		p, at := math.Exp(-64.001), 0.0
		for i := 1.0; i <= k+1; i++ {
			at += p
			p *= 64.001 / i
		}
		if got := poisson(k, 64.001); math.Abs(got-at) > 1e-3 {
			t.Errorf("at most %v of 64: %v, want %v", k, got, at)
		}
		if got := poisson(k, 64); math.Abs(got-at) > 1e-4 {
			t.Errorf("at most %v of 64, summed: %v, want %v", k, got, at)
		}
	}
}

// TestReuseAcrossRounds: rounds share as many rows as independent draws from one
// popularity do, and the same rows are hot.
func TestReuseAcrossRounds(t *testing.T) {
	if raceDetector {
		t.Skip("millions of lookups")
	}
	h := NamedHistogram("meta-2021")
	for _, tail := range []float64{2, 10, 200} {
		s := reused(t, h, 1<<20, tail)
		first := map[uint32]bool{}
		for _, k := range next(t, s) {
			first[k] = true
		}
		second := NewUniquer(s.Rows()).Unique(next(t, s))
		both := 0
		for _, k := range second.Keys {
			if first[k] {
				both++
			}
		}
		p := s.(*generated).draws[0].popular
		want := 0.0
		for i, c := range p.classes {
			end := uint64(math.MaxUint64)
			if i+1 < len(p.classes) {
				end = p.classes[i+1].from
			}
			rate := float64(second.Lookups) * float64(end-c.from) * 0x1p-64 / float64(c.rows)
			want += float64(c.rows) * math.Pow(-math.Expm1(-rate), 2)
		}
		if math.Abs(float64(both)/want-1) > 0.02 {
			t.Errorf("tail %v: %d rows are in both rounds, want %.0f", tail, both, want)
		}
		rows := uint32(0)
		for _, c := range p.classes {
			rows += c.rows
		}
		if math.Abs(float64(rows)/float64(s.Rows())-1) > 0.01 {
			t.Errorf("tail %v: %d of %d rows have a popularity", tail, rows, s.Rows())
		}
	}
}

// TestReuseOfBatches: fewer samples find less to share, more samples more; without
// a batch of its own, a histogram is that of any.
func TestReuseOfBatches(t *testing.T) {
	if raceDetector {
		t.Skip("millions of lookups")
	}
	h := *NamedHistogram("meta-2021")
	perRow := func(batch int) float64 {
		table := []workloads.Table{{Name: "t", Rows: 2e6, Lookups: 16}}
		s := stream(t, table, Spec{Generator: Reused, Histogram: &h}, batch, 1)
		return float64(16*batch) / float64(len(countsOf(t, s)))
	}
	small, own, large := perRow(1024), perRow(65536), perRow(1<<18)
	if !(small < 3.5 && math.Abs(own/6.906-1) < 0.02 && large > 9) {
		t.Errorf("%.2f, %.2f and %.2f lookups per row", small, own, large)
	}
	h.Samples = 0
	if got := perRow(8192); math.Abs(got/6.906-1) > 0.02 {
		t.Errorf("%.2f lookups per row without a batch", got)
	}
}

// TestReuseOfSmallTables: tables with fewer rows than the histogram wants still take
// all lookups, in their rows, and more tables of one size are alike, not the same.
func TestReuseOfSmallTables(t *testing.T) {
	for _, rows := range []int64{1, 3, 1000, 100000} {
		table := []workloads.Table{{Name: "a", Rows: rows, Lookups: 4}, {Name: "b", Rows: rows, Lookups: 4}, {Name: "c", Rows: rows}}
		s := stream(t, table, Spec{Generator: Reused, Histogram: NamedHistogram("meta-2022"), Scatter: rows > 3}, 1<<14, 1)
		keys := next(t, s)
		for i, k := range keys {
			if table := int64(i / (4 << 14)); int64(k)/rows != table {
				t.Fatalf("%d rows: lookup %d is of row %d", rows, i, k)
			}
		}
		if rows == 1000 {
			if n := len(countsOf(t, s)); n < 1900 {
				t.Errorf("%d of 2000 rows are touched", n)
			}
		}
	}
}

// TestReuseTwin: inline histograms of any shape come out as they went in, when their
// counts are large, so that scatter does not matter.
func TestReuseTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &Histogram{Samples: 1 << 15, Name: "rapid"}
		total, at := 0.0, int64(1<<rapid.IntRange(4, 6).Draw(t, "first"))
		for range rapid.IntRange(1, 4).Draw(t, "bins") {
			b := Bin{Above: at, UpTo: at * 4, Rows: rapid.Float64Range(0.1, 1).Draw(t, "share")}
			at *= 4
			total += b.Rows
			h.Bins = append(h.Bins, b)
		}
		for i := range h.Bins {
			h.Bins[i].Rows /= total
		}
		table := []workloads.Table{{Name: "t", Rows: 1 << 20, Lookups: 32}}
		s, err := NewStream(table, Spec{Generator: Reused, Histogram: h}, h.Samples, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := s.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		r := NewUniquer(1 << 20).Unique(keys)
		if got := float64(len(keys)) / float64(len(r.Keys)); math.Abs(got/h.Dedup()-1) > 0.03 {
			t.Fatalf("%v: %.2f lookups per row, want %.2f", h.Bins, got, h.Dedup())
		}
		for _, b := range h.Bins {
			n := 0
			for _, c := range r.Counts {
				if int64(c) > b.Above && int64(c) <= b.UpTo {
					n++
				}
			}
			if got := float64(n) / float64(len(r.Keys)); math.Abs(got-b.Rows) > 0.05 {
				t.Fatalf("%v: %.3f of the rows in bin %d, want %.3f", h.Bins, got, b.Above, b.Rows)
			}
		}
	})
}

const histogramText = `small.pt
Locality stats after processing 1 batches of size 64
Avg # of indices: 300
Avg # of unique cols: 100
Avg col size: 3.0
Histogram of col sizes:
(0, 1]: 0.500
(1, 4]: 0.300
(4+: 0.200
[0, 1, 4]
['0.000', '0.500', '0.801', '1.000']
Ratio of index distribution at different column sizes:
(0, 1]: 0.167
(1, 4]: 0.250
(4+: 0.583
[0, 1, 4]
`

func TestReadHistograms(t *testing.T) {
	hs, err := ReadHistograms(strings.NewReader(histogramText+"\n\n"+strings.Replace(histogramText, "small", "other", 1)), "h.txt")
	want := []Histogram{{Name: "small.pt", Samples: 64, Lookups: 300, Rows: 100, Bins: []Bin{{0, 1, .5, .167}, {1, 4, .3005, .25}, {4, 0, .1995, .583}}}}
	want = append(want, want[0])
	want[1].Name = "other.pt"
	if err != nil || !reflect.DeepEqual(hs, want) {
		t.Fatalf("%+v, %v; want %+v", hs, err, want)
	}
	for _, test := range []struct{ from, to, want string }{
		{"(1, 4]: 0.300", "(1, 4]: 0.3x", `h.txt:8: "(1, 4]: 0.3x": not a bin: want "(low, high]: share"`},
		{"(1, 4]: 0.300", "(2, 4]: 0.300", "h.txt:14: \"(1, 4]: 0.250\": the bins of the lookups are not those of the rows"},
		{"(1, 4]: 0.250", "(1, 5]: 0.250", "h.txt:14: \"(1, 5]: 0.250\": the bins of the lookups are not those of the rows"},
		{"indices: 300", "indices: 3e9999", "h.txt:3: \"Avg # of indices: 3e9999\": not a number: invalid syntax"},
		{"indices: 300", "indices: 3000", "the bins allow"},
		{"indices: 300", "indices: 30", "at least as many lookups as rows"},
		{"(0, 1]: 0.500", "(0, 1]: 0.900", "the shares of rows must add up to 1"},
		{"(4+: 0.583", "(4+: 0.003", "the shares of lookups must add up to 1"},
		{"(4+: 0.583\n", "", "shares of lookups for 2 of its 3 bins"},
		{"batches of size 64", "batches", "batches of size N"},
		{"Histogram of col sizes:\n", "", `h.txt:6: "(0, 1]: 0.500": a bin before`},
		{"'0.801'", "'x'", "h.txt:11: \"['0.000', '0.500', 'x', '1.000']\": 'x' is not a cumulated share"},
		{"'0.801', ", "", "not the cumulated shares of 3 bins"},
		{"Avg col size", "Average col size", "h.txt:5: \"Average col size: 3.0\": not a line of locality statistics"},
		{histogramText, "\n", "h.txt: the file holds no histograms"},
		{histogramText, strings.Repeat("x", 5000), "longer than 4096 bytes"},
	} {
		text := strings.Replace(histogramText, test.from, test.to, 1)
		_, err := ReadHistograms(strings.NewReader(text), "h.txt")
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "h.txt") {
			t.Errorf("%q for %q: error\n%v, want …\n%s", test.to, test.from, err, test.want)
		}
	}
	path := t.TempDir() + "/h.txt"
	if err := os.WriteFile(path, []byte(histogramText), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "small.pt"} {
		if h, err := LoadHistogram(path, name); err != nil || h.Name != "small.pt" {
			t.Errorf("%q: %v, %v", name, h, err)
		}
	}
	if _, err := LoadHistogram(path, "smal.pt"); err == nil || !strings.Contains(err.Error(), `no histogram "smal.pt": want one of small.pt; did you mean small.pt?`) {
		t.Errorf("error %v", err)
	}
}

func TestHistogramErrors(t *testing.T) {
	ok := []Bin{{0, 1, .5, 0}, {1, 0, .5, 0}}
	for _, test := range []struct {
		h    *Histogram
		want string
	}{
		{nil, "histogram = none: the histogram generator wants one"},
		{&Histogram{}, "0 bins: want 1 to 64"},
		{&Histogram{Samples: -1, Bins: ok}, "-1: want the samples"},
		{&Histogram{Rows: 5, Bins: ok}, "want both"},
		{&Histogram{Bins: []Bin{{0, 1, .5, 0}, {2, 3, .5, 0}}}, "above 2, want 1"},
		{&Histogram{Bins: []Bin{{0, 0, .5, 0}, {0, 3, .5, 0}}}, "up to 0, want more than 0"},
		{&Histogram{Bins: []Bin{{0, 1 << 62, 1, 0}}}, "at most"},
		{&Histogram{Bins: []Bin{{0, 1, math.NaN(), 0}}}, "from 0 to 1"},
		{&Histogram{Bins: []Bin{{0, 1, .5, 0}}}, "must add up to 1"},
	} {
		_, err := NewStream(tables(4), Spec{Generator: Reused, Histogram: test.h}, 1, 0, 0)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want … %s …", test.h, err, test.want)
		}
	}
	if err := (Spec{Generator: Uniform, Histogram: &Histogram{Name: "x", Bins: ok}}).Validate(); err == nil || !strings.Contains(err.Error(), `histogram = "x": only the generator histogram takes it`) {
		t.Errorf("error %v", err)
	}
}

// FuzzHistograms: any bytes are histograms that draw, or an error that names the
// file.
func FuzzHistograms(f *testing.F) {
	f.Add([]byte(histogramText))
	f.Add([]byte("x\nHistogram of col sizes:\n(0, 1000000]: 1\n"))
	f.Add([]byte("x\nHistogram of col sizes:\n(0+: 1\n\ny\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		hs, err := ReadHistograms(bytes.NewReader(in), "fuzz.in")
		if err != nil {
			if !strings.Contains(err.Error(), "fuzz.in") {
				t.Fatalf("error without the file's name: %v", err)
			}
			return
		}
		for i := range hs[:min(len(hs), 2)] {
			s, err := NewStream(tables(100), Spec{Generator: Reused, Histogram: &hs[i]}, 50, 1, 0)
			if err != nil {
				t.Fatalf("%+v was read, but %v", hs[i], err)
			}
			for _, k := range next(t, s) {
				if k >= 100 {
					t.Fatal(fmt.Sprint("row ", k))
				}
			}
		}
	})
}
