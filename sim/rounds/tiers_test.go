package rounds

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func TestTierSeconds(t *testing.T) {
	gather := hw.Gather{Rows: 1e6, Bandwidth: 1e9}
	for _, c := range []struct {
		name        string
		tier        Tier
		rows, bytes float64
		want        float64
	}{
		{"nothing", hostTier(gather, 0), 0, 0, 0},
		{"host: per-row cost and bytes", hostTier(gather, 0), 1000, 512e3, 1e-3 + 0.512e-3},
		{"half a row", hostTier(gather, 0), 0.5, 256, 0.5e-6 + 0.256e-6},
		{"ssd: bound by accesses", SSDTier(hw.SSD{Bandwidth: 1e9, IOPS: 1e5}, 0, 0), 1000, 512e3, 1e-2},
		{"ssd: bound by bytes", SSDTier(hw.SSD{Bandwidth: 1e9, IOPS: 1e5}, 0, 0), 1000, 100e6, 0.1},
		// Batches of 1024 are busy for 10.24 ms, more than the latency: it shows once.
		{"ssd: latency hidden", SSDTier(hw.SSD{IOPS: 1e5}, 0, time.Millisecond), 10240, 1, 1e-3 + 0.1024},
		// 4 batches, two at a time, and 30 ms hide behind none of them.
		{"ssd: latency shows", SSDTier(hw.SSD{IOPS: 1.024e5}, 0, 30*time.Millisecond), 4096, 1, 2*(30e-3+10e-3) + 10e-3},
		{"one request after the other", Tier{Latency: time.Millisecond, Batch: 100, IOPS: 1e5}, 250, 1, 3e-3 + 2.5e-3},
		{"all in one request", Tier{Latency: time.Millisecond, IOPS: 1e5}, 250, 1, 1e-3 + 2.5e-3},
		{"latency alone", Tier{Latency: time.Millisecond, Batch: 10, Depth: 3}, 70, 7, 3e-3},
		{"servers share", Tier{Servers: 4, Gather: gather}, 4000, 1e6, 1e-3 + 0.25e-3},
		{"port of the reader", ServerTier(4, gather, hw.Link{Bandwidth: 1e8, Latency: time.Millisecond}, 0), 4000, 1e6, 1e-3 + 1e-2},
	} {
		if got := c.tier.Seconds(c.rows, c.bytes); !near(got, c.want) {
			t.Errorf("%s: %g s, want %g", c.name, got, c.want)
		}
	}
}

// TestTierMeasuredHybrid prices NVIDIA's HierarchicalKV with values split between HBM
// and host memory (README ae24eecd, A100 80 GB PCIe, 1 Mi keys a find, 64 elements of
// 4 bytes): one host bandwidth, the same for both setups, and the rate measured with
// all values in HBM give both within 15 %. Values lie in the host by the shares of
// the two memories.
func TestTierMeasuredHybrid(t *testing.T) {
	const keys, row = 1 << 20, 64 * 4
	hbm := Tier{Name: "hbm", Gather: hw.Gather{Rows: 1.982e9}}
	host := hostTier(hw.Gather{Bandwidth: 15e9}, 0)
	for _, c := range []struct {
		name     string
		hosted   float64 // share of values
		measured float64 // 1e9 keys/s
	}{
		{"16 GB of HBM, 16 GB of host", 16. / 32, .124},
		{"32 GB of HBM, 96 GB of host", 96. / 128, .069},
	} {
		seconds := hbm.Seconds(keys*(1-c.hosted), 0) + host.Seconds(keys*c.hosted, keys*c.hosted*row)
		got := keys / seconds / 1e9
		t.Logf("%s: %.3f G keys/s, measured %.3f", c.name, got, c.measured)
		if math.Abs(got/c.measured-1) > 0.15 {
			t.Errorf("%s: %.3f G keys/s, measured %.3f", c.name, got, c.measured)
		}
	}
}

// serve is the dumb twin of Tier.Seconds: one request after the other.
func serve(t *Tier, rows, bytes float64) float64 {
	row := bytes / rows
	var ends []float64
	for left := rows; left > 0; {
		n := left
		if t.Batch > 0 {
			n = min(left, float64(t.Batch))
		}
		left -= n
		issued, free := 0.0, 0.0
		if d := max(1, t.Depth); len(ends) >= d {
			issued = ends[len(ends)-d]
		}
		if len(ends) > 0 {
			free = ends[len(ends)-1]
		}
		ends = append(ends, max(free, issued+t.Latency.Seconds())+t.busy(n, row))
	}
	return ends[len(ends)-1]
}

func TestTierTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tier := Tier{
			Gather:  hw.Gather{Rows: unit.RowRate(rapid.SampledFrom([]float64{0, 1e5, 1e7}).Draw(t, "rows/s")), Bandwidth: 1e9},
			IOPS:    unit.RowRate(rapid.SampledFrom([]float64{0, 1e4, 1e6}).Draw(t, "iops")),
			Batch:   rapid.IntRange(0, 20).Draw(t, "batch"),
			Depth:   rapid.IntRange(0, 5).Draw(t, "depth"),
			Latency: time.Duration(rapid.IntRange(0, 500).Draw(t, "latency")) * time.Microsecond,
		}
		rows := float64(rapid.IntRange(1, 200).Draw(t, "rows"))
		bytes := rows * float64(rapid.IntRange(1, 100000).Draw(t, "row"))
		if got, want := tier.Seconds(rows, bytes), serve(&tier, rows, bytes); !near(got, want) {
			t.Fatalf("%+v: %g rows take %g s, request by request %g s", tier, rows, got, want)
		}
		more := tier
		more.Depth = max(1, tier.Depth) + 1
		if tier.Seconds(rows, bytes) < more.Seconds(rows, bytes)*(1-1e-12) {
			t.Fatalf("%+v: more requests under way make it slower", tier)
		}
	})
}

func TestTierValidate(t *testing.T) {
	good := SSDTier(hw.SSD{Bandwidth: 1e9, IOPS: 1e5}, 100, time.Millisecond)
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, tier := range map[string]Tier{
		`tier "x": batch = -1: want a finite number >= 0`: {Name: "x", Batch: -1},
		"latency = -1":   {Latency: -1},
		"iops = NaN":     {IOPS: unit.RowRate(math.NaN())},
		"port = +Inf":    {Port: unit.Rate(math.Inf(1))},
		"bandwidth = -1": {Gather: hw.Gather{Bandwidth: -1}},
	} {
		if err := tier.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", tier, err, want)
		}
	}
}

// hostTier is host DRAM that one socket gathers rows from: n rows of b bytes take
// n / Rows + n*b / Bandwidth of g.
func hostTier(g hw.Gather, rows int64) Tier {
	return Tier{Name: "host", Rows: rows, Gather: g}
}
