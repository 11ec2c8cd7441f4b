package sim

import (
	"math"
	"slices"
)

// Levels is how the best schemes of a search compare at each fidelity. The target
// scheme is the one that is best simulated.
type Levels struct {
	Unit      string     `json:"unit"`      // of all values: samples/s, USD/Msamples or s
	Finalists []Finalist `json:"finalists"` // as the search ranked them, the best first, then what they were improved to
	// Simulations is how many others were simulated to improve them.
	Simulations int `json:"simulations,omitempty"`
	// Agreement is how far two fidelities rank the finalists alike.
	Agreement []Agreement `json:"agreement,omitempty"`
}

// Finalist is one of the best schemes that the search saw.
type Finalist struct {
	Layers     []string `json:"layers"`  // device type of each layer
	Devices    []int    `json:"devices"` // of each stage
	Stages     []string `json:"stages"`  // device type and layers of each stage, for people
	Target     bool     `json:"target,omitempty"`
	Improved   bool     `json:"improved,omitempty"` // it was found by simulating, not by the search
	ClosedForm *Level   `json:"closed_form,omitempty"`
	Recurrence *Level   `json:"recurrence,omitempty"`
	Simulated  *Level   `json:"simulated,omitempty"` // warm: over the last quarter of the rounds
	// Infeasible says why the scheme cannot be simulated.
	Infeasible string `json:"infeasible,omitempty"`
}

// Level is what a scheme is worth at one fidelity.
type Level struct {
	Value  float64 `json:"value"`            // in the unit of Levels
	Rank   int     `json:"rank"`             // 1: the best of the finalists; equals share a rank
	Misses bool    `json:"misses,omitempty"` // the floor or a cap

	Fitness float64 `json:"-"` // that ranks it
}

// Agreement is Kendall's tau between the rankings of two fidelities: 1 when they rank
// alike, -1 when they rank the other way round.
type Agreement struct {
	A   string  `json:"a"`
	B   string  `json:"b"`
	Tau float64 `json:"tau"`
}

// fidelities are the levels, the lowest first.
var fidelities = []struct {
	name string
	of   func(f *Finalist) *Level
}{
	{"closed-form", func(f *Finalist) *Level { return f.ClosedForm }},
	{"recurrence", func(f *Finalist) *Level { return f.Recurrence }},
	{"simulated", func(f *Finalist) *Level { return f.Simulated }},
}

// Rank fills in ranks and agreement from the fitness at each level.
func (l *Levels) Rank() {
	for _, at := range fidelities {
		for i := range l.Finalists {
			if own := at.of(&l.Finalists[i]); own != nil {
				own.Rank = 1
				for k := range l.Finalists {
					if other := at.of(&l.Finalists[k]); other != nil && other.Fitness > own.Fitness {
						own.Rank++
					}
				}
			}
		}
	}
	l.Agreement = nil
	for i, b := range fidelities {
		for _, a := range fidelities[:i] {
			var x, y []float64
			for k := range l.Finalists {
				if p, q := a.of(&l.Finalists[k]), b.of(&l.Finalists[k]); p != nil && q != nil {
					x, y = append(x, p.Fitness), append(y, q.Fitness)
				}
			}
			if tau, ok := kendall(x, y); ok {
				l.Agreement = append(l.Agreement, Agreement{a.name, b.name, tau})
			}
		}
	}
}

// Target is the finalist that is run; -1: none is.
func (l *Levels) Target() int {
	return slices.IndexFunc(l.Finalists, func(f Finalist) bool { return f.Target })
}

// Searched is how many of the finalists the search found.
func (l *Levels) Searched() (n int) {
	for i := range l.Finalists {
		if !l.Finalists[i].Improved {
			n++
		}
	}
	return n
}

// kendall is Kendall's tau-b of two rankings, which counts ties (Kendall, 1945); false
// when one of them does not rank at all.
func kendall(x, y []float64) (tau float64, ok bool) {
	sum, untiedX, untiedY := 0.0, 0.0, 0.0
	for i := range x {
		for k := range i {
			dx, dy := sign(x[i]-x[k]), sign(y[i]-y[k])
			sum += dx * dy
			untiedX += dx * dx
			untiedY += dy * dy
		}
	}
	if untiedX == 0 || untiedY == 0 {
		return 0, false
	}
	return sum / math.Sqrt(untiedX*untiedY), true
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
