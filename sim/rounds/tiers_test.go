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
		{"nothing", HostTier(gather, 0), 0, 0, 0},
		{"host: per-row cost and bytes", HostTier(gather, 0), 1000, 512e3, 1e-3 + 0.512e-3},
		{"half a row", HostTier(gather, 0), 0.5, 256, 0.5e-6 + 0.256e-6},
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

// HugeCTR's embedding training cache read rows of 512 bytes at 11.6 GB/s from
// host parameter servers and at 0.37 GB/s from those on SSDs (v4.3.1 docs, charts
// read by eye): as tiers they are as far apart.
func TestTierMeasuredServers(t *testing.T) {
	const rows, row = 1e6, 512.0
	host := HostTier(hw.Gather{Bandwidth: 11.6e9}, 0)
	ssd := SSDTier(hw.SSD{Bandwidth: 0.37e9}, 0, 0)
	if got, want := ssd.Seconds(rows, rows*row)/host.Seconds(rows, rows*row), 11.6/0.37; !near(got, want) {
		t.Errorf("the SSD takes %.2f times as long as the host, want %.2f", got, want)
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
