package rounds

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"stowage/workloads"
	"stowage/workloads/lookups"
)

// UGache's data set SYN: tables of equal size, a lookup each a sample.
const (
	synTables  = 100
	synRows    = 8_000_000 // a table
	synSamples = 8192      // a GPU and round
	synRow     = 128 * 4   // bytes
)

// zipfHits is the share of lookups that go to the n hottest rows of a table of the
// bounded Zipf generator of workloads/lookups.
func zipfHits(rows, alpha, n float64) float64 {
	a := alpha - 1
	return math.Expm1(-a*math.Log1p(n)) / math.Expm1(-a*math.Log1p(rows))
}

// hotness is the lookups that each row of a table gets in a profile, in groups of
// rows that are about equally hot.
type hotness struct {
	rows     []float64 // of the group
	share    []float64 // of lookups, of all rows of the group
	expected []float64 // lookups of one row of the group in the profile
}

func newHotness(rows, alpha, profiled float64) *hotness {
	h := &hotness{}
	for r := 0.0; r < rows; {
		next := min(rows, max(r+1, math.Floor(r*1.01)))
		share := zipfHits(rows, alpha, next) - zipfHits(rows, alpha, r)
		h.rows = append(h.rows, next-r)
		h.share = append(h.share, share)
		h.expected = append(h.expected, profiled*share/(next-r))
		r = next
	}
	return h
}

// seen returns how many rows a profile finds at least k times, and the share of
// lookups that go to them, both expected.
func (h *hotness) seen(k int) (rows, share float64) {
	for i, mean := range h.expected {
		p := poissonTail(mean, k)
		rows += p * h.rows[i]
		share += p * h.share[i]
	}
	return rows, share
}

// hits is the share of lookups that go to the n rows that were seen most often in
// the profile. Among equally often seen ones it is chance which count.
func (h *hotness) hits(n float64) float64 {
	enough, few := 0, 1<<24 // seen at least so often: n rows or more, fewer
	for few-enough > 1 {
		if k := (enough + few) / 2; rowsSeen(h, k) >= n {
			enough = k
		} else {
			few = k
		}
	}
	r0, s0 := h.seen(enough)
	r1, s1 := h.seen(few)
	if r0 <= r1 {
		return s1
	}
	return s1 + (s0-s1)*min(1, max(0, (n-r1)/(r0-r1)))
}

func rowsSeen(h *hotness, k int) float64 {
	rows, _ := h.seen(k)
	return rows
}

// poissonTail is P(X >= k) for a Poisson variable; beyond a mean of 200 by the
// normal distribution.
func poissonTail(mean float64, k int) float64 {
	if mean > 200 {
		return math.Erfc((float64(k)-0.5-mean)/math.Sqrt(2*mean)) / 2
	}
	if float64(k) > mean+40*math.Sqrt(mean)+40 {
		return 0
	}
	below, p := 0.0, math.Exp(-mean)
	for i := range k {
		below += p
		p *= mean / float64(i+1)
	}
	return max(0, 1-below)
}

func synStream(t *testing.T, batch int) lookups.Stream {
	tables := make([]workloads.Table, synTables)
	for i := range tables {
		tables[i] = workloads.Table{Name: strconv.Itoa(i), Rows: synRows, Dim: 128, Lookups: 1}
	}
	s, err := lookups.NewStream(tables, lookups.Spec{Generator: lookups.Zipf, Alpha: 1.2}, batch, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStaticHotSet caches the hottest rows of SYN for ever and counts hits in
// generated lookups. UGache measured 96.6, 96.4 and 98.0 % on hardware; a cache of
// truly hottest rows hits half a point more often.
func TestStaticHotSet(t *testing.T) {
	shares := []float64{0.073, 0.078, 0.262}
	want := []float64{0.970, 0.971, 0.987}
	s := synStream(t, synSamples)
	var keys []uint32
	var err error
	hits, all := make([]int, len(shares)), 0
	for range 5 {
		if keys, err = s.Next(keys); err != nil {
			t.Fatal(err)
		}
		all += len(keys)
		for _, k := range keys {
			rank := float64(k % synRows) // row = rank in every table
			for i, c := range shares {
				if rank < c*synRows {
					hits[i]++
				}
			}
		}
	}
	for i, c := range shares {
		got := float64(hits[i]) / float64(all)
		t.Logf("the hottest %.1f %% of rows serve %.2f %% of %d lookups, by the distribution %.2f %%",
			100*c, 100*got, all, 100*zipfHits(synRows, 1.2, c*synRows))
		if math.Abs(got-want[i]) > 0.001 || math.Abs(got-zipfHits(synRows, 1.2, c*synRows)) > 0.0005 {
			t.Errorf("the hottest %.1f %% of rows serve %.4f of lookups, want %.3f", 100*c, got, want[i])
		}
	}
}

// profiledSteps is how many steps UGache counts lookups in before it chooses rows:
// the artefact makes its data sets in units of 1000 steps (datagen/dlr/syn.py). The
// number is not in the logs; TestProfiledHotSet shows that they agree with it.
const profiledSteps = 1000

// TestProfiledHotSet explains that half a point. The rows that were seen most often
// in 1000 steps are not the truly hottest: rows of the tail are seen a few times
// only, and by chance. Nothing is fitted.
func TestProfiledHotSet(t *testing.T) {
	for _, c := range []struct {
		batch, share, measured float64 // global batch, rows in any GPU, 1 - "from CPU" of the log
	}{
		{32768, 0.078, 0.964}, // 4 x V100 16 GB
		{65536, 0.073, 0.966}, // 8 x V100 32 GB
		{65536, 0.262, 0.980}, // 8 x A100 80 GB
	} {
		got := newHotness(synRows, 1.2, profiledSteps*c.batch).hits(c.share * synRows)
		t.Logf("%.1f %% of rows after a profile of %d steps of %g: %.2f %% hits, measured %.1f %%",
			100*c.share, profiledSteps, c.batch, 100*got, 100*c.measured)
		if math.Abs(got-c.measured) > 0.001 {
			t.Errorf("%.1f %% of rows serve %.4f of lookups, measured %.3f", 100*c.share, got, c.measured)
		}
	}
}

// TestHotness compares hotness with a profile that is drawn.
func TestHotness(t *testing.T) {
	const rows, profiled, alpha = 4000, 20000, 1.2
	z := func(u float64) int { // inverse of zipfHits
		return min(rows-1, int(math.Expm1(-math.Log1p(u*math.Expm1(-(alpha-1)*math.Log1p(rows)))/(alpha-1))))
	}
	h := newHotness(rows, alpha, profiled)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{20, 200, 1000, 3000} {
		mean := 0.0
		const trials = 20
		for range trials {
			count := make([]int, rows)
			for range profiled {
				count[z(rng.Float64())]++
			}
			ranked := rng.Perm(rows) // ties in any order
			slices.SortStableFunc(ranked, func(a, b int) int { return count[b] - count[a] })
			for _, r := range ranked[:n] {
				mean += (zipfHits(rows, alpha, float64(r+1)) - zipfHits(rows, alpha, float64(r))) / trials
			}
		}
		if got := h.hits(float64(n)); math.Abs(got-mean) > 0.003 {
			t.Errorf("the %d most often seen rows serve %.4f, drawn profiles %.4f", n, got, mean)
		}
	}
}
