package reports

import (
	"encoding/json"
	"errors"
	"fmt"
)

// readReplays reads the rows that ReplayJSON wrote, trace by trace.
func readReplays(data []byte) ([]*Replay, error) {
	var rows []ReplayRow
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, fmt.Errorf("no replays: %w", err)
	}
	var all []*Replay
	for i := range rows {
		row := &rows[i]
		if err := checkReplayRow(row); err != nil {
			return nil, fmt.Errorf("no replays: row %d: %w", i+1, err)
		}
		n := len(all)
		if n == 0 || all[n-1].Trace != row.Trace {
			r := &Replay{
				Trace: row.Trace, Format: row.Format, Lookups: row.Lookups + row.Warmup, Unique: row.Unique, Warmup: row.Warmup,
				Row: row.RowBytes, Named: row.Devices,
			}
			var err error
			if r.Devices, err = DevicesToMark(r.Named, r.Row); err != nil {
				return nil, fmt.Errorf("no replays: row %d: %w", i+1, err)
			}
			all = append(all, r)
			n++
		}
		all[n-1].addRow(row)
	}
	if len(all) == 0 {
		return nil, errors.New("no replays: there are no rows")
	}
	return all, nil
}

// addRow gives a replay back what became a row.
func (r *Replay) addRow(row *ReplayRow) {
	if row.Source == TableSource {
		r.Tables = append(r.Tables, ReplayCounts{Policy: row.Policy, Slots: row.Slots, Lookups: row.Lookups, Misses: row.Misses})
		return
	}
	if r.Curve == nil {
		r.Curve = &ReplayCurve{Source: row.Source, Lookups: row.Lookups}
	}
	r.Curve.Points = append(r.Curve.Points, ReplayPoint{Slots: row.Slots, Hits: row.Hits})
}

func checkReplayRow(row *ReplayRow) error {
	switch {
	case row.Trace == "" || row.Policy == "":
		return errors.New("it has no trace or no policy; `stowage replay` writes replay.json")
	case row.Source != TableSource && row.Source != ExactCurve && row.Source != SampledCurve:
		return fmt.Errorf("its source is %q", row.Source)
	case row.Slots < 0 || row.Lookups < 1 || row.Hits < 0 || row.Misses < 0 || row.Hits+row.Misses != row.Lookups || row.Warmup < 0 || row.RowBytes < 0:
		return fmt.Errorf("%d slots, %d lookups, %d hits, %d misses", row.Slots, row.Lookups, row.Hits, row.Misses)
	}
	return nil
}
