package slots

import "fmt"

// ShardsConfig says how a trace is sampled.
type ShardsConfig struct {
	// Rate is the share of keys that are sampled, over 0 up to 1. With MaxKeys it
	// is where the rate begins.
	Rate float64

	// MaxKeys bounds the sampled keys held: beyond it the rate is lowered (fixed
	// size). 0: no bound, the sample grows with the distinct keys (fixed rate).
	MaxKeys int

	// Seed decides which keys are sampled.
	Seed uint64

	// Warmup is the number of first lookups that are not counted.
	Warmup int64
}

func (c ShardsConfig) check() error {
	switch {
	case !(c.Rate > 0 && c.Rate <= 1):
		return fmt.Errorf("rate = %v: want the share of keys to sample, over 0 up to 1", c.Rate)
	case c.MaxKeys < 0:
		return fmt.Errorf("keys = %d: want how many sampled keys to hold, or 0 for no bound", c.MaxKeys)
	case c.Warmup < 0:
		return fmt.Errorf("warm-up = %d lookups: want >= 0", c.Warmup)
	}
	return nil
}

// Shards estimates the misses of LRU at every number of slots from a sample of
// the keys (Waldspurger et al., "Efficient MRC construction with SHARDS", FAST
// 2015): a key belongs to the sample by its hash; the stack distance of a sampled lookup
// among the sampled keys, divided by the rate, is an estimate of its
// distance among all keys; the lookup stands for 1/rate lookups. When the rate is
// lowered, earlier lookups stand for as many as they did.
//
// The hottest keys fall into the sample or not, which is most of the error on
// skewed traces; see HeadShards.
//
// Memory is about 70 bytes a sampled key.
type Shards struct {
	cfg    ShardsConfig
	sample *sample
	now    int64 // lookups so far
	hits   weights
	cold   float64
}

// NewShards returns the state before the first lookup. The error says what is
// wrong with the configuration.
func NewShards(cfg ShardsConfig) (*Shards, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Shards{cfg: cfg, sample: newSample(cfg.Rate, cfg.MaxKeys)}, nil
}

// Add looks keys up, in order. Any 64-bit keys will do.
func (s *Shards) Add(keys []uint64) { addShards(s, keys) }

// AddRows looks rows up, in order: row r is key r.
func (s *Shards) AddRows(rows []uint32) { addShards(s, rows) }

func addShards[K uint32 | uint64](s *Shards, keys []K) {
	salt := saltOf(s.cfg.Seed)
	threshold := s.sample.threshold
	for i, k := range keys {
		h := fmix64(uint64(k) ^ salt)
		if h >= threshold {
			continue
		}
		s.look(uint64(k), h, s.now+int64(i))
		threshold = s.sample.threshold
	}
	s.now += int64(len(keys))
}

// saltOf spreads a seed over 64 bits.
func saltOf(seed uint64) uint64 { return fmix64(seed + 0x9e3779b97f4a7c15) }

// look looks a sampled key up.
func (s *Shards) look(key, hash uint64, now int64) {
	place, rate := s.sample.place(key), s.sample.rate()
	if now >= s.cfg.Warmup {
		if place > 0 {
			s.hits.add(float64(place)/rate, 1/rate)
		} else {
			s.cold += 1 / rate
		}
	}
	s.sample.use(key, hash, uint64(now))
}

// Rate returns the share of keys that are sampled now.
func (s *Shards) Rate() float64 { return s.sample.rate() }

// Keys returns the number of sampled keys held.
func (s *Shards) Keys() int { return len(s.sample.ids) }

// Plain returns the estimate from the sampled lookups as they are.
func (s *Shards) Plain() *Estimate { return s.estimate(0) }

// Adjusted returns the estimate with the correction of the paper (section 3.4,
// SHARDS-adj): if the sampled lookups stand for fewer or more than there were, the
// difference is taken to be lookups of the hottest keys, and goes to the
// smallest distance.
func (s *Shards) Adjusted() *Estimate {
	return s.estimate(float64(s.counted()) - s.cold - s.hits.sum())
}

func (s *Shards) counted() int64 { return max(0, s.now-s.cfg.Warmup) }

func (s *Shards) estimate(first float64) *Estimate {
	e := &Estimate{lookups: s.counted(), hits: make([]float64, max(len(s.hits), 1))}
	total := s.cold + s.hits.sum() + first
	if total <= 0 {
		return e
	}
	sum := first
	for b := range e.hits {
		if b < len(s.hits) {
			sum += s.hits[b]
		}
		e.hits[b] = sum / total * float64(e.lookups)
	}
	return e
}
