package placement

import "math"

// Fitness is the adaptive value of a scheme and what it is made of. Value is
// what placement policies maximise: samples/s (throughput), million samples per
// USD (cost), steps per second (time); an infeasible scheme has a negative
// Value, lower the farther it is from fitting.
type Fitness struct {
	Value      float64
	Throughput float64 // samples/s
	Price      float64 // USD/h of all devices of the scheme
	Cost       float64 // USD per million samples
	Feasible   bool
}

// costOf converts USD/h and seconds per step to USD per million samples.
func (p *Problem) costOf(price, seconds float64) float64 {
	return price * seconds * p.million
}

// fitness is the value of a scheme that takes so many seconds per step and so
// many USD/h, or a missed floor or cap.
func (p *Problem) fitness(seconds, price float64) Fitness {
	f := Fitness{Throughput: float64(p.Batch) / seconds, Price: price}
	f.Cost = p.costOf(price, seconds)
	f.Feasible = p.meets(f.Throughput, price, f.Cost)
	if !f.Feasible {
		f.Value = violation(missed, p.miss(f.Throughput, f.Cost, price))
		return f
	}
	switch p.Objective {
	case Cost:
		f.Value = 1 / f.Cost
	case Time:
		f.Value = 1 / seconds
	default:
		f.Value = f.Throughput
	}
	return f
}

// miss says how far a result is from the floor and the caps, as the largest of
// the relative distances.
func (p *Problem) miss(throughput, cost, price float64) float64 {
	by := 0.0
	if p.MinThroughput > 0 {
		by = max(by, 1-throughput/p.MinThroughput)
	}
	if p.MaxCost > 0 {
		by = max(by, 1-p.MaxCost/cost)
	}
	if p.MaxPrice > 0 {
		by = max(by, 1-p.MaxPrice/price)
	}
	return by
}

// The ways in which a scheme does not fit, the nearest to fitting first.
const (
	missed     = iota + 1 // the floor or a cap
	endless               // its recurrence cannot be told in the simulator's time
	devices               // its pools have too few devices
	memory                // a stage fits on no number of devices
	disordered            // no order of its stages sends every edge forward
	refused               // a pool cannot run a layer
	timeless              // no layer takes any time: there is no optimum
)

// violation is the value of an infeasible scheme: below -kind, the lower the
// larger by, and not below the next kind.
func violation(kind int, by float64) float64 {
	return -float64(kind) - (1 - 1/(1+max(by, 0)))
}

func infeasible(kind int, by float64) Fitness { return Fitness{Value: violation(kind, by)} }

// provisioned reports whether devices were chosen: the scheme fits, and at worst
// misses the floor or a cap.
func (f Fitness) provisioned() bool { return f.Feasible || f.Value > -endless }

// ClosedForm returns the fitness of a scheme by the published cost model and
// leaves the provisioning in the evaluator. It does not allocate.
func (ev *Evaluator) ClosedForm(s Scheme) Fitness {
	if n, _ := ev.merge(s); n > 0 {
		return infeasible(refused, float64(n))
	}
	return ev.provision()
}

// positive reports whether v is a number above 0 and below infinity.
func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
