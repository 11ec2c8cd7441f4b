package slots

import (
	"fmt"
	"math"
	"sort"

	"stowage/workloads"
	"stowage/workloads/lookups"
)

// OffloadStats are the arguments of EmbeddingOffloadStats in TorchRec's planner
// (torchrec/distributed/planner/shard_estimators.py), by which it sizes the
// device's cache of a table that lies in host memory. The JSON names are the
// constructor's; there, mrc_hist_counts is a tensor.
type OffloadStats struct {
	// Cacheability is the area under the miss-ratio curve: the mean miss ratio over
	// the cache sizes 1 to Height, of lookups that hit in a cache of all rows. 0 is
	// easy to cache, 1 is hard.
	Cacheability float64 `json:"cacheability"`

	// ExpectedLookups is the mean number of distinct rows per global batch.
	ExpectedLookups float64 `json:"expected_lookups"`

	// MRCHistCounts are the distinct rows per batch, summed over the batches, by
	// the size of LRU cache from which on they hit: bin i of n counts those that
	// are found behind i/n to (i+1)/n of Height other rows, the lower bound
	// included. First uses of a row are in no bin: the planner takes the sum for
	// all lookups, and a cache of all rows to miss none.
	MRCHistCounts []int64 `json:"mrc_hist_counts"`

	// Height is the number of rows of the table.
	Height int64 `json:"height"`
}

// TableOffload is what TorchRec's planner wants to know about one table.
type TableOffload struct {
	Table   string       `json:"table"`
	Batches int          `json:"batches"` // counted
	Cold    int64        `json:"cold"`    // distinct rows per batch, summed, that were used for the first time: in no bin
	Stats   OffloadStats `json:"stats"`
}

// maxBins bounds the bins of a histogram.
const maxBins = 1 << 20

// Offload measures the lookups of a layer table by table, for TorchRec's planner:
// each table as if it had a cache of its own. A round of the trace is a global batch,
// and tables are the layer's, whose rows are numbered through. bins is the
// number of bins of the histograms, evenly spaced from no row to all. The first
// warmup rounds fill the caches but are not counted.
func Offload(trace *lookups.Trace, tables []workloads.Table, bins, warmup int) ([]TableOffload, error) {
	if warmup < 0 || warmup >= trace.Rounds() {
		return nil, fmt.Errorf("warm-up = %d rounds: want 0 to %d, the trace has %d", warmup, trace.Rounds()-1, trace.Rounds())
	}
	m, err := NewOffloadMeter(tables, bins, warmup)
	if err != nil {
		return nil, err
	}
	if rows := m.Rows(); rows != trace.Rows() {
		return nil, fmt.Errorf("the trace has keys below %d, the tables have %d rows together: give the tables that the trace was made of", trace.Rows(), rows)
	}
	for r := range trace.Rounds() {
		m.Add(trace.Round(r))
	}
	return m.Tables()
}

// OffloadMeter is Offload for rounds that come one by one. Memory is bounded by the
// rows, whatever the number of rounds: about 5 bytes a row and 4 to 8 a distinct row.
type OffloadMeter struct {
	tables   []workloads.Table
	split    *tableSplit
	measured []*RoundDistances
	bins     int
	warmup   int
	rounds   int
}

// NewOffloadMeter returns the state before the first round; see Offload.
func NewOffloadMeter(tables []workloads.Table, bins, warmup int) (*OffloadMeter, error) {
	if bins < 1 || bins > maxBins {
		return nil, fmt.Errorf("bins = %d: want 1 to %d", bins, maxBins)
	}
	m := &OffloadMeter{tables: tables, split: newTableSplit(tables), bins: bins, warmup: warmup}
	for _, t := range tables {
		d, err := NewRoundDistances(t.Rows, warmup)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.Name, err)
		}
		m.measured = append(m.measured, d)
	}
	return m, nil
}

// Rows returns the rows of all tables together: all keys are below.
func (m *OffloadMeter) Rows() int64 { return m.split.rows() }

// Add measures the next round.
func (m *OffloadMeter) Add(r lookups.Round) {
	for i, part := range m.split.round(r) {
		m.measured[i].Add(part)
	}
	m.rounds++
}

// Tables returns the statistics of the rounds so far. Without a round after the warm-up
// there are none, which is an error.
func (m *OffloadMeter) Tables() ([]TableOffload, error) {
	if m.rounds <= m.warmup {
		return nil, fmt.Errorf("warm-up = %d rounds: there were %d, and none is left to count", m.warmup, m.rounds)
	}
	out := make([]TableOffload, len(m.tables))
	for i, t := range m.tables {
		out[i] = tableOffload(t, m.measured[i].Unique(), m.bins, m.rounds-m.warmup)
	}
	return out, nil
}

func tableOffload(t workloads.Table, c *Curve, bins, batches int) TableOffload {
	hist := make([]int64, bins)
	for i := range hist {
		hist[i] = c.Hits(edge(i+1, bins, t.Rows)) - c.Hits(edge(i, bins, t.Rows))
	}
	return TableOffload{
		Table:   t.Name,
		Batches: batches,
		Cold:    c.Cold(),
		Stats: OffloadStats{
			Cacheability:    c.warmArea(t.Rows),
			ExpectedLookups: float64(c.Lookups()) / float64(batches),
			MRCHistCounts:   hist,
			Height:          t.Rows,
		},
	}
}

// edge returns the least number of other rows that is in bin i or later.
func edge(i, bins int, rows int64) int {
	return int((int64(i)*rows + int64(bins) - 1) / int64(bins))
}

// warmArea is the mean over the sizes 1 to rows of the share of lookups that miss
// at that size among those that hit at some; 0 when none does.
func (c *Curve) warmArea(rows int64) float64 {
	all := c.Hits(math.MaxInt)
	if all == 0 {
		return 0
	}
	sum := 0.0
	for s := 1; s < c.Enough(); s++ {
		sum += float64(all - c.Hits(s))
	}
	return sum / float64(all) / float64(rows)
}

// MissRate returns the miss ratio that the planner reads from the statistics for
// a cache of the given share of the rows (its expected_miss_rate), in the 32-bit
// arithmetic of its tensors.
func (s *OffloadStats) MissRate(loadFactor float64) float64 {
	sum, upTo := int64(0), int64(0)
	behind := float32(loadFactor*float64(s.Height)) - 1 // a cache of k rows finds what is behind up to k-1 others
	for i, n := range s.MRCHistCounts {
		sum += n
		if float32(float64(i)*float64(s.Height)/float64(len(s.MRCHistCounts))) <= behind {
			upTo = sum
		}
	}
	if sum == 0 {
		return 0
	}
	return 1 - float64(upTo)/float64(sum)
}

// tableSplit takes rounds of a layer apart by table.
type tableSplit struct {
	ends  []int64 // the key after each table's last
	parts []lookups.Round
}

func newTableSplit(tables []workloads.Table) *tableSplit {
	s := &tableSplit{parts: make([]lookups.Round, len(tables))}
	end := int64(0)
	for _, t := range tables {
		end += t.Rows
		s.ends = append(s.ends, end)
	}
	return s
}

// rows returns the rows of all tables together.
func (s *tableSplit) rows() int64 {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// round returns the tables' parts of a round, with keys from 0 on in each. They are valid
// until the next call.
func (s *tableSplit) round(r lookups.Round) []lookups.Round {
	for i := range s.parts {
		p := &s.parts[i]
		p.Lookups, p.Keys, p.Counts = 0, p.Keys[:0], p.Counts[:0]
	}
	for i, k := range r.Keys {
		at := sort.Search(len(s.ends), func(t int) bool { return int64(k) < s.ends[t] })
		p := &s.parts[at]
		if at > 0 {
			k -= uint32(s.ends[at-1])
		}
		p.Lookups += int(r.Counts[i])
		p.Keys = append(p.Keys, k)
		p.Counts = append(p.Counts, r.Counts[i])
	}
	return s.parts
}
