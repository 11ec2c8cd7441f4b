package slots

import "math/bits"

// Estimate is the misses of LRU at every number of slots, from a sample.
type Estimate struct {
	lookups int64
	hits    []float64 // per bucket: lookups that hit with the slots of its upper bound
}

// Lookups returns the number of lookups that the estimate stands for.
func (e *Estimate) Lookups() int64 { return e.lookups }

// HitRatio is the estimated share of lookups that hit; 0 without lookups.
func (e *Estimate) HitRatio(slots int) float64 {
	if e.lookups == 0 || slots < 1 || len(e.hits) == 0 {
		return 0
	}
	b := bucketOf(uint64(slots))
	if b >= len(e.hits) {
		b = len(e.hits) - 1
		slots = int(bucketStart(b+1)) - 1
	}
	below := 0.0
	if b > 0 {
		below = e.hits[b-1]
	}
	start, end := bucketStart(b), bucketStart(b+1)
	part := float64(uint64(slots)-start+1) / float64(end-start)
	hits := below + part*(e.hits[b]-below)
	return min(max(hits/float64(e.lookups), 0), 1)
}

// MissRatio is the estimated share of lookups that miss; 0 without lookups.
func (e *Estimate) MissRatio(slots int) float64 {
	if e.lookups == 0 {
		return 0
	}
	return 1 - e.HitRatio(slots)
}

// subBuckets is how many buckets there are from one power of two to the next:
// distances are kept to within 1/128.
const subBuckets = 128

// bucketOf returns the bucket of a distance: itself up to 2*subBuckets, then the
// leading 8 bits.
func bucketOf(d uint64) int {
	e := max(bits.Len64(d)-8, 0)
	return e*subBuckets + int(d>>e)
}

// bucketStart returns the least distance of a bucket.
func bucketStart(b int) uint64 {
	e := max(b/subBuckets-1, 0)
	return uint64(b-e*subBuckets) << e
}

// weights is a histogram of estimated distances. Its memory is bounded: some
// thousand buckets whatever the distances.
type weights []float64

func (w *weights) add(distance, weight float64) {
	b := bucketOf(uint64(distance + 0.5))
	for b >= len(*w) {
		*w = append(*w, 0)
	}
	(*w)[b] += weight
}

func (w weights) sum() (sum float64) {
	for _, x := range w {
		sum += x
	}
	return sum
}

// scaleInto adds the weights, scaled to a sum of total, to hits.
func (w weights) scaleInto(hits []float64, total float64) {
	sum := w.sum()
	if sum == 0 {
		return
	}
	for b, x := range w {
		hits[b] += x / sum * total
	}
}
