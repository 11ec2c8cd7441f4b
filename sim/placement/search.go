package placement

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// search is one run of a policy. Its methods belong to one goroutine;
// evaluateAll starts others and waits for them.
type search struct {
	ctx context.Context
	p   *Problem
	opt Options
	ev  *Evaluator
	evs []*Evaluator // of the workers; evs[0] is ev

	procs   int // GOMAXPROCS when the search began
	memo    *Memo
	pending []int // scratch of evaluateAll: what the workers evaluate
	entries []int // scratch of evaluateAll: in the memo, or < 0

	best                 Scheme
	worst                float64 // the lowest value of a feasible scheme seen; 0: none
	plan                 *Plan   // of devices that were given; nil: of best
	fitness              Fitness
	evaluations, repeats int
	history              []Generation
	population           bool // the policy writes its own history
	pareto               []Point
	finalists            []Point // the best, as many as the options ask for
	reached              reached
	most                 string // in place of reached, where it is proven
	effort               effort

	bound       float64 // fitness that no scheme can exceed; 0: none is proven
	certificate string

	start, told time.Time
	asked       int    // calls of stopped
	over        error  // why the search must end; nil: it may go on
	ended       string // what ended it

	pcg  *rand.PCG
	rand *rand.Rand
}

func newSearch(ctx context.Context, p *Problem, opt Options) *search {
	s := &search{ctx: ctx, p: p, opt: opt, ev: NewEvaluator(p), procs: runtime.GOMAXPROCS(0), memo: opt.Memo, best: make(Scheme, p.layers)}
	if s.memo == nil {
		s.memo = NewMemo(p)
	}
	s.memo.begin(p)
	s.effort.stopped = s.stopped
	if opt.Progress != nil || opt.Time > 0 {
		s.start = time.Now()
		s.told = s.start
	}
	return s
}

// budgetError says which budget ended a search.
type budgetError string

func (e budgetError) Error() string { return string(e) }

// unknown is what a scheme is worth that the budget kept from being evaluated.
var unknown = Fitness{Value: math.Inf(-1)}

// evaluate returns the fitness of a scheme, from the memo if it was evaluated
// before. Once the budget is spent, a new scheme is worth less than any; a policy
// asks stopped before it goes on.
func (s *search) evaluate(sc Scheme) Fitness {
	at, fresh := s.memo.visit(sc)
	if at >= 0 && !fresh {
		s.repeats++
		return s.memo.fitness[at]
	}
	if s.spent() {
		s.memo.leave(at)
		return unknown
	}
	var f Fitness
	if at >= 0 && s.memo.known(at) {
		f = s.memo.fitness[at]
	} else {
		f = s.compute(s.ev, sc)
		s.memo.put(at, f)
	}
	s.count(sc, f)
	return f
}

// compute evaluates a scheme at the search's fidelity.
func (s *search) compute(ev *Evaluator, sc Scheme) Fitness {
	if s.opt.Fidelity == Recurrence {
		return ev.Recurrence(sc)
	}
	return ev.ClosedForm(sc)
}

// count takes a scheme that this search had not seen into its figures, and keeps
// the best: of equal values the cheaper, of equal prices the first.
func (s *search) count(sc Scheme, f Fitness) {
	s.evaluations++
	s.archive(sc, f)
	s.keep(sc, f)
	s.reached.add(s.p, f)
	if f.Feasible && (s.worst == 0 || f.Value < s.worst) {
		s.worst = f.Value
	}
	if s.evaluations == 1 || better(f, s.fitness) {
		s.fitness = f
		copy(s.best, sc)
		if !s.population && f.Feasible {
			s.history = append(s.history, Generation{Generation: len(s.history), Evaluations: s.evaluations, Best: f.Value})
		}
	}
}

// batch is how many schemes of evaluateAll are evaluated before it asks whether
// to stop.
const batch = 256

// grain is how many schemes a worker takes at a time: some ten microseconds of
// work, beside which waking a goroutine is cheap.
func (s *search) grain() int {
	n := 256
	if s.opt.Fidelity == Recurrence {
		n = 32
	}
	return max(1, n/s.p.layers)
}

// evaluateAll is evaluate for many schemes on all workers. Figures, history and
// best come out as if they had been evaluated one after the other.
func (s *search) evaluateAll(scs []Scheme, out []Fitness) {
	for len(scs) > 0 {
		n := min(batch, len(scs))
		if s.stopped() != nil {
			for i := range scs {
				out[i] = unknown
			}
			return
		}
		s.evaluateBatch(scs[:n], out[:n])
		scs, out = scs[n:], out[n:]
	}
}

// evaluateOr is evaluateAll, and says why the search must end when it must.
func (s *search) evaluateOr(scs []Scheme, out []Fitness) error {
	s.evaluateAll(scs, out)
	return s.over
}

// forget gives up the memo, unless the caller wants it, for a policy that never
// comes back to a scheme.
func (s *search) forget() {
	if s.opt.Memo == nil {
		s.memo.most = 0
	}
}

// The entries of evaluateBatch that are not in the memo.
const (
	full    = -1 // the memo is: evaluated, not kept
	skipped = -2 // the budget is spent
)

// evaluateBatch looks all schemes up, lets the workers evaluate the new ones, and
// counts them in order.
func (s *search) evaluateBatch(scs []Scheme, out []Fitness) {
	s.pending, s.entries = s.pending[:0], s.entries[:0]
	fresh := make([]bool, len(scs))
	left := math.MaxInt
	if s.opt.Evaluations > 0 {
		left = s.opt.Evaluations - s.evaluations
	}
	for i, sc := range scs {
		at, isNew := s.memo.visit(sc)
		if isNew || at < 0 {
			if left == 0 {
				s.memo.leave(at)
				at = skipped
			} else {
				left--
				fresh[i] = true
				if at < 0 || !s.memo.known(at) {
					s.pending = append(s.pending, i)
				}
			}
		}
		s.entries = append(s.entries, at)
	}
	s.work(scs, out)
	for _, i := range s.pending {
		s.memo.put(s.entries[i], out[i])
	}
	for i, at := range s.entries {
		switch {
		case at == skipped:
			out[i] = unknown
			s.spent()
			continue
		case at >= 0:
			out[i] = s.memo.fitness[at]
		}
		if fresh[i] {
			s.count(scs[i], out[i])
		} else {
			s.repeats++
		}
	}
}

// work evaluates the pending schemes.
func (s *search) work(scs []Scheme, out []Fitness) {
	for len(s.evs) < s.workers(len(s.pending)) {
		if len(s.evs) == 0 {
			s.evs = append(s.evs, s.ev)
		} else {
			s.evs = append(s.evs, NewEvaluator(s.p))
		}
	}
	s.each(len(s.pending), s.grain(), func(worker, i int) {
		at := s.pending[i]
		out[at] = s.compute(s.evs[worker], scs[at])
	})
}

// workers returns how many goroutines share n pieces of work.
func (s *search) workers(n int) int {
	w := s.opt.Workers
	if w < 1 {
		w = s.procs
	}
	return max(1, min(w, n))
}

// each calls do for 0 to n-1, on as many goroutines as are worth it when each
// takes grain of them at a time. do must not depend on the worker but for scratch
// memory.
func (s *search) each(n, grain int, do func(worker, i int)) {
	workers := max(1, min(s.workers(n), n/grain))
	if workers == 1 {
		for i := range n {
			do(0, i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for {
				from := int(next.Add(int64(grain))) - grain
				if from >= n {
					return
				}
				for i := from; i < min(from+grain, n); i++ {
					do(worker, i)
				}
			}
		})
	}
	group.Wait()
}

// spent reports whether the budget of evaluations is used up, and ends the
// search if so.
func (s *search) spent() bool {
	if s.opt.Evaluations == 0 || s.evaluations < s.opt.Evaluations {
		return false
	}
	if s.over == nil {
		s.over = budgetError(fmt.Sprintf("evaluations = %d", s.opt.Evaluations))
	}
	return true
}

// stopped returns why the search must end: the context's error, or a budget.
// It also tells how far the search is, now and then.
func (s *search) stopped() error {
	if s.over != nil {
		return s.over
	}
	if err := s.ctx.Err(); err != nil {
		s.over = err
		return err
	}
	if s.spent() {
		return s.over
	}
	if s.asked++; s.opt.Time > 0 && time.Since(s.start) >= s.opt.Time && s.evaluations > 0 {
		s.over = budgetError(fmt.Sprintf("time = %v", s.opt.Time))
		return s.over
	}
	if s.opt.Progress != nil && s.asked%8 == 0 && time.Since(s.told) >= every {
		s.tell()
	}
	return nil
}

// every is how long a search is silent between two Progress.
const every = 100 * time.Millisecond

func (s *search) tell() {
	if s.opt.Progress == nil {
		return
	}
	s.told = time.Now()
	s.opt.Progress(Progress{Evaluations: s.evaluations, Repeats: s.repeats, Best: s.fitness, Bound: s.bound, Elapsed: s.told.Sub(s.start)})
}

// prove lowers the bound: no scheme is worth more than value at the search's
// fidelity, as how says. Of equal bounds the first one's reason stays.
func (s *search) prove(value float64, how string) {
	if value > 0 && (s.bound == 0 || value < s.bound) {
		s.bound, s.certificate = value, how
	}
}

// rng returns the generator for one purpose of a search, good until the next one.
func (s *search) rng(purpose uint64) *rand.Rand {
	if s.rand == nil {
		s.pcg = rand.NewPCG(0, 0)
		s.rand = rand.New(s.pcg)
	}
	s.pcg.Seed(uint64(s.opt.Seed), purpose)
	return s.rand
}

// stream returns a generator of its own for one purpose of a search.
func (s *search) stream(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(s.opt.Seed), purpose))
}

// uniform returns the scheme with every layer on pool t.
func (p *Problem) uniform(t int) Scheme {
	sc := make(Scheme, p.layers)
	for l := range sc {
		sc[l] = uint8(t)
	}
	return sc
}
