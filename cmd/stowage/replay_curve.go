package main

import (
	"math"

	"stowage/reports"
	"stowage/sim/slots"
)

// curveMaker counts LRU's hits at every number of slots.
type curveMaker struct {
	follower
	source string
	result func() (lookups int64, points []reports.ReplayPoint)
}

// newCurve makes the curve that is asked for.
func (t *traceReplay) newCurve(warmup int64) (*curveMaker, error) {
	m := &curveMaker{source: t.flags.mrc.value}
	if t.exact() {
		return m, t.exactCurve(m, warmup)
	}
	s, err := slots.NewHeadShards(slots.ShardsConfig{
		Rate: float64(t.flags.rate), MaxKeys: t.flags.sampled, Seed: 1, Warmup: warmup,
	}, slots.DefaultHead)
	if err != nil {
		return nil, err
	}
	m.count = func(keys []uint64) error { s.Add(keys); return nil }
	m.result = func() (int64, []reports.ReplayPoint) {
		e := s.Estimate()
		return e.Lookups(), pointsOf(enough(e), func(n int) int64 { return int64(math.Round(e.HitRatio(n) * float64(e.Lookups()))) })
	}
	return m, nil
}

func (t *traceReplay) exactCurve(m *curveMaker, warmup int64) error {
	s, err := slots.NewStackDistances(t.unique, warmup)
	if err != nil {
		return err
	}
	numbers := t.dense()
	m.count = func(keys []uint64) error {
		ids, err := numbers(keys)
		if err == nil {
			s.Add(ids)
		}
		return err
	}
	m.result = func() (int64, []reports.ReplayPoint) {
		c := s.Curve()
		return c.Lookups(), pointsOf(c.Enough(), c.Hits)
	}
	return nil
}

// enough is the least number of slots from which on the estimate does not rise.
func enough(e *slots.Estimate) int {
	most := 1
	for most < math.MaxInt/2 && e.HitRatio(most) < e.HitRatio(math.MaxInt) {
		most *= 2
	}
	return most
}

// finish returns the curve of what was counted.
func (m *curveMaker) finish() (*reports.ReplayCurve, error) {
	if err := m.wait(); err != nil {
		return nil, err
	}
	c := &reports.ReplayCurve{Source: m.source, Rate: rateOf(m.seen, m.busy)}
	c.Lookups, c.Points = m.result()
	return c, nil
}

// pointsPerDecade is how many sizes a curve is given at beyond the smallest.
const pointsPerDecade = 100

// pointsOf are points at all sizes to 100 and then 100 a decade, 1, 2 and 5 times
// powers of ten among them, up to most, where the curve ends: at one slot when nothing
// ever hits.
func pointsOf(most int, hits func(slots int) int64) []reports.ReplayPoint {
	most = max(most, 1)
	var points []reports.ReplayPoint
	add := func(n int) {
		if n <= most && (len(points) == 0 || n > points[len(points)-1].Slots) {
			points = append(points, reports.ReplayPoint{Slots: n, Hits: hits(n)})
		}
	}
	for n := 1; n <= min(most, 100); n++ {
		add(n)
	}
	for decade := 100; decade < most; decade *= 10 {
		for i := 1; i <= pointsPerDecade; i++ {
			n := int(math.Round(float64(decade) * math.Pow(10, float64(i)/pointsPerDecade)))
			for _, m := range []int{2, 5} {
				if n > m*decade && points[len(points)-1].Slots < m*decade {
					add(m * decade)
				}
			}
			add(n)
		}
	}
	add(most)
	return points
}
