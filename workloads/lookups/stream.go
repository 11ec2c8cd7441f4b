package lookups

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"strconv"

	"stowage/workloads"
)

// MaxRows is the largest number of rows of one layer: keys are uint32, and the
// value 2^32-1 is kept for "none".
const MaxRows = 1<<32 - 1

// MaxRoundLookups is the largest number of lookups of one round of one layer
// (4 GiB of keys). Split the batch to go beyond.
const MaxRoundLookups = 1 << 30

// Stream yields the lookups of one embedding layer, one round per call.
type Stream interface {
	// Next returns all lookups of the next round: batch x lookups per sample of
	// every table, table after table. It writes over dst from its start, growing
	// it when needed, so that a loop hands the result back in. It returns io.EOF
	// when a trace has ended; the last round of a trace may be short. After any
	// other error the stream is finished.
	Next(dst []uint32) ([]uint32, error)

	// Rows returns the number of rows of the layer: all keys are below it.
	Rows() int64
}

// NewStream returns the stream of one embedding layer with the given tables (in
// key order) for rounds of batch samples.
//
// id tells the streams of one run apart (layers, workers). Every table draws
// from its own generator, seeded by (seed, id, name of the table): adding a
// table or changing one does not change the lookups of the others. Tables of
// the same name are told apart by their order.
func NewStream(tables []workloads.Table, spec Spec, batch int, seed, id uint64) (Stream, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	rows, lookups, err := demand(tables, batch)
	if err != nil {
		return nil, err
	}
	if spec.Generator == Traced {
		return newReplayed(spec, rows, lookups)
	}
	s := &generated{rows: rows, lookups: lookups, draws: make([]draw, 0, len(tables))}
	shared := newShapes(spec)
	seen := map[string]uint64{}
	offset := int64(0)
	for i := range tables {
		t := &tables[i]
		d := draw{
			offset: uint32(offset),
			rows:   uint32(t.Rows),
			count:  batch * t.Lookups,
			rng:    tableSource(seed, id, t.Name, seen[t.Name]),
		}
		seen[t.Name]++
		offset += t.Rows
		d.shape(spec, shared, t.Lookups, batch)
		s.draws = append(s.draws, d)
	}
	return s, nil
}

// demand returns the rows of the tables and the lookups of one round, checked
// against the limits.
func demand(tables []workloads.Table, batch int) (rows int64, lookups int, err error) {
	if batch < 1 {
		return 0, 0, fmt.Errorf("batch = %d: want at least 1 sample per round", batch)
	}
	if len(tables) == 0 {
		return 0, 0, fmt.Errorf("the layer has no tables: lookups need at least one")
	}
	for i := range tables {
		t := &tables[i]
		if t.Rows < 1 || t.Rows > MaxRows-rows {
			return 0, 0, fmt.Errorf("table %s: rows = %d: want at least 1, and at most %d in all tables of a layer",
				tableName(t, i), t.Rows, int64(MaxRows))
		}
		if t.Lookups < 0 || t.Lookups > (MaxRoundLookups-lookups)/batch {
			return 0, 0, fmt.Errorf("table %s: %d lookups per sample x batch %d: want >= 0, and at most %d lookups per round in all tables of a layer (split the batch)",
				tableName(t, i), t.Lookups, batch, MaxRoundLookups)
		}
		rows += t.Rows
		lookups += batch * t.Lookups
	}
	if lookups == 0 {
		return 0, 0, fmt.Errorf("no table of the layer has lookups: want lookups >= 1 in one of %d tables", len(tables))
	}
	return rows, lookups, nil
}

func tableName(t *workloads.Table, i int) string {
	if t.Name == "" {
		return strconv.Itoa(i)
	}
	return t.Name
}

// tableSource seeds a table's own PCG. FNV-1a mixes the words and the name; PCG
// spreads what is left.
func tableSource(seed, id uint64, name string, ordinal uint64) *rand.PCG {
	h := fnv.New64a()
	for _, w := range [...]uint64{id, ordinal} {
		var b [8]byte
		for i := range b {
			b[i] = byte(w >> (8 * i))
		}
		h.Write(b[:])
	}
	io.WriteString(h, name)
	return rand.NewPCG(seed, h.Sum64())
}

// generated is the stream of the drawing generators.
type generated struct {
	rows    int64
	lookups int
	draws   []draw
}

func (s *generated) Rows() int64 { return s.rows }

func (s *generated) Next(dst []uint32) ([]uint32, error) {
	dst = resize(dst, s.lookups)
	at := 0
	for i := range s.draws {
		d := &s.draws[i]
		d.round(dst[at : at+d.count])
		at += d.count
	}
	return dst, nil
}

// replayed is the stream of the trace generator.
type replayed struct {
	keys    []uint32
	at      int
	rows    int64
	lookups int
	wrap    bool
}

func newReplayed(spec Spec, rows int64, lookups int) (*replayed, error) {
	for i, k := range spec.Keys {
		if int64(k) >= rows {
			return nil, &SpecError{"keys", strconv.FormatUint(uint64(k), 10),
				fmt.Sprintf("key %d of the trace is not below the %d rows of the layer: renumber the keys or enlarge the tables", i, rows)}
		}
	}
	return &replayed{keys: spec.Keys, rows: rows, lookups: lookups, wrap: spec.Wrap}, nil
}

func (s *replayed) Rows() int64 { return s.rows }

func (s *replayed) Next(dst []uint32) ([]uint32, error) {
	if s.at == len(s.keys) && !s.wrap {
		return dst[:0], io.EOF
	}
	dst = resize(dst, s.lookups)
	n := 0
	for n < len(dst) {
		if s.at == len(s.keys) {
			if !s.wrap {
				break
			}
			s.at = 0
		}
		k := copy(dst[n:], s.keys[s.at:])
		n += k
		s.at += k
	}
	return dst[:n], nil
}

func resize(dst []uint32, n int) []uint32 {
	if cap(dst) < n {
		return make([]uint32, n)
	}
	return dst[:n]
}
