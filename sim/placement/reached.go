package placement

import (
	"fmt"
	"math"
	"strings"
)

// reached is what the schemes of a search reach at most, whether they keep the
// floor and the caps or not: each at the step of its devices that comes nearest
// to keeping them.
type reached struct {
	throughput  float64 // samples/s, within the price cap
	cost, price float64 // USD per million samples; USD/h
	any         bool    // some scheme got devices
}

func (r *reached) add(p *Problem, f Fitness) {
	if !f.provisioned() {
		return
	}
	if !r.any {
		r.any = true
		r.cost, r.price = math.Inf(1), math.Inf(1)
	}
	if p.affords(f.Price) {
		r.throughput = max(r.throughput, f.Throughput)
	}
	r.cost, r.price = min(r.cost, f.Cost), min(r.price, f.Price)
}

// say tells, of the floor and the caps that no scheme kept together, what the
// schemes reach one by one; bound is what none can exceed in samples/s, or 0. Of a
// floor and a cap on cost together it tells neither: what comes nearest to both is
// neither the fastest nor the cheapest that a scheme can do.
func (r *reached) say(p *Problem, bound float64) string {
	if !r.any {
		return ""
	}
	var most []string
	if p.MinThroughput > 0 && p.MaxCost == 0 && r.throughput > 0 {
		text := fmt.Sprintf("more than %s samples/s", figure(r.throughput))
		if p.MaxPrice > 0 {
			text += " within max_price"
		}
		most = append(most, text)
	}
	if p.MaxCost > 0 && p.MinThroughput == 0 {
		most = append(most, fmt.Sprintf("less than %s USD per million samples", figure(r.cost)))
	}
	if p.MaxPrice > 0 && r.price > p.MaxPrice*(1+slack) {
		most = append(most, fmt.Sprintf("less than %s USD/h", figure(r.price)))
	}
	if len(most) == 0 {
		return ""
	}
	text := "; no scheme seen comes to " + strings.Join(most, ", or to ")
	if p.MinThroughput > 0 && bound > 0 {
		text += fmt.Sprintf("; none at all exceeds %s samples/s", figure(bound))
	}
	return text
}

// throughputBound turns a bound on fitness into one on samples/s; 0: it says nothing.
func (p *Problem) throughputBound(bound float64) float64 {
	switch p.Objective {
	case Throughput:
		return bound
	case Time:
		return bound * float64(p.Batch)
	}
	return 0
}
