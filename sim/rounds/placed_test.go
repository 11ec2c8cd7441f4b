package rounds

import (
	"math"
	"slices"
)

// Layout is a static choice of what the memories of several accelerators hold, of
// rows ranked by hotness: the hottest Replicated rows are in every one, each of the
// next Partitioned rows in one of them, the rest in host memory.
type Layout struct {
	Devices     int // that reach each other: all of them, or a clique
	Replicated  int64
	Partitioned int64
}

// ReplicatedLayout gives every device the same hottest rows, as many as it has
// room for.
func ReplicatedLayout(devices int, room int64) Layout {
	return Layout{Devices: devices, Replicated: room}
}

// PartitionedLayout gives every device other rows: the hottest that all have room
// for together.
func PartitionedLayout(devices int, room int64) Layout {
	return Layout{Devices: devices, Partitioned: int64(devices) * room}
}

// MixedLayout replicates as many rows as make every device hold local rows and
// find remote others at its peers: with r replicated and p partitioned rows,
// local = r + p / devices and local + remote = r + p. More remote rows than the peers
// have room for beside their own are partitioned as if they had.
func MixedLayout(devices int, local, remote int64) Layout {
	w := int64(devices)
	if w < 2 {
		return Layout{Devices: devices, Replicated: local + remote}
	}
	r := max(0, (w*local-(local+remote))/(w-1))
	return Layout{Devices: devices, Replicated: r, Partitioned: local + remote - r}
}

// Room returns the rows that a device holds.
func (l Layout) Room() int64 {
	w := int64(l.Devices)
	return l.Replicated + (l.Partitioned+w-1)/w
}

// Split returns the shares of lookups that each source serves, when hits(n) is the
// share that goes to the n hottest rows. Owners are spread evenly over the ranks.
func (l Layout) Split(hits func(rows int64) float64) SourceBytes {
	hot, all := hits(l.Replicated), hits(l.Replicated+l.Partitioned)
	own := (all - hot) / float64(l.Devices)
	return SourceBytes{CPU: 1 - all, Remote: all - hot - own, Local: hot + own}
}

// BestLayout returns the layout of devices with room for so many rows each under
// which an extraction is fastest: seconds prices the shares of lookups that each
// source serves. More replicated rows mean more local reads, fewer mean fewer reads
// of the host. It is UGache's integer program reduced to one number, for fabrics on
// which all devices reach each other; rows beyond the layer's are of no use.
func BestLayout(devices int, room, rows int64, hits func(rows int64) float64, seconds func(SourceBytes) float64) Layout {
	layout := func(replicated int64) Layout {
		l := Layout{Devices: devices, Replicated: min(replicated, rows)}
		l.Partitioned = min(int64(devices)*(room-replicated), rows-l.Replicated)
		return l
	}
	cost := func(replicated int64) float64 { return seconds(layout(replicated).Split(hits)) }
	// Hotness spans orders of magnitude, and so does what the last rows of room cover:
	// steps of a quarter from either end. Up to whole, no row is left to the host; there
	// the cost has a kink.
	whole := int64(0)
	if devices > 1 {
		whole = min(room, max(0, (int64(devices)*room-rows)/int64(devices-1)))
	}
	grid := []int64{whole, room}
	for r := room; r > 0; r -= (r + 3) / 4 {
		grid = append(grid, r, room-r)
	}
	slices.Sort(grid)
	grid = slices.Compact(grid)
	best, least := 0, math.Inf(1)
	for i, r := range grid {
		if c := cost(r); c < least {
			best, least = i, c
		}
	}
	at := grid[best]
	for _, around := range []int{best, slices.Index(grid, whole)} {
		for _, from := range []int{max(0, around-1), min(around, len(grid)-2)} {
			if from < 0 || from+1 == len(grid) {
				continue
			}
			if r := valley(grid[from], grid[from+1], cost); cost(r) < least {
				at, least = r, cost(r)
			}
		}
	}
	return layout(at)
}

// valley returns where a cost that falls, then rises is least between low and high.
func valley(low, high int64, cost func(int64) float64) int64 {
	for low < high {
		if middle := low + (high-low)/2; cost(middle) <= cost(middle+1) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
