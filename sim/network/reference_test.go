package network

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// The reference finish times were computed with SimGrid 3.32 (pure max-min: a
// transfer enters at its start plus the latencies of its links, with weight 1). Its
// clock is continuous, ours is whole nanoseconds: each end is rounded by up to half
// a nanosecond, as is the start, and what is rounded delays or speeds up the
// transfers that share a link. In slow motion, all rates divided and all starts
// multiplied by the same factor, a nanosecond of ours is too little to matter, and
// what is left is the error of the solver.
const (
	horizon  = 1e5  // seconds of our clock until the last transfer ends
	accuracy = 1e-9 // relative, of each finish time
)

// slow returns the factor of slow motion for a table of finish times.
func slow(finish table, column string) float64 {
	last := 0.0
	for i := range finish.rows {
		last = max(last, finish.float(i, column))
	}
	return horizon / last
}

// data returns the folder of reference data, which is beside the repository, or
// skips the test.
func data(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found := filepath.Join(dir, "shared", "data", "network")
		if _, err := os.Stat(found); err == nil {
			return found
		}
	}
	t.Skip("shared/data/network is not there")
	return ""
}

// table is a CSV file by column.
type table struct {
	t    *testing.T
	rows [][]string
	at   map[string]int
}

func read(t *testing.T, file string) table {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1 // descriptions hold commas
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	return table{t, rows[1:], at}
}

func (tab table) text(row int, column string) string {
	i, ok := tab.at[column]
	if !ok {
		tab.t.Fatalf("no column %q", column)
	}
	return tab.rows[row][i]
}

func (tab table) float(row int, column string) float64 {
	v, err := strconv.ParseFloat(tab.text(row, column), 64)
	if err != nil {
		tab.t.Fatal(err)
	}
	return v
}

func duration(t *testing.T, seconds float64) time.Duration {
	t.Helper()
	d, err := unit.Seconds(seconds)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReferenceFinishTimes(t *testing.T) {
	dir := data(t)
	index := read(t, filepath.Join(dir, "index.csv"))
	for i := range index.rows {
		name := index.text(i, "set")
		t.Run(name, func(t *testing.T) {
			links := read(t, filepath.Join(dir, name+"_links.csv"))
			flows := read(t, filepath.Join(dir, name+"_flows.csv"))
			finish := read(t, filepath.Join(dir, name+"_finish.csv"))
			factor := slow(finish, "finish_pure_s")
			e := engine.New(engine.Options{})
			n := New(e)
			for l := range links.rows {
				n.Link(name, unit.Rate(links.float(l, "capacity_Bps")/factor))
			}
			var moves []move
			for f := range flows.rows {
				m := move{bytes: flows.float(f, "size_B"), limit: unit.Rate(flows.float(f, "rate_cap_Bps") / factor)}
				enter := flows.float(f, "start_s")
				for id := range strings.SplitSeq(flows.text(f, "path"), ";") {
					l, err := strconv.Atoi(id)
					if err != nil {
						t.Fatal(err)
					}
					m.path = append(m.path, LinkID(l))
					enter += links.float(l, "latency_s")
				}
				m.start = duration(t, enter*factor)
				moves = append(moves, m)
			}
			ends := start(e, n, moves)
			run(t, e)
			compare(t, ends, finish, "finish_pure_s", factor)
		})
	}
}

// compare checks ends in slow motion against a column of reference finish times.
func compare(t *testing.T, ends []time.Duration, finish table, column string, factor float64) {
	t.Helper()
	if len(ends) != len(finish.rows) {
		t.Fatalf("%d transfers ended, the reference has %d", len(ends), len(finish.rows))
	}
	worst := 0.0
	for i, end := range ends {
		got, want := end.Seconds()/factor, finish.float(i, column)
		off := math.Abs(got-want) / want
		worst = max(worst, off)
		if off > accuracy {
			t.Errorf("transfer %d ended at %.12f s, the reference says %.12f s: %.3g off", i, got, want, off)
		}
	}
	t.Logf("%d transfers, relative error at most %.2g", len(ends), worst)
}

// tree lays the links of 10 racks of 10 hosts and returns the path between hosts.
func tree(n interface {
	Link(string, unit.Rate) LinkID
}, factor float64) func(src, dst int) []LinkID {
	const hosts, racks = 100, 10
	lay := func(count int, capacity unit.Rate) []LinkID {
		ids := make([]LinkID, count)
		for i := range ids {
			ids[i] = n.Link("tree", capacity/unit.Rate(factor))
		}
		return ids
	}
	up, down := lay(hosts, 12.5e9), lay(hosts, 12.5e9)
	rackUp, rackDown := lay(racks, 50e9), lay(racks, 50e9)
	return func(src, dst int) []LinkID {
		from, to := src/(hosts/racks), dst/(hosts/racks)
		if from == to {
			return []LinkID{up[src], down[dst]}
		}
		return []LinkID{up[src], rackUp[from], rackDown[to], down[dst]}
	}
}

func TestReferenceTree(t *testing.T) {
	dir := filepath.Join(data(t), "tree")
	for _, name := range []string{"burst_10", "burst_100", "burst_1000", "burst_10000", "steady_10000"} {
		t.Run(name, func(t *testing.T) {
			if raceDetector && name == "burst_10000" {
				t.Skip("takes long under the race detector")
			}
			flows, finish := read(t, filepath.Join(dir, name+".csv")), read(t, filepath.Join(dir, name+"_finish.csv"))
			factor := slow(finish, "finish_s")
			e := engine.New(engine.Options{})
			n := New(e)
			path := tree(n, factor)
			var moves []move
			for f := range flows.rows {
				moves = append(moves, move{
					start: duration(t, flows.float(f, "start_s")*factor),
					path:  path(int(flows.float(f, "src")), int(flows.float(f, "dst"))),
					bytes: flows.float(f, "size_B"),
				})
			}
			ends := start(e, n, moves)
			began := time.Now()
			run(t, e)
			t.Logf("%v of wall time", time.Since(began))
			compare(t, ends, finish, "finish_s", factor)
			if err := n.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}
