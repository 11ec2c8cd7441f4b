package lookups

import (
	"errors"
	"fmt"
	"io"
)

// DefaultTraceKeys is the number of unique keys that Record holds by default:
// 2 GiB, 8 bytes each.
const DefaultTraceKeys = 1 << 28

// DefaultRawLookups is the number of lookups that RecordRaw holds by default: 2
// GiB, 4 bytes each.
const DefaultRawLookups = 1 << 29

// Trace holds rounds of unique lookups in memory. It does not change once
// recorded and may be read by many goroutines.
type Trace struct {
	rows         int64
	keys, counts []uint32
	ends         []int64 // ends[i] is where round i ends in keys
	lookups      []int   // per round

	raw     []uint32 // the lookups of all rounds as they came; nil: not kept
	rawEnds []int64  // where round i ends in raw
	origin  []uint32 // of renumbered keys: what they were; nil: the same
}

// Record draws rounds from a stream and makes each unique. It stops early when
// the stream ends; that the trace then holds fewer rounds is not an error, but
// to hold none is.
//
// limit bounds the unique keys held, over all rounds; 0 means DefaultTraceKeys.
// Beyond it Record returns a *LimitError and the rounds that fitted.
func Record(s Stream, rounds int, limit int64) (*Trace, error) {
	return record(s, rounds, limit, 0)
}

// RecordRaw is Record that keeps the lookups themselves as well (Trace.Raw), 4
// bytes each. rawLimit bounds them; 0 means DefaultRawLookups.
func RecordRaw(s Stream, rounds int, limit, rawLimit int64) (*Trace, error) {
	if rawLimit <= 0 {
		rawLimit = DefaultRawLookups
	}
	return record(s, rounds, limit, rawLimit)
}

// record is Record; rawLimit = 0 keeps no lookups.
func record(s Stream, rounds int, limit, rawLimit int64) (*Trace, error) {
	if rounds < 1 {
		return nil, fmt.Errorf("rounds = %d: want at least 1", rounds)
	}
	if limit <= 0 {
		limit = DefaultTraceKeys
	}
	t := &Trace{rows: s.Rows()}
	unique := NewUniquer(t.rows)
	var buf []uint32
	for i := range rounds {
		var err error
		buf, err = s.Next(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t, fmt.Errorf("round %d: %w", i, err)
		}
		r := unique.Unique(buf)
		if int64(len(t.keys)+len(r.Keys)) > limit {
			return t, &LimitError{
				What:  fmt.Sprintf("unique keys of %d recorded rounds", rounds),
				Limit: limit,
				Where: fmt.Sprintf("round %d", i),
				Raise: "record fewer rounds, take a smaller batch, or raise the limit of recorded keys (8 bytes each)",
			}
		}
		if rawLimit > 0 {
			if int64(len(t.raw)+len(buf)) > rawLimit {
				return t, &LimitError{
					What:  fmt.Sprintf("lookups of %d recorded rounds", rounds),
					Limit: rawLimit,
					Where: fmt.Sprintf("round %d", i),
					Raise: "record fewer rounds, take a smaller batch, or raise the limit of recorded lookups (4 bytes each)",
				}
			}
			t.raw = append(t.raw, buf...)
			t.rawEnds = append(t.rawEnds, int64(len(t.raw)))
		}
		t.append(r)
	}
	if t.Rounds() == 0 {
		return t, errors.New("the stream ended before its first round: nothing to record")
	}
	return t, nil
}

func (t *Trace) append(r Round) {
	t.keys = append(t.keys, r.Keys...)
	t.counts = append(t.counts, r.Counts...)
	t.ends = append(t.ends, int64(len(t.keys)))
	t.lookups = append(t.lookups, r.Lookups)
}

// Rows returns the number of rows of the layer: all keys are below it.
func (t *Trace) Rows() int64 { return t.rows }

// Rounds returns the number of rounds.
func (t *Trace) Rounds() int { return len(t.ends) }

// Keys returns the number of unique keys held, summed over the rounds.
func (t *Trace) Keys() int64 { return int64(len(t.keys)) }

// Round returns round i, 0 <= i < Rounds(). Its slices belong to the trace.
func (t *Trace) Round(i int) Round {
	from, to := int64(0), t.ends[i]
	if i > 0 {
		from = t.ends[i-1]
	}
	return Round{
		Lookups: t.lookups[i],
		Keys:    t.keys[from:to:to],
		Counts:  t.counts[from:to:to],
	}
}

// From returns the rounds from one on, the first of them being round 0. They share their
// lookups with t.
func (t *Trace) From(round int) *Trace {
	if round == 0 {
		return t
	}
	cut := func(ends []int64) (base int64, rest []int64) {
		base = ends[round-1]
		for _, end := range ends[round:] {
			rest = append(rest, end-base)
		}
		return base, rest
	}
	u := &Trace{rows: t.rows, lookups: t.lookups[round:], origin: t.origin}
	base, ends := cut(t.ends)
	u.keys, u.counts, u.ends = t.keys[base:], t.counts[base:], ends
	if t.raw != nil {
		base, u.rawEnds = cut(t.rawEnds)
		u.raw = t.raw[base:]
	}
	return u
}

// LimitError says that a limit of this package was met, which one, and how to
// raise it.
type LimitError struct {
	What  string // what is limited
	Limit int64
	Where string // file and line, or round
	Raise string // what to do
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: more than %d %s: %s", e.Where, e.Limit, e.What, e.Raise)
}
