package main

import (
	"sync"
	"time"
)

// follower counts batches of a trace on a goroutine of its own: while it counts one,
// the next is read and replayed.
type follower struct {
	count func(keys []uint64) error

	running sync.WaitGroup
	busy    time.Duration
	seen    int64
	err     error
}

// add counts a batch; the keys must stay as they are until the next call.
func (f *follower) add(keys []uint64) {
	f.running.Wait()
	if f.err != nil {
		return
	}
	f.running.Go(func() {
		start := time.Now()
		f.err = f.count(keys)
		f.busy += time.Since(start)
		f.seen += int64(len(keys))
	})
}

// wait returns the first error when all batches have been counted.
func (f *follower) wait() error {
	f.running.Wait()
	return f.err
}
