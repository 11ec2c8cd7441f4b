package reports

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"

	"stowage/hw/unit"
)

// ReplaySummary writes a replay for people: the trace, what every slot table counted,
// and the curve at round numbers of slots. No line is wider than width terminal cells (0
// means 80; less than 60 counts as 60).
func ReplaySummary(w io.Writer, r *Replay, width int) error {
	if width == 0 {
		width = defaultWidth
	}
	width = max(width, minWidth)
	var b bytes.Buffer
	for _, section := range []func(io.Writer, *Replay, int) error{replayHead, replayTables, replayCurve, replayDevices} {
		var s bytes.Buffer
		if err := section(&s, r, width); err != nil {
			return err
		}
		if s.Len() > 0 && b.Len() > 0 {
			b.WriteByte('\n')
		}
		s.WriteTo(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func replayHead(w io.Writer, r *Replay, width int) error {
	parts := []string{r.Format + " format", lookupCount(r.Lookups)}
	if r.Unique > 0 {
		parts = append(parts, plural(int(r.Unique), "unique key"))
	}
	if r.Warmup > 0 {
		parts = append(parts, formatCount(r.Warmup)+" to warm up, not counted")
	}
	if s := r.Elapsed.Seconds(); s > 0 {
		parts = append(parts, formatSI(float64(r.Lookups)/s)+" lookups/s in all")
	}
	_, err := io.WriteString(w, shortenText(printable(r.Trace), width)+"\n"+flow(parts, width))
	return err
}

func lookupCount(n int64) string { return plural(int(n), "lookup") }

func replayTables(w io.Writer, r *Replay, width int) error {
	if len(r.Tables) == 0 {
		return nil
	}
	return replayGrid(r).render(w, width)
}

// replayGrid is what every slot table counted. Rates are shown where they were measured.
func replayGrid(r *Replay) *grid {
	timed := slices.ContainsFunc(r.Tables, func(t ReplayCounts) bool { return t.Rate > 0 })
	g := &grid{columns: []column{{"replacement", false, true}, {"slots", true, false}}}
	if r.Unique > 0 {
		g.columns = append(g.columns, column{"of unique", true, false})
	}
	if r.Row > 0 {
		g.columns = append(g.columns, column{"memory", true, false})
	}
	g.columns = append(g.columns, column{"hits", true, false}, column{"misses", true, false}, column{"hit ratio", true, false})
	if timed {
		g.columns = append(g.columns, column{"lookups/s", true, false})
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		cells := []string{printable(t.Policy), formatCount(int64(t.Slots))}
		if r.Unique > 0 {
			cells = append(cells, formatPercent(float64(t.Slots)/float64(r.Unique)))
		}
		if r.Row > 0 {
			cells = append(cells, slotMemory(t.Slots, r.Row))
		}
		hits, misses, ratio := formatCount(t.Lookups-t.Misses), formatCount(t.Misses), formatHits(t.HitRatio())
		if t.Lookups == 0 {
			hits, misses, ratio = "–", "–", "–"
		}
		cells = append(cells, hits, misses, ratio)
		if timed {
			rate := "–"
			if t.Rate > 0 {
				rate = formatSI(t.Rate)
			}
			cells = append(cells, rate)
		}
		g.add(cells...)
	}
	return g
}

// formatHits prints a hit ratio with two decimals: policies differ by less than a
// tenth of a point.
func formatHits(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

// formatPercent prints a share of keys, which may be a small one.
func formatPercent(v float64) string { return formatNumber(100*v) + " %" }

func slotMemory(slots int, row unit.Bytes) string { return formatBytes(float64(slots) * float64(row)) }

func replayCurve(w io.Writer, r *Replay, width int) error {
	c := r.Curve
	if c == nil || c.Lookups == 0 {
		return nil
	}
	name := "lru, exact"
	if c.Source == SampledCurve {
		name = "lru, sampled"
	}
	g := grid{columns: []column{{name, false, false}, {"slots", true, false}}}
	if r.Row > 0 {
		g.columns = append(g.columns, column{"memory", true, false})
	}
	g.columns = append(g.columns, column{"hit ratio", true, false}, column{"miss ratio", true, false})
	for _, p := range roundPoints(c.Points) {
		cells := []string{"", formatCount(int64(p.Slots))}
		if r.Row > 0 {
			cells = append(cells, slotMemory(p.Slots, r.Row))
		}
		h := share(p.Hits, c.Lookups)
		g.add(append(cells, formatHits(h), formatHits(1-h))...)
	}
	return g.render(w, width)
}

// roundPoints are the points at 1, 2 and 5 times powers of ten, and the last.
func roundPoints(points []ReplayPoint) []ReplayPoint {
	var kept []ReplayPoint
	for i, p := range points {
		m := float64(p.Slots) / math.Pow(10, math.Floor(math.Log10(float64(p.Slots))))
		if m == 1 || m == 2 || m == 5 || i == len(points)-1 {
			kept = append(kept, p)
		}
	}
	return kept
}

// replayDevices says what the memory of device types is worth by the curve.
func replayDevices(w io.Writer, r *Replay, width int) error {
	if g := deviceGrid(r); g != nil {
		return g.render(w, width)
	}
	return nil
}

// deviceGrid is what memories hold; nil: no device types are marked.
func deviceGrid(r *Replay) *grid {
	if len(r.Devices) == 0 {
		return nil
	}
	known := r.Curve != nil && r.Curve.Lookups > 0
	g := &grid{columns: []column{{"device", false, true}, {"memory", true, false}, {"slots of " + formatBytes(float64(r.Row)), true, false}}}
	if known {
		g.columns = append(g.columns, column{"lru hit ratio", true, false})
	}
	for _, d := range r.Devices {
		cells := []string{printable(d.Device), formatBytes(float64(d.Memory)), formatCount(d.Slots)}
		if known {
			cells = append(cells, formatHits(share(r.Curve.at(d.Slots), r.Curve.Lookups)))
		}
		g.add(cells...)
	}
	return g
}

// at is the hits with so many slots: those of the largest point that they hold.
func (c *ReplayCurve) at(slots int64) int64 {
	hits := int64(0)
	for _, p := range c.Points {
		if int64(p.Slots) <= slots {
			hits = p.Hits
		}
	}
	return hits
}
