package slots

import (
	"io"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// script is a stream of given rounds.
type script struct {
	rows   int64
	rounds [][]uint32
}

func (s *script) Rows() int64 { return s.rows }

func (s *script) Next(dst []uint32) ([]uint32, error) {
	if len(s.rounds) == 0 {
		return nil, io.EOF
	}
	r := s.rounds[0]
	s.rounds = s.rounds[1:]
	return append(dst[:0], r...), nil
}

type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// record makes a trace of the given rounds of lookups.
func record(t failer, rows int64, rounds [][]uint32) *lookups.Trace {
	t.Helper()
	trace, err := lookups.Record(&script{rows, rounds}, len(rounds), 0)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// drawRounds draws rounds of lookups over few rows, some hotter than others. The
// rounds come from a drawn seed: what rapid draws value by value is too often short,
// small and equal to make slots run short.
func drawRounds(t *rapid.T, rows, rounds, lookupsPerRound int) [][]uint32 {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	hot := rng.Float64()
	out := make([][]uint32, 1+rng.IntN(rounds))
	for i := range out {
		for range 1 + rng.IntN(lookupsPerRound) {
			among := rows
			if rng.Float64() < hot {
				among = min(rows, 8)
			}
			out[i] = append(out[i], uint32(rng.IntN(among)))
		}
	}
	return out
}

func drawKeys(t *rapid.T, rows, n int) []uint32 {
	var out []uint32
	for _, r := range drawRounds(t, rows, 8, max(n/4, 1)) {
		out = append(out, r...)
	}
	return out
}

func drawPolicy(t *rapid.T) string {
	names := make([]string, 0, len(registered))
	for _, p := range Policies() {
		names = append(names, p.Name)
	}
	return rapid.SampledFrom(names).Draw(t, "policy")
}

func newTable(t failer, cfg Config) *Table {
	t.Helper()
	table, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// hashed makes the table find keys by hash whatever its size: with an index that
// starts small, so that it grows, and one id more than it can know, so that
// every miss of a full table sweeps.
func (t *Table) hashed() *Table {
	t.mapping()
	t.index = newHashed(1)
	for s, k := range t.keys {
		if k != vacant {
			t.index.set(k, int32(s))
		}
	}
	t.ids = newInterner(t.knows() + 1)
	return t
}

func sum(t testing.TB, counts []Counts) (total Counts) {
	t.Helper()
	for _, c := range counts {
		total = total.Add(c)
	}
	return total
}
