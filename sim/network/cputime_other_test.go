//go:build !linux

package network

import "time"

var started = time.Now()

// cpuTime returns wall time where processor time is not at hand.
func cpuTime() time.Duration { return time.Since(started) }
