package network

import (
	"time"

	"stowage/hw/unit"
)

// RingAllReduce returns the seconds of a ring all-reduce of bytes among n
// participants whose slowest link carries bandwidth in each direction: 2(n-1)
// steps, each moving bytes/n and paying latency (Patarasuk and Yuan, "Bandwidth
// optimal all-reduce algorithms for clusters of workstations", JPDC 2009). One
// participant needs none.
func RingAllReduce(bytes float64, n int, bandwidth unit.Rate, latency time.Duration) float64 {
	if n < 2 {
		return 0
	}
	steps := float64(2 * (n - 1))
	return steps * (bytes/float64(n)/float64(bandwidth) + latency.Seconds())
}

// PushPull returns the seconds in which n participants push gradients of bytes
// to sharded parameter servers and pull the parameters back, every participant
// through a link of its own and the servers through ports links of the same
// bandwidth in all: the slower side counts (Li et al., "Scaling Distributed
// Machine Learning with the Parameter Server", OSDI 2014).
func PushPull(bytes float64, n, ports int, bandwidth unit.Rate, latency time.Duration) float64 {
	if n < 1 {
		return 0
	}
	load := max(1, float64(n)/float64(max(1, ports)))
	return 2 * (bytes*load/float64(bandwidth) + latency.Seconds())
}

// RingAllGather returns the seconds of a ring all-gather among n participants that
// contribute bytes each, over links that carry bandwidth in each direction: n-1
// steps, in each of which every participant passes on what it got in the one before
// (Thakur, Rabenseifner and Gropp, "Optimization of collective communication
// operations in MPICH", 2005). One participant needs none.
func RingAllGather(bytes float64, n int, bandwidth unit.Rate, latency time.Duration) float64 {
	if n < 2 {
		return 0
	}
	return float64(n-1) * (bytes/float64(bandwidth) + latency.Seconds())
}

// AllToAll returns the seconds in which each of n participants sends bytes to every
// other one, all at once, through ports that carry bandwidth in each direction into a
// switch that holds nobody up. One participant needs none.
func AllToAll(bytes float64, n int, bandwidth unit.Rate, latency time.Duration) float64 {
	if n < 2 {
		return 0
	}
	return float64(n-1)*bytes/float64(bandwidth) + latency.Seconds()
}
