package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// mixedModel runs callbacks, processes, signals and cancellations that all depend
// on one another, makes garbage on the way, and returns a hash of all that happened.
func mixedModel(t *testing.T, seed uint64) uint64 {
	e := New(Options{})
	rng := rand.New(rand.NewPCG(seed, 1))
	hash := fnv.New64a()
	trace := func(who int) {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:8], uint64(who))
		binary.LittleEndian.PutUint64(b[8:], uint64(e.Now()))
		hash.Write(b[:])
	}
	signals := make([]*Signal, 200)
	for i := range signals {
		signals[i] = e.Signal(fmt.Sprint(i))
	}
	nap := func() time.Duration { return time.Duration(rng.IntN(50)) }
	var pending []Event
	for i := range signals {
		e.After(nap(), func() {
			signals[i].Fire()
			trace(i)
			pending = append(pending, e.After(nap(), func() { trace(1000 + i) }))
			if pending[rng.IntN(len(pending))].Cancel() {
				trace(2000 + i)
			}
		})
		signals[rng.IntN(i+1)].OnFire(func() { trace(3000 + i) })
	}
	for i := range 50 {
		e.Go(fmt.Sprint(i), func(p *Process) {
			for k := range 20 {
				garbage := make([]byte, 1+rng.IntN(4096))
				p.Sleep(nap())
				p.Wait(signals[rng.IntN(len(signals))])
				trace(4000 + 100*i + k + len(garbage))
			}
		})
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	trace(int(e.Events()))
	return hash.Sum64()
}

func TestSameBytesWhateverTheRuntimeDoes(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	want := mixedModel(t, 1)
	if mixedModel(t, 2) == want {
		t.Fatal("another seed gives the same trace, so the hash shows nothing")
	}
	for _, gogc := range []int{1, 100, -1} {
		for _, procs := range []int{1, 2} {
			t.Run(fmt.Sprintf("GOGC=%d,GOMAXPROCS=%d", gogc, procs), func(t *testing.T) {
				debug.SetGCPercent(gogc)
				runtime.GOMAXPROCS(procs)
				for range 3 {
					if got := mixedModel(t, 1); got != want {
						t.Fatalf("trace %x, want %x", got, want)
					}
				}
			})
		}
	}
}

// queue simulates a FIFO queue with one server and Poisson arrivals, written as a
// model would be: callbacks, and one pending event per resource. It returns the
// waiting times of the customers.
func queue(t *testing.T, customers int, arrive, serve func() time.Duration) []time.Duration {
	e := New(Options{})
	waits := make([]time.Duration, 0, customers)
	var line []time.Duration // arrival times of those who wait
	busy := false
	arrived := 0
	var begin func()
	end := func() {
		busy = false
		if len(line) > 0 {
			begin()
		}
	}
	begin = func() {
		waits = append(waits, e.Now()-line[0])
		line = line[1:]
		busy = true
		e.After(serve(), end)
	}
	var arrival func()
	arrival = func() {
		line = append(line, e.Now())
		if !busy {
			begin()
		}
		if arrived++; arrived < customers {
			e.After(arrive(), arrival)
		}
	}
	e.After(arrive(), arrival)
	run(t, e)
	if len(waits) != customers {
		t.Fatalf("%d customers were served, want %d", len(waits), customers)
	}
	return waits
}

// Mean waiting times against theory (Pollaczek-Khinchine; Kleinrock, Queueing
// Systems 1, 1975, section 5.6) at a load of 0.7 and a mean service of 1 ms.
func TestMeanWaitingTimes(t *testing.T) {
	const load, customers = 0.7, 200_000
	exponential := func(rng *rand.Rand, mean time.Duration) func() time.Duration {
		return func() time.Duration {
			return time.Duration(math.Round(rng.ExpFloat64() * float64(mean)))
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	service, gap := time.Millisecond, time.Duration(math.Round(1e6/load))
	for _, c := range []struct {
		name  string
		serve func() time.Duration
		want  float64 // in units of the service time
	}{
		{"M/M/1", exponential(rng, service), load / (1 - load)},
		{"M/D/1", func() time.Duration { return service }, load / (2 * (1 - load))},
	} {
		t.Run(c.name, func(t *testing.T) {
			waits := queue(t, customers, exponential(rng, gap), c.serve)
			mean, halfWidth := batchMeans(waits[customers/20:], 20)
			mean, halfWidth = mean/float64(service), halfWidth/float64(service)
			t.Logf("mean %.4f +- %.4f, theory %.4f", mean, halfWidth, c.want)
			if math.Abs(mean-c.want) > halfWidth {
				t.Errorf("mean %.4f +- %.4f is off the theory, %.4f", mean, halfWidth, c.want)
			}
			if halfWidth > 0.15*c.want {
				t.Errorf("the interval, +- %.4f, is too wide to show anything", halfWidth)
			}
		})
	}
}

// batchMeans returns the mean and the half width of its 99% confidence interval
// from 20 batches (Student's t with 19 degrees of freedom: 2.861).
func batchMeans(x []time.Duration, batches int) (mean, halfWidth float64) {
	const student = 2.861
	size := len(x) / batches
	means := make([]float64, batches)
	for b := range means {
		for _, v := range x[b*size : (b+1)*size] {
			means[b] += float64(v) / float64(size)
		}
		mean += means[b] / float64(batches)
	}
	variance := 0.0
	for _, m := range means {
		variance += (m - mean) * (m - mean) / float64(batches-1)
	}
	return mean, student * math.Sqrt(variance/float64(batches))
}
