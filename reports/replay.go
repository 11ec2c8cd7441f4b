package reports

import (
	"bufio"
	_ "embed" // replay.schema.json
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
)

// Replay is what became of one trace that was replayed on slot tables.
type Replay struct {
	Trace  string // as it was called
	Format string // of the file

	Lookups int64 // read, those of the warm-up included
	Unique  int64 // distinct keys; 0: not counted
	Warmup  int64 // lookups before the first that counts

	Elapsed time.Duration // wall-clock time for all of it; 0: not measured

	Tables []ReplayCounts // in the order asked for
	Curve  *ReplayCurve   // nil: not asked for

	// Row is the size of a slot, and Devices what the memories of device types hold; zero: not
	// asked for. Named are the device types if some were named: else they are DevicesToMark.
	Row     unit.Bytes
	Named   []string
	Devices []ReplayDevice
}

// ReplayCounts is what one slot table counted.
type ReplayCounts struct {
	Policy  string
	Slots   int
	Lookups int64 // after the warm-up
	Misses  int64
	Rate    float64 // wall-clock lookups/s of this table; 0: not measured
}

// HitRatio is hits over lookups; 0 without lookups.
func (c *ReplayCounts) HitRatio() float64 { return share(c.Lookups-c.Misses, c.Lookups) }

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// ReplayCurve is the hits of LRU by number of slots.
type ReplayCurve struct {
	Source  string // ExactCurve or SampledCurve
	Lookups int64  // after the warm-up
	Points  []ReplayPoint
	Rate    float64 // wall-clock lookups/s; 0: not measured
}

// ReplayPoint is one point of a ReplayCurve.
type ReplayPoint struct {
	Slots int
	Hits  int64
}

// Where the figures of a row come from.
const (
	TableSource  = "table"  // a slot table was replayed
	ExactCurve   = "exact"  // stack distances of all lookups
	SampledCurve = "shards" // stack distances of a sample: an estimate
)

// ReplayDevice is a device type and the slots that its memory holds.
type ReplayDevice struct {
	Device string
	Memory unit.Bytes
	Slots  int64
}

// DevicesToMark are device types and how many rows their memories hold: those named, or
// all accelerators that ship. Without a size of a row there are none.
func DevicesToMark(named []string, row unit.Bytes) ([]ReplayDevice, error) {
	if row <= 0 {
		return nil, nil
	}
	var devices []*hw.Device
	for _, name := range named {
		d, err := hw.LookupDevice(name)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	if len(named) == 0 {
		for _, d := range hw.Devices() {
			if d.Kind.Accelerator() {
				devices = append(devices, d)
			}
		}
	}
	var marks []ReplayDevice
	for _, d := range devices {
		marks = append(marks, ReplayDevice{Device: d.Name, Memory: d.Memory.Capacity, Slots: int64(d.Memory.Capacity / row)})
	}
	return marks, nil
}

// ReplayRow is a line of ReplayJSON and ReplayCSV.
type ReplayRow struct {
	Trace    string  `json:"trace"`
	Policy   string  `json:"policy"`
	Slots    int     `json:"slots"`
	Lookups  int64   `json:"lookups"`
	Hits     int64   `json:"hits"`
	Misses   int64   `json:"misses"`
	HitRatio float64 `json:"hit_ratio"`
	Rate     float64 `json:"lookups_per_second,omitempty"`
	Source   string  `json:"source"`
	Warmup   int64   `json:"warmup,omitempty"`
	Unique   int64   `json:"unique_keys,omitempty"`

	Format   string     `json:"format,omitempty"`
	RowBytes unit.Bytes `json:"row_bytes,omitempty"`
	Devices  []string   `json:"devices,omitempty"`
}

// ReplayRows flattens replays: for each trace the tables in their order, then the curve. What
// counted nothing has no row.
func ReplayRows(replays []*Replay) []ReplayRow {
	rows := []ReplayRow{}
	for _, r := range replays {
		add := func(policy, source string, slots int, lookups, misses int64, rate float64) {
			if lookups == 0 {
				return
			}
			rows = append(rows, ReplayRow{
				Trace: r.Trace, Policy: policy, Slots: slots, Lookups: lookups, Hits: lookups - misses, Misses: misses,
				HitRatio: share(lookups-misses, lookups), Rate: rate, Source: source, Warmup: r.Warmup, Unique: r.Unique,
				Format: r.Format, RowBytes: r.Row, Devices: r.Named,
			})
		}
		for _, t := range r.Tables {
			add(t.Policy, TableSource, t.Slots, t.Lookups, t.Misses, t.Rate)
		}
		if c := r.Curve; c != nil {
			for _, p := range c.Points {
				add("lru", c.Source, p.Slots, c.Lookups, c.Lookups-p.Hits, c.Rate)
			}
		}
	}
	return rows
}

//go:embed replay.schema.json
var replaySchema []byte

// ReplaySchema returns the JSON Schema (draft 2020-12) of what ReplayJSON writes. The
// caller may keep and change the bytes.
func ReplaySchema() []byte { return slices.Clone(replaySchema) }

// ReplayJSON writes the rows of replays as one JSON array, a row on a line of its own.
// The shape is that of ReplaySchema.
func ReplayJSON(w io.Writer, replays []*Replay) error {
	b := bufio.NewWriter(w)
	b.WriteString("[")
	for i, row := range ReplayRows(replays) {
		if i > 0 {
			b.WriteString(",")
		}
		data, err := json.Marshal(row)
		if err != nil {
			return err
		}
		b.WriteString("\n  ")
		b.Write(data)
	}
	b.WriteString("\n]\n")
	return b.Flush()
}

var replayHeader = []string{"trace", "policy", "slots", "lookups", "hits", "misses", "hit_ratio", "source", "warmup", "unique_keys", "lookups_per_second"}

// ReplayCSV writes the rows of replays below a header (RFC 4180, lines end in "\n").
// What was not counted or measured is empty, not zero.
func ReplayCSV(w io.Writer, replays []*Replay) error {
	out := csv.NewWriter(w)
	if err := out.Write(replayHeader); err != nil {
		return err
	}
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, r := range ReplayRows(replays) {
		unique, rate := "", ""
		if r.Unique > 0 {
			unique = count(r.Unique)
		}
		if r.Rate > 0 {
			rate = exact(r.Rate)
		}
		if err := out.Write([]string{
			r.Trace, r.Policy, strconv.Itoa(r.Slots), count(r.Lookups), count(r.Hits), count(r.Misses),
			exact(r.HitRatio), r.Source, count(r.Warmup), unique, rate,
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ReplayBench writes the rows of replays in the Go benchmark format, so that benchstat
// compares them:
//
//	BenchmarkReplay/trace=t.txt/replacement=lru/source=table/slots=500 1 0.25 hit-ratio 4e+07 lookups/s
func ReplayBench(w io.Writer, replays []*Replay) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "Unit hit-ratio better=higher assume=exact\nUnit lookups/s better=higher\n\n")
	for _, r := range ReplayRows(replays) {
		fmt.Fprintf(b, "BenchmarkReplay/trace=%s/replacement=%s/source=%s/slots=%d 1 %s hit-ratio",
			benchWord(r.Trace), benchWord(r.Policy), r.Source, r.Slots, exact(r.HitRatio))
		if r.Rate > 0 {
			fmt.Fprintf(b, " %s lookups/s", exact(r.Rate))
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}
