package network

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that the process has used: on a machine that
// others use as well, wall time says little.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano())
}
