package rounds

import (
	"fmt"
	"math"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
)

// Tier is a place below the slots that embedding rows are read from and written
// to: host DRAM, an SSD, parameter servers. It never changes and may be shared.
//
// A request reads Batch rows. The first of its bytes comes Latency after it was
// issued, and then the tier is busy with it: the per-row cost and the bytes of
// Gather, or the random accesses that IOPS allows if that takes longer. Depth
// requests are under way at a time: 2 is double buffering, where the latency of
// one request hides behind the rows of the other. Writes cost what reads do.
type Tier struct {
	Name   string
	Rows   int64        // capacity; 0: holds whatever there is
	Gather hw.Gather    // per-row cost and bandwidth, of each server; zero: none of that cost
	IOPS   unit.RowRate // random accesses of each server; 0: no such limit
	Batch  int          // rows of a request; 0: all rows in one
	Depth  int          // requests under way at a time; 0: 1

	Latency time.Duration // of a request
	Servers int           // that rows are spread over, key mod Servers; 0: 1
	Port    unit.Rate     // of the reader, which all servers share; 0: no such limit
}

// PaddleBatch is how many rows Paddle's SSD table reads in one multi_get, double
// buffered (ssd_sparse_table.cc).
const PaddleBatch = 1024

// SSDTier is the flash of a node, read in double-buffered batches of PaddleBatch
// rows. Latency is that of one batched get, software included: hw.SSD has none. A node
// whose hw.SSD is zero has no such tier.
func SSDTier(s hw.SSD, rows int64, latency time.Duration) Tier {
	return Tier{
		Name: "ssd", Rows: rows, Latency: latency, Batch: PaddleBatch, Depth: 2,
		Gather: hw.Gather{Bandwidth: s.Bandwidth}, IOPS: s.IOPS,
	}
}

// ServerTier is n parameter servers behind the network port of the reader. Each
// gathers its share of the rows at the rate of g, and is asked for batch rows at
// a time, one request behind the other.
func ServerTier(n int, g hw.Gather, port hw.Link, batch int) Tier {
	return Tier{
		Name: "servers", Latency: port.Latency, Batch: batch, Servers: n,
		Gather: g, Port: port.Bandwidth,
	}
}

// Validate says which value of the tier is not accepted, and what would be.
func (t *Tier) Validate() error {
	for _, v := range []struct {
		key   string
		value float64
	}{
		{"rows", float64(t.Rows)},
		{"rows/s", float64(t.Gather.Rows)},
		{"bandwidth", float64(t.Gather.Bandwidth)},
		{"iops", float64(t.IOPS)},
		{"batch", float64(t.Batch)},
		{"depth", float64(t.Depth)},
		{"latency", float64(t.Latency)},
		{"servers", float64(t.Servers)},
		{"port", float64(t.Port)},
	} {
		if !(v.value >= 0) || math.IsInf(v.value, 0) {
			return fmt.Errorf("tier %q: %s = %g: want a finite number >= 0", t.Name, v.key, v.value)
		}
	}
	return nil
}

// Seconds returns the time in which rows of bytes in all are read from the tier
// or written to it. Rows may be an expectation, so a fraction.
func (t *Tier) Seconds(rows, bytes float64) float64 {
	if !(rows > 0) {
		return 0
	}
	servers := float64(max(1, t.Servers))
	s := t.server(rows/servers, bytes/servers)
	if t.Port > 0 {
		s = max(s, t.Latency.Seconds()+bytes/float64(t.Port))
	}
	return s
}

// server is Seconds of one server.
func (t *Tier) server(rows, bytes float64) float64 {
	batch := float64(t.Batch)
	if t.Batch == 0 || batch > rows {
		batch = rows
	}
	row := bytes / rows
	n := math.Ceil(rows / batch)
	last := t.busy(rows-(n-1)*batch, row)
	if n == 1 {
		return t.Latency.Seconds() + last
	}
	// The last request may be short: it ends after the one before it, and after
	// the latency since the one Depth before it made room.
	s := t.busy(batch, row)
	begin := t.ends(n-2, s)
	if depth := float64(max(1, t.Depth)); n-1 >= depth {
		begin = max(begin, t.ends(n-1-depth, s)+t.Latency.Seconds())
	}
	return begin + last
}

// busy is how long a request of rows keeps a server busy.
func (t *Tier) busy(rows, row float64) float64 {
	s := 0.0
	if t.Gather.Rows > 0 {
		s += rows / float64(t.Gather.Rows)
	}
	stream := 0.0
	if t.Gather.Bandwidth > 0 {
		stream = rows * row / float64(t.Gather.Bandwidth)
	}
	if t.IOPS > 0 {
		stream = max(stream, rows/float64(t.IOPS))
	}
	return s + stream
}

// ends returns when full request k, from 0, ends, each busy for s. Request k is
// issued when request k - Depth ends, so
//
//	end(k) = max(end(k-1), end(k-Depth) + Latency) + s
//
// If the other requests under way cover the latency, it shows once. If not, Depth
// requests come every Latency + s.
func (t *Tier) ends(k, s float64) float64 {
	latency, depth := t.Latency.Seconds(), float64(max(1, t.Depth))
	if latency <= (depth-1)*s {
		return latency + (k+1)*s
	}
	turn := math.Floor(k / depth)
	return turn*(latency+s) + latency + (k-turn*depth+1)*s
}
