package rounds

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLayout(t *testing.T) {
	hits := func(n int64) float64 { return float64(n) / 100 }
	for _, c := range []struct {
		layout Layout
		room   int64
		want   SourceBytes
	}{
		{ReplicatedLayout(4, 20), 20, SourceBytes{CPU: 0.8, Local: 0.2}},
		{PartitionedLayout(4, 20), 20, SourceBytes{CPU: 0.2, Remote: 0.6, Local: 0.2}},
		{MixedLayout(4, 20, 30), 20, SourceBytes{CPU: 0.5, Remote: 0.3, Local: 0.2}},
		{MixedLayout(4, 20, 60), 20, SourceBytes{CPU: 0.2, Remote: 0.6, Local: 0.2}},
		{MixedLayout(2, 10, 30), 20, SourceBytes{CPU: 0.6, Remote: 0.2, Local: 0.2}}, // more remote rows than peers can hold
		{MixedLayout(1, 20, 0), 20, SourceBytes{CPU: 0.8, Local: 0.2}},
		{Layout{Devices: 2, Replicated: 10, Partitioned: 5}, 13, SourceBytes{CPU: 0.85, Remote: 0.025, Local: 0.125}},
	} {
		got := c.layout.Split(hits)
		if !near(got.CPU, c.want.CPU) || math.Abs(got.Remote-c.want.Remote) > 1e-12 || !near(got.Local, c.want.Local) {
			t.Errorf("%+v serves %+v, want %+v", c.layout, got, c.want)
		}
		if got := c.layout.Room(); got != c.room {
			t.Errorf("%+v needs room for %d rows, want %d", c.layout, got, c.room)
		}
	}
}

// A mixed layout holds what was asked for: local rows a device, remote others.
func TestMixedLayoutRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.IntRange(2, 16).Draw(t, "devices")
		local := rapid.Int64Range(0, 1e9).Draw(t, "local")
		remote := rapid.Int64Range(0, int64(w-1)*local).Draw(t, "remote")
		l := MixedLayout(w, local, remote)
		if d := l.Room() - local; d < -1 || d > 1 || l.Replicated+l.Partitioned != local+remote {
			t.Fatalf("%d local and %d remote rows on %d devices: %+v, %d rows each", local, remote, w, l, l.Room())
		}
	})
}

// Where one source costs nothing the best layout is a plain one.
func TestBestLayoutExtremes(t *testing.T) {
	hits := func(n int64) float64 { return zipfHits(1e6, 1.2, float64(n)) }
	for _, c := range []struct {
		name    string
		seconds func(SourceBytes) float64
		want    Layout
	}{
		{"peers as fast as the own memory", func(b SourceBytes) float64 { return b.CPU }, Layout{4, 0, 40000}},
		{"peers as slow as the host", func(b SourceBytes) float64 { return b.CPU + b.Remote }, Layout{4, 10000, 0}},
	} {
		if got := BestLayout(4, 10000, 1e6, hits, c.seconds); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	// Four devices hold all of a small layer: no row comes from the host.
	small := BestLayout(4, 10000, 20000, hits, func(b SourceBytes) float64 { return 100*b.CPU + b.Remote })
	if small.Replicated+small.Partitioned != 20000 || small.Room() > 10000 {
		t.Errorf("a layer of 20000 rows: %+v", small)
	}
}

// No layout that fits is faster than the best.
func TestBestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		devices := rapid.IntRange(1, 8).Draw(t, "devices")
		room := rapid.Int64Range(0, 2000).Draw(t, "room")
		const rows = 5000
		alpha := rapid.SampledFrom([]float64{0.5, 1.1, 1.6}).Draw(t, "alpha")
		hits := func(n int64) float64 { return zipfHits(rows, alpha, float64(n)) }
		host := rapid.Float64Range(1, 200).Draw(t, "host")
		peer := rapid.Float64Range(1, 50).Draw(t, "peer")
		seconds := func(b SourceBytes) float64 {
			return SourceTimes{CPU: host * b.CPU, Remote: peer * b.Remote, Local: b.Local}.Concurrent()
		}
		got := BestLayout(devices, room, rows, hits, seconds)
		if got.Room() > room || got.Replicated+got.Partitioned > rows {
			t.Fatalf("room for %d rows of %d: %+v", room, rows, got)
		}
		least := math.Inf(1)
		for r := int64(0); r <= room; r++ {
			l := Layout{devices, r, min(int64(devices)*(room-r), rows-r)}
			least = min(least, seconds(l.Split(hits)))
		}
		if s := seconds(got.Split(hits)); s > least*(1+1e-9) {
			t.Fatalf("%+v takes %g, some layout %g", got, s, least)
		}
	})
}
