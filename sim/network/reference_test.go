package network

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// The reference finish times were computed with SimGrid 3.32 (pure max-min: a
// transfer enters at its start plus the latencies of its links, with weight 1).
// Its clock is continuous, ours is whole nanoseconds: each end is rounded by up to
// half a nanosecond, as are the start and the latency, and what is rounded delays
// or speeds up the transfers that share a link. Hence the tolerance: 1e-9
// relative, or 2 ns for each transfer that has ended until then.
func tolerance(finish float64, ended int) float64 {
	return max(1e-9*finish, 2e-9*float64(ended))
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
			e := engine.New(engine.Options{})
			n := New(e)
			for l := range links.rows {
				n.Link(name, unit.Rate(links.float(l, "capacity_Bps")))
			}
			var moves []move
			for f := range flows.rows {
				m := move{bytes: flows.float(f, "size_B")}
				enter := flows.float(f, "start_s")
				for id := range strings.SplitSeq(flows.text(f, "path"), ";") {
					l, err := strconv.Atoi(id)
					if err != nil {
						t.Fatal(err)
					}
					m.path = append(m.path, LinkID(l))
					enter += links.float(l, "latency_s")
				}
				m.start = duration(t, enter)
				// A cap on a rate is a link that nobody else uses.
				if limit := flows.float(f, "rate_cap_Bps"); limit > 0 {
					m.path = append(m.path, n.Link("cap", unit.Rate(limit)))
				}
				moves = append(moves, m)
			}
			ends := start(e, n, moves)
			run(t, e)
			compare(t, ends, read(t, filepath.Join(dir, name+"_finish.csv")), "finish_pure_s")
		})
	}
}

// compare checks ends against a column of reference finish times.
func compare(t *testing.T, ends []time.Duration, finish table, column string) {
	t.Helper()
	if len(ends) != len(finish.rows) {
		t.Fatalf("%d transfers ended, the reference has %d", len(ends), len(finish.rows))
	}
	order := make([]int, len(ends))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(ends[a] - ends[b]) })
	worst := 0.0
	for k, i := range order {
		want := finish.float(i, column)
		off := math.Abs(ends[i].Seconds() - want)
		worst = max(worst, off)
		if off > tolerance(want, k+1) {
			t.Errorf("transfer %d ended at %.12f s, the reference says %.12f s: %.3g s off", i, ends[i].Seconds(), want, off)
		}
	}
	t.Logf("%d transfers, at most %.3g s off", len(ends), worst)
}

// tree lays the links of 10 racks of 10 hosts and returns the path between hosts.
func tree(n *Network) func(src, dst int) []LinkID {
	const hosts, racks = 100, 10
	lay := func(count int, capacity unit.Rate) []LinkID {
		ids := make([]LinkID, count)
		for i := range ids {
			ids[i] = n.Link("tree", capacity)
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
	sets := []string{"burst_10", "burst_100", "steady_10000"}
	if !testing.Short() {
		sets = append(sets, "burst_1000")
	}
	for _, name := range sets {
		t.Run(name, func(t *testing.T) {
			flows := read(t, filepath.Join(dir, name+".csv"))
			e := engine.New(engine.Options{})
			n := New(e)
			path := tree(n)
			var moves []move
			for f := range flows.rows {
				moves = append(moves, move{
					start: duration(t, flows.float(f, "start_s")),
					path:  path(int(flows.float(f, "src")), int(flows.float(f, "dst"))),
					bytes: flows.float(f, "size_B"),
				})
			}
			ends := start(e, n, moves)
			began := time.Now()
			run(t, e)
			t.Logf("%v of wall time", time.Since(began))
			compare(t, ends, read(t, filepath.Join(dir, name+"_finish.csv")), "finish_s")
		})
	}
}
