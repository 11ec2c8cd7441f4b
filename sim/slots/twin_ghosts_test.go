package slots

import (
	"math"
	"slices"
)

// The twins of the policies that remember keys: queues are slices, the oldest
// first.

// slowS3FIFO is S3-FIFO by its rules.
type slowS3FIFO struct {
	*twin
	small, main, ghost []uint32
	uses               map[uint32]int
	back               bool
}

func (q *slowS3FIFO) hit(k uint32, _ int) { q.uses[k]++ }

func (q *slowS3FIFO) fill(k uint32, _ int) {
	q.uses[k] = 0
	if q.back {
		q.main = append(q.main, k)
	} else {
		q.small = append(q.small, k)
	}
	q.back = false
}

func (q *slowS3FIFO) victim(k uint32, _ int) (uint32, bool) {
	q.back = slices.Contains(q.ghost, k)
	q.ghost = without(q.ghost, k)
	smallSize := int(math.Floor(float64(q.slots) / 10))
	for {
		fromMain := len(q.main) > q.slots-smallSize && q.unpinned(q.main) >= 0
		for !fromMain && q.unpinned(q.small) >= 0 {
			v := q.small[q.unpinned(q.small)]
			q.small = without(q.small, v)
			if q.uses[v] < 2 {
				q.ghost = newest(append(q.ghost, v), q.slots*9/10)
				return v, true
			}
			q.uses[v] = 0
			q.main = append(q.main, v)
		}
		for q.unpinned(q.main) >= 0 {
			v := q.main[q.unpinned(q.main)]
			q.main = without(q.main, v)
			if q.uses[v] == 0 {
				return v, true
			}
			q.uses[v] = min(q.uses[v], 3) - 1
			q.main = append(q.main, v)
		}
	}
}

// newest returns the last n keys.
func newest(keys []uint32, n int) []uint32 { return keys[max(0, len(keys)-n):] }

// slowTwoQ is 2Q by its rules.
type slowTwoQ struct {
	*twin
	in, am, out []uint32
	back        bool
}

func (q *slowTwoQ) hit(k uint32, _ int) {
	if slices.Contains(q.am, k) {
		q.am = append(without(q.am, k), k)
	}
}

func (q *slowTwoQ) fill(k uint32, _ int) {
	if q.back {
		q.am = append(q.am, k)
	} else {
		q.in = append(q.in, k)
	}
	q.back = false
}

func (q *slowTwoQ) victim(k uint32, _ int) (uint32, bool) {
	q.back = slices.Contains(q.out, k)
	q.out = without(q.out, k)
	fromIn := len(q.in) > q.slots/4
	if fromIn && q.unpinned(q.in) < 0 || !fromIn && q.unpinned(q.am) < 0 {
		fromIn = !fromIn
	}
	if fromIn {
		v := q.in[q.unpinned(q.in)]
		q.in = without(q.in, v)
		q.out = newest(append(q.out, v), q.slots/2)
		return v, true
	}
	v := q.am[q.unpinned(q.am)]
	q.am = without(q.am, v)
	return v, true
}

// slowARC is figure 4 of the paper, case by case.
type slowARC struct {
	*twin
	t1, t2, b1, b2 []uint32
	p              float64
	back           bool
}

func (q *slowARC) hit(k uint32, _ int) {
	q.t1 = without(q.t1, k)
	q.t2 = append(without(q.t2, k), k)
}

func (q *slowARC) fill(k uint32, _ int) {
	if q.back {
		q.t2 = append(q.t2, k)
	} else {
		q.t1 = append(q.t1, k)
	}
	q.back = false
}

func (q *slowARC) victim(k uint32, _ int) (uint32, bool) {
	c := q.slots
	b1, b2 := float64(len(q.b1)), float64(len(q.b2))
	switch {
	case slices.Contains(q.b1, k):
		q.p = math.Min(float64(c), q.p+math.Max(1, b2/b1))
		q.back = true
		v := q.replace(false)
		q.b1 = without(q.b1, k)
		return v, true
	case slices.Contains(q.b2, k):
		q.p = math.Max(0, q.p-math.Max(1, b1/b2))
		q.back = true
		v := q.replace(true)
		q.b2 = without(q.b2, k)
		return v, true
	case len(q.t1)+len(q.b1) == c:
		if len(q.t1) == c {
			v := q.t1[q.unpinned(q.t1)]
			q.t1 = without(q.t1, v)
			return v, true
		}
		q.b1 = q.b1[1:]
	case len(q.t1)+len(q.b1)+len(q.t2)+len(q.b2) >= 2*c:
		q.b2 = q.b2[1:]
	}
	return q.replace(false), true
}

func (q *slowARC) replace(inB2 bool) uint32 {
	t1 := float64(len(q.t1))
	fromT1 := len(q.t1) >= 1 && (inB2 && t1 == q.p || t1 > q.p)
	if fromT1 && q.unpinned(q.t1) < 0 || !fromT1 && q.unpinned(q.t2) < 0 {
		fromT1 = !fromT1
	}
	if fromT1 {
		v := q.t1[q.unpinned(q.t1)]
		q.t1 = without(q.t1, v)
		q.b1 = append(q.b1, v)
		return v
	}
	v := q.t2[q.unpinned(q.t2)]
	q.t2 = without(q.t2, v)
	q.b2 = append(q.b2, v)
	return v
}
