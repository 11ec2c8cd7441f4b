package lookups

import (
	"errors"
	"fmt"
	"io"
)

// Densify renumbers 64-bit keys to 0, 1, 2, … in order of first appearance, and
// returns how many distinct keys there are.
func Densify(keys []uint64) (dense []uint32, distinct int64, err error) {
	d := NewDensifier()
	dense, err = d.Dense(nil, keys)
	return dense, d.Distinct(), err
}

// CountDistinct reads all keys of a trace and returns how many there are and how
// many of them are distinct. It holds the distinct keys (see Densifier). On an
// error the counts are those of the keys before it.
func CountDistinct(r *KeyReader) (keys, distinct int64, err error) {
	d := NewDensifier()
	buf, ids := make([]uint64, 4096), []uint32(nil)
	for {
		n, err := r.Read(buf)
		var bad error
		if ids, bad = d.Dense(ids, buf[:n]); bad != nil {
			err = r.At(bad)
		}
		keys += int64(len(ids))
		if errors.Is(err, io.EOF) {
			return keys, d.Distinct(), nil
		}
		if err != nil {
			return keys, d.Distinct(), err
		}
	}
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
		l.dense = NewDensifier()
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
	dense *Densifier // nil while keys are as they are
}

func (l *loader) add(k uint64) error {
	if l.dense == nil {
		if k < l.rows {
			l.keys = append(l.keys, uint32(k))
			return nil
		}
		l.dense = NewDensifier()
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
	return l.dense.Distinct()
}
