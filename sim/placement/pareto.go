package placement

import (
	"slices"
	"sort"
)

// Point is a scheme that no other one seen beats in both throughput and cost.
type Point struct {
	Scheme  Scheme
	Fitness Fitness
}

// MaxPareto bounds the points that a search keeps. Beyond it a scheme is kept
// only in the place of one that it beats.
const MaxPareto = 4096

// archive keeps a feasible scheme unless one that is seen is as fast and as
// cheap. Points are sorted by cost and so by throughput.
func (s *search) archive(sc Scheme, f Fitness) {
	if !f.Feasible {
		return
	}
	pts := s.pareto
	at := sort.Search(len(pts), func(i int) bool { return pts[i].Fitness.Cost > f.Cost })
	if at > 0 && pts[at-1].Fitness.Throughput >= f.Throughput {
		return
	}
	if at > 0 && pts[at-1].Fitness.Cost == f.Cost {
		at--
	}
	to := at
	for to < len(pts) && pts[to].Fitness.Throughput <= f.Throughput {
		to++
	}
	if to == at && len(pts) >= MaxPareto {
		return
	}
	s.pareto = slices.Replace(pts, at, to, Point{slices.Clone(sc), f})
}
