package scenarios

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do(0) to do(n-1), at most GOMAXPROCS at a time, and returns their
// errors joined, in order.
func parallel(n int, do func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}
