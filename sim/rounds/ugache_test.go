package rounds

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"stowage/hw/unit"
)

// The machines of UGache's artefact (SJTU-IPADS/ugache, README): 4 V100 16 GB that
// are all linked, 8 V100 32 GB in a hybrid cube mesh, 8 A100 80 GB on a switch.
type ugacheMachine struct {
	gpus    int
	clique  int    // GPUs that read each other's memory directly
	chip    string // whose memory is the same on every machine
	index   map[string]float64
	spreads bool // hot rows are not replicated: see ugacheShares
}

// index is T_index in seconds from the logs (see logged in extract_test.go): it is
// taken as measured, not fitted. It depends on the number of keys, which SYN_14 has
// as many of as SYN.
var ugacheMachines = map[string]*ugacheMachine{
	"4v100": {4, 4, "v100", map[string]float64{"SYN": .445e-3, "SYN_14": .445e-3, "CR": .176e-3}, false},
	"8v100": {8, 4, "v100", map[string]float64{"SYN": .489e-3, "CR": .173e-3}, true},
	"8a100": {8, 8, "a100", map[string]float64{"SYN": .250e-3, "SYN_14": .250e-3, "CR": .145e-3}, false},
}

// cell is one policy on one data set and machine: rows of the file that differ in
// the model only, or that two figures share.
type cell struct {
	machine, data, policy string
	share                 SourceBytes // by the policy's rule
	bytes                 float64     // that a GPU extracts a step, with duplicates
	measured              []float64   // seconds, in the order of the file
}

func (c *cell) seconds() float64 {
	sum := 0.0
	for _, s := range c.measured {
		sum += s
	}
	return sum / float64(len(c.measured))
}

// sharedData returns the folder of reference data beside the repository.
func sharedData(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data")
		if _, err := os.Stat(data); err == nil {
			return data
		}
		if dir == filepath.Dir(dir) {
			t.Skip("shared/data is not there")
		}
		dir = filepath.Dir(dir)
	}
}

// ugacheCells reads the measured extraction times.
func ugacheCells(t *testing.T) []*cell {
	f, err := os.Open(filepath.Join(sharedData(t), "ugache", "ugache_dlr_runlogs.csv"))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	var cells []*cell
	seen := map[string]bool{} // figure 12 shows runs of figure 11 again
	for _, line := range lines[1:] {
		get := func(name string) string { return line[column[name]] }
		number := func(name string) float64 {
			x, err := strconv.ParseFloat(get(name), 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return x
		}
		machine := get("figure")[len("figure11-"):]
		run := machine + get("model") + get("dataset") + get("policy") + get("cache_copy_s_per_step")
		if seen[run] {
			continue
		}
		seen[run] = true
		at := slices.IndexFunc(cells, func(c *cell) bool {
			return c.machine == machine && c.data == get("dataset") && c.policy == get("policy")
		})
		if at < 0 {
			at = len(cells)
			c := &cell{machine: machine, data: get("dataset"), policy: get("policy")}
			cells = append(cells, c)
			local, remote := 0.0, 0.0
			if c.policy == "CollAsymm" {
				local, remote = number("local_rows"), number("remote_rows")
			}
			c.share = ugacheShares(c, number("cache_rate"), number("global_batch"), number("n_keys"), local, remote)
			tables := float64(synTables)
			if c.data == "CR" {
				tables = 26
			}
			c.bytes = tables * synSamples * synRow
		}
		cells[at].measured = append(cells[at].measured, number("cache_copy_s_per_step"))
	}
	return cells
}

// ugacheShares says by a policy's rule and cache rate from where a GPU reads how
// much of what it extracts. Rows count as hot as a profile of 1000 steps shows them.
//
//   - HPS and Rep hold the same hottest rows on every GPU.
//   - CliqPart partitions the hottest rows over the GPUs of a clique.
//   - SOK partitions all rows over all GPUs by key: none comes from the host (its
//     hash tables have room for the cache rate, and the artefact gives them no host
//     memory: eval/dlr/common/model_zoo/sok.py).
//   - CollAsymm, UGache's own, solves an integer program. The file says how many
//     rows each GPU holds and finds at its peers, not which. Where all GPUs reach
//     each other, the copies are of the hottest rows. On the cube mesh the log says
//     .652 remote and .314 local: the hot rows are partitioned, and what is held
//     twice is cold.
func ugacheShares(c *cell, rate, batch, keys, local, remote float64) SourceBytes {
	m := ugacheMachines[c.machine]
	if c.data == "CR" {
		return criteoShares(c, m, rate)
	}
	h := profiles.of(map[string]float64{"SYN": 1.2, "SYN_14": 1.4}[c.data], profiledSteps*batch)
	hits := func(rows int64) float64 { return h(min(1, float64(rows)/keys)) }
	room := int64(rate * keys)
	switch c.policy {
	case "HPS", "Rep":
		return ReplicatedLayout(m.gpus, room).Split(hits)
	case "CliqPart":
		l := PartitionedLayout(m.clique, room)
		l.Partitioned = min(l.Partitioned, int64(keys))
		return l.Split(hits)
	case "SOK":
		return Layout{Devices: m.gpus, Partitioned: int64(keys)}.Split(func(rows int64) float64 { return float64(rows) / keys })
	}
	l := MixedLayout(m.clique, int64(local), int64(remote))
	if m.spreads {
		l = Layout{Devices: m.clique, Partitioned: int64(local + remote)}
	}
	return l.Split(hits)
}

// criteoShares are the shares on the Criteo data, whose rows are not at hand. What
// the hottest rows serve is interpolated between what UGache's run logs say ("from
// CPU" at rows cached); UGache's own shares are those of the logs.
func criteoShares(c *cell, m *ugacheMachine, rate float64) SourceBytes {
	hits := func(share float64) float64 {
		at := [][2]float64{{0.0262, 0.974}, {0.0583, 0.978}, {0.653, 0.992}, {1, 1}}
		i := 0
		for i < len(at)-2 && share > at[i+1][0] {
			i++
		}
		a, b := at[i], at[i+1]
		x := math.Log(min(1, share)/a[0]) / math.Log(b[0]/a[0])
		return a[1] + x*(b[1]-a[1])
	}
	switch c.policy {
	case "HPS", "Rep":
		return SourceBytes{CPU: 1 - hits(rate), Local: hits(rate)}
	case "CliqPart":
		all := hits(rate * float64(m.clique))
		own := all / float64(m.clique)
		return SourceBytes{CPU: 1 - all, Remote: all - own, Local: own}
	case "SOK":
		own := 1 / float64(m.gpus)
		return SourceBytes{Remote: 1 - own, Local: own}
	}
	return map[string]SourceBytes{
		"4v100": {.026, .018, .956}, "8v100": {.022, .112, .865}, "8a100": {.008, .013, .979},
	}[c.machine]
}

// profiled remembers hit curves: they are asked for at the same sizes again.
type profiled map[[2]float64]func(share float64) float64

var profiles = profiled{}

func (p profiled) of(alpha, lookups float64) func(share float64) float64 {
	key := [2]float64{alpha, lookups}
	if p[key] == nil {
		h := newHotness(synRows, alpha, lookups)
		p[key] = func(share float64) float64 {
			if share >= 1 {
				return 1
			}
			return h.hits(share * synRows)
		}
	}
	return p[key]
}

// ugacheFit are the figures that are fitted, as logarithms so that none is negative:
//
//	0..2   host bandwidth of each machine
//	3..5   peer bandwidth of each machine
//	6, 7   bandwidth of a V100's and an A100's own memory
//	8      HPS: its lookup of cached rows is so many times slower than local reads
//	9      HPS: what it misses comes through its parameter server's software at this
//	       rate, on every machine
//	10     SOK: exchanging messages is so many times slower than direct reads
type ugacheFit []float64

var ugacheNames = []string{"4v100", "8v100", "8a100"}

// ugacheStart is where fitting begins: the bandwidths of UGache's solver (V100 local
// 350, links 38 x 3 peers, host 11 and 4; A100 local 730, links 240, host 8; GB/s).
func ugacheStart() ugacheFit {
	fit := ugacheFit{11e9, 4e9, 8e9, 114e9, 114e9, 240e9, 350e9, 730e9, 4, 4e9, 4}
	for i := range fit {
		fit[i] = math.Log(fit[i])
	}
	return fit
}

// extraction gives the fitted bandwidths of a machine to the model.
func (f ugacheFit) extraction(c *cell) Extraction {
	i := slices.Index(ugacheNames, c.machine)
	local := 6
	if ugacheMachines[c.machine].chip == "a100" {
		local = 7
	}
	source := func(i int) Source { return Source{Bandwidth: unit.Rate(math.Exp(f[i]))} }
	return Extraction{CPU: source(i), Remote: source(3 + i), Local: source(local)}
}

// seconds predicts an extraction. UGache reads its sources side by side; Rep and
// CliqPart are UGache's code without that; HPS and SOK are other systems.
func (f ugacheFit) seconds(c *cell) float64 {
	e := f.extraction(c)
	t := e.Times(0, c.share.Scale(c.bytes))
	t.Index = ugacheMachines[c.machine].index[c.data]
	switch c.policy {
	case "CollAsymm":
		return t.Concurrent()
	case "HPS":
		all := e.Times(0, SourceBytes{Local: c.bytes}).Local // cached or not, it is put in place
		return t.Index + math.Exp(f[8])*all + c.share.CPU*c.bytes/math.Exp(f[9])
	case "SOK":
		return t.Index + math.Exp(f[10])*(t.Remote+t.Local)
	}
	return t.Serial()
}

// error is the relative error of a prediction.
func (f ugacheFit) error(c *cell) float64 { return f.seconds(c)/c.seconds() - 1 }

// fitUGache minimises the squared logarithms of predicted over measured times.
func fitUGache(cells []*cell) ugacheFit {
	x, _ := minimize(func(x []float64) (sum float64) {
		for _, c := range cells {
			d := math.Log(ugacheFit(x).seconds(c) / c.seconds())
			sum += d * d
		}
		return sum
	}, ugacheStart(), 0.3)
	return x
}

// errors returns the mean and the worst relative error over cells.
func (f ugacheFit) errors(cells []*cell) (mean, worst float64) {
	for _, c := range cells {
		e := math.Abs(f.error(c))
		mean += e / float64(len(cells))
		worst = max(worst, e)
	}
	return mean, worst
}

// ranked lists the policies of each machine and data set, fastest first.
func ranked(cells []*cell, seconds func(*cell) float64) map[string][]string {
	order := slices.Clone(cells)
	slices.SortStableFunc(order, func(a, b *cell) int {
		if seconds(a) < seconds(b) {
			return -1
		}
		return 1
	})
	lists := map[string][]string{}
	for _, c := range order {
		k := c.machine + " " + c.data
		lists[k] = append(lists[k], c.policy)
	}
	return lists
}

func (f ugacheFit) log(t *testing.T, cells []*cell) {
	t.Logf("%-6s %-6s %-9s %6s %6s %6s %9s %9s %7s", "", "", "", "cpu", "remote", "local", "measured", "predicted", "error")
	for _, c := range cells {
		t.Logf("%-6s %-6s %-9s %6.4f %6.4f %6.4f %6.3f ms %6.3f ms %+5.1f %%", c.machine, c.data, c.policy,
			c.share.CPU, c.share.Remote, c.share.Local, 1e3*c.seconds(), 1e3*f.seconds(c), 100*f.error(c))
	}
}

// parted returns the cells that are chosen, and the others.
func parted(cells []*cell, chosen func(*cell) bool) (in, out []*cell) {
	for _, c := range cells {
		if chosen(c) {
			in = append(in, c)
		} else {
			out = append(out, c)
		}
	}
	return in, out
}

// generated parts the cells whose lookups can be generated from those of Criteo.
func generated(cells []*cell) (in, out []*cell) {
	return parted(cells, func(c *cell) bool { return c.data != "CR" })
}

// TestUGache fits one set of bandwidths per machine to extraction times that UGache
// measured, where the lookups can be generated: 25 cells of SYN (Zipf 1.2) and SYN_14
// (Zipf 1.4) against 11 figures, 8 of the machines and 3 of other systems' software.
// Rows by source follow from each policy's rule, its cache rate and the distribution.
func TestUGache(t *testing.T) {
	cells, _ := generated(ugacheCells(t))
	if len(cells) != 25 {
		t.Fatalf("%d cells of policy, data and machine, want 25", len(cells))
	}
	fit := fitUGache(cells)
	fit.log(t, cells)
	for i, name := range ugacheNames {
		t.Logf("%s: host %.1f GB/s, peers %.0f GB/s", name, math.Exp(fit[i])/1e9, math.Exp(fit[3+i])/1e9)
	}
	t.Logf("V100 %.0f GB/s, A100 %.0f GB/s; HPS %.1f x, %.1f GB/s; SOK %.1f x", math.Exp(fit[6])/1e9,
		math.Exp(fit[7])/1e9, math.Exp(fit[8]), math.Exp(fit[9])/1e9, math.Exp(fit[10]))
	mean, worst := fit.errors(cells)
	t.Logf("mean error %.1f %%, worst %.1f %%", 100*mean, 100*worst)
	if mean > 0.08 || worst > 0.22 {
		t.Errorf("mean error %.3f, worst %.3f: want at most 0.08 and 0.22", mean, worst)
	}
	got := ranked(cells, fit.seconds)
	for where, want := range ranked(cells, (*cell).seconds) {
		if !slices.Equal(got[where], want) {
			t.Errorf("%s: policies rank %v, measured %v", where, got[where], want)
		}
	}
}

// TestUGacheOwnLayout chooses what UGache replicates and partitions by BestLayout, at
// the fitted bandwidths, where all GPUs reach each other. The rows that UGache's
// solver chose are then not used, only the cache rate.
func TestUGacheOwnLayout(t *testing.T) {
	cells, _ := generated(ugacheCells(t))
	fit := fitUGache(cells)
	own, _ := parted(cells, func(c *cell) bool { return c.policy == "CollAsymm" && !ugacheMachines[c.machine].spreads })
	rate := map[string]float64{"4v100 SYN": .02, "4v100 SYN_14": .02, "8a100 SYN": .12, "8a100 SYN_14": .14}
	for _, c := range own {
		m := ugacheMachines[c.machine]
		const rows = synTables * synRows
		h := profiles.of(map[string]float64{"SYN": 1.2, "SYN_14": 1.4}[c.data], profiledSteps*synSamples*float64(m.gpus))
		hits := func(n int64) float64 { return h(float64(n) / rows) }
		room := int64(rate[c.machine+" "+c.data] * rows)
		solver := c.share
		l := BestLayout(m.gpus, room, rows, hits, func(b SourceBytes) float64 {
			c.share = b
			return fit.seconds(c)
		})
		c.share = l.Split(hits)
		t.Logf("%s %s: %.2f M rows replicated, %.0f M partitioned; shares %.4f %.4f %.4f, of UGache's layout %.4f %.4f %.4f; %+.1f %% off",
			c.machine, c.data, float64(l.Replicated)/1e6, float64(l.Partitioned)/1e6, c.share.CPU, c.share.Remote, c.share.Local,
			solver.CPU, solver.Remote, solver.Local, 100*fit.error(c))
	}
	mean, worst := fit.errors(own)
	t.Logf("mean error %.1f %%, worst %.1f %%", 100*mean, 100*worst)
	if len(own) != 4 || mean > 0.12 {
		t.Errorf("%d cells, mean error %.3f: want 4, and at most 0.12", len(own), mean)
	}
}

// TestUGacheHeldOut predicts cells that the fit did not see: each in turn, all of
// SYN_14 from SYN alone, and Criteo, which has fewer tables and another distribution.
// A machine has few cells: without Rep on the A100s, hardly any is left that waits
// for their host.
func TestUGacheHeldOut(t *testing.T) {
	cells, criteo := generated(ugacheCells(t))
	mean, worst := 0.0, 0.0
	for i, c := range cells {
		e := math.Abs(fitUGache(slices.Delete(slices.Clone(cells), i, i+1)).error(c))
		mean += e / float64(len(cells))
		worst = max(worst, e)
		if e > 0.25 {
			t.Logf("without %s %s %s, it is predicted %.0f %% off", c.machine, c.data, c.policy, 100*e)
		}
	}
	t.Logf("each cell left out in turn: mean error %.1f %%, worst %.1f %%", 100*mean, 100*worst)
	if mean > 0.17 {
		t.Errorf("cells left out: mean error %.3f, want at most 0.17", mean)
	}

	syn, syn14 := parted(cells, func(c *cell) bool { return c.data == "SYN" })
	mean, worst = fitUGache(syn).errors(syn14)
	t.Logf("SYN_14 from SYN alone: mean error %.1f %%, worst %.1f %%", 100*mean, 100*worst)
	if mean > 0.17 {
		t.Errorf("SYN_14 from SYN alone: mean error %.3f, want at most 0.17", mean)
	}

	fit := fitUGache(cells)
	fit.log(t, criteo)
	mean, worst = fit.errors(criteo)
	t.Logf("Criteo from SYN and SYN_14: mean error %.1f %%, worst %.1f %%", 100*mean, 100*worst)
	if mean > 0.13 {
		t.Errorf("Criteo: mean error %.3f, want at most 0.13", mean)
	}
	for _, a := range criteo {
		for _, b := range criteo {
			clear := a.machine == b.machine && 1.05*a.seconds() < b.seconds()
			if clear && fit.seconds(a) > fit.seconds(b) {
				t.Errorf("%s: %s is predicted slower than %s, measured more than 5 %% faster", a.machine, a.policy, b.policy)
			}
		}
	}
}
