package reports

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"

	"stowage/sim"
)

// roundsHeader names the columns of RoundsCSV, units last.
var roundsHeader = []string{
	"round", "start_ns", "end_ns", "step_ns", "stall_ns", "throughput_samples_per_s",
	"lookups", "unique", "hits", "misses", "evictions", "write_backs", "hit_ratio",
	"in_bytes", "out_bytes", "used_slots",
	// Later columns are added at the end, so that readers by position still work.
	"bypasses", "traded_bytes", "store_reads", "store_writes", "past_bytes",
}

// RoundsCSV writes a header and one row for every training round of r, commas
// between cells (RFC 4180, lines end in "\n"). Cells of the slot tables are
// empty, not zero, in rounds without slot tables. Numbers are exact: a reader
// gets back the same float64.
func RoundsCSV(w io.Writer, r *sim.Result) error {
	if err := checkFinite(r); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(roundsHeader); err != nil {
		return err
	}
	row := make([]string, len(roundsHeader))
	for i := range r.Rounds {
		fillRow(row, &r.Rounds[i])
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func fillRow(row []string, d *sim.Round) {
	clear(row)
	cells := row
	add := func(s string) { cells[0], cells = s, cells[1:] }
	count := func(n int64) { add(strconv.FormatInt(n, 10)) }
	count(int64(d.Round))
	count(int64(d.Start))
	count(int64(d.End))
	count(int64(d.StepTime))
	count(int64(d.Stall))
	add(exact(d.Throughput))
	if s := d.Slots; s != nil {
		count(s.Lookups)
		count(s.Unique)
		count(s.Hits)
		count(s.Misses)
		count(s.Evictions)
		count(s.WriteBacks)
		add(exact(s.HitRatio))
		count(s.BytesIn)
		count(s.BytesOut)
		count(s.Used)
		count(s.Bypasses)
		count(s.Traded)
		count(s.StoreReads)
		count(s.StoreWrites)
		count(s.BytesPast)
	}
}

// exact prints the shortest decimal that reads back as the same float64, with
// an exponent only where encoding/json uses one too.
func exact(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
