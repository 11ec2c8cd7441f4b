package lookups

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Densify renumbers 64-bit keys to 0, 1, 2, … in order of first appearance, and
// returns how many distinct keys there are.
func Densify(keys []uint64) (dense []uint32, distinct int64, err error) {
	d := newDensifier()
	dense = make([]uint32, 0, len(keys))
	for _, k := range keys {
		id, err := d.id(k)
		if err != nil {
			return dense, int64(d.n), err
		}
		dense = append(dense, id)
	}
	return dense, int64(d.n), nil
}

// LoadKeys reads a whole trace file for a layer of the given rows. Keys that are
// all below rows are taken as they are; otherwise all are renumbered by first
// appearance, and there must be at most rows of them. rows = 0 always renumbers
// and accepts any number.
//
// bound is the number that all keys are below: rows, or the number of distinct
// keys when rows = 0. On an error the keys read before it are returned as well.
func LoadKeys(path string, opt FileOptions, rows int64) (keys []uint32, bound int64, err error) {
	if rows < 0 || rows > MaxRows {
		return nil, 0, fmt.Errorf("rows = %d: want 0 to %d", rows, int64(MaxRows))
	}
	r, err := OpenKeys(path, opt)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	return loadKeys(r, rows)
}

func loadKeys(r *KeyReader, rows int64) (keys []uint32, bound int64, err error) {
	l := loader{rows: uint64(rows)}
	if rows == 0 {
		l.dense = newDensifier()
	}
	buf := make([]uint64, 4096)
	for {
		n, err := r.Read(buf)
		for _, k := range buf[:n] {
			if err := l.add(k); err != nil {
				return l.keys, l.bound(), r.At(err)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return l.keys, l.bound(), err
		}
	}
	if len(l.keys) == 0 {
		return nil, 0, &FileError{Path: r.path, Err: errors.New("the file holds no keys")}
	}
	return l.keys, l.bound(), nil
}

// loader keeps keys as they are until one does not fit the layer, and renumbers
// from then on (and what came before).
type loader struct {
	keys  []uint32
	rows  uint64
	dense *densifier // nil while keys are as they are
}

func (l *loader) add(k uint64) error {
	if l.dense == nil {
		if k < l.rows {
			l.keys = append(l.keys, uint32(k))
			return nil
		}
		l.dense = newDensifier()
		for i, old := range l.keys {
			l.keys[i], _ = l.dense.id(uint64(old)) // fits: fewer than rows
		}
	}
	id, err := l.dense.id(k)
	if err != nil {
		return err
	}
	if l.rows > 0 && uint64(id) >= l.rows {
		return fmt.Errorf("the trace has more distinct keys than the layer has rows (%d): enlarge the tables or take another trace", l.rows)
	}
	l.keys = append(l.keys, id)
	return nil
}

func (l *loader) bound() int64 {
	if l.rows > 0 {
		return int64(l.rows)
	}
	return int64(l.dense.n)
}

// densifier numbers keys by first appearance: open addressing, linear probing,
// load at most 1/2. Ids are kept plus one, so that zero is free.
type densifier struct {
	keys  []uint64
	ids   []uint32
	shift uint
	n     uint64
}

func newDensifier() *densifier {
	d := &densifier{}
	d.size(1 << 12)
	return d
}

func (d *densifier) size(n int) {
	d.keys, d.ids = make([]uint64, n), make([]uint32, n)
	d.shift = uint(64 - bits.Len(uint(n-1)))
}

func (d *densifier) id(k uint64) (uint32, error) {
	at := d.find(k)
	if d.ids[at] != 0 {
		return d.ids[at] - 1, nil
	}
	if d.n == MaxRows {
		return 0, fmt.Errorf("more than %d distinct keys: keys are renumbered to 32 bits", int64(MaxRows))
	}
	d.n++
	d.keys[at], d.ids[at] = k, uint32(d.n)
	if 2*d.n > uint64(len(d.keys)) {
		d.grow()
	}
	return uint32(d.n - 1), nil
}

func (d *densifier) find(k uint64) int {
	h := k ^ k>>32
	at := int(h * 0x9e3779b97f4a7c15 >> d.shift)
	for d.ids[at] != 0 && d.keys[at] != k {
		at = (at + 1) & (len(d.keys) - 1)
	}
	return at
}

func (d *densifier) grow() {
	keys, ids := d.keys, d.ids
	d.size(2 * len(keys))
	for i, id := range ids {
		if id != 0 {
			at := d.find(keys[i])
			d.keys[at], d.ids[at] = keys[i], id
		}
	}
}
