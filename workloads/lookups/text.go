package lookups

import (
	"errors"
	"fmt"
)

// errNotKey is what a text that is no key is told.
var errNotKey = errors.New("not a key: want one whole number from 0 to 18446744073709551615")

// parseKey parses a decimal number without a sign. It is strconv.ParseUint for
// bytes, without the allocation.
func parseKey(text []byte) (uint64, error) {
	if len(text) == 0 {
		return 0, errNotKey
	}
	var k uint64
	for _, c := range text {
		d := uint64(c - '0')
		if d > 9 || k > (1<<64-1)/10 {
			return 0, errNotKey
		}
		k *= 10
		if k+d < k {
			return 0, errNotKey
		}
		k += d
	}
	return k, nil
}

// textFormat has one key per line. With phases, lines of a single * are skipped,
// as in the traces of the LIRS paper (Jiang and Zhang, SIGMETRICS 2002).
type textFormat struct {
	*lines
	phases bool
}

func (f textFormat) read(dst []uint64, sizes []uint32) (n int, err error) {
	for {
		n += f.plain(dst[n:])
		if n == len(dst) {
			break
		}
		var line []byte
		if line, err = f.next(); err != nil {
			break
		}
		k, ok, bad := f.key(line)
		if bad != nil {
			err = f.fault(line, bad)
			break
		}
		if ok {
			dst[n] = k
			n++
		}
	}
	ones(sizes[:min(n, len(sizes))])
	return n, err
}

// safeDigits is how many digits always fit 64 bits.
const safeDigits = 19

// plain reads the lines that the buffer holds whole, as long as they are digits
// and a line end: nearly all lines are. It leaves any other to next and key.
func (f textFormat) plain(dst []uint64) (n int) {
	w, _ := f.in.Peek(f.in.Buffered())
	most := min(safeDigits, f.longest)
	at := 0
	for n < len(dst) {
		k, i := uint64(0), at
		for ; i < len(w); i++ {
			d := uint64(w[i]) - '0'
			if d > 9 {
				break
			}
			k = k*10 + d
		}
		if i == len(w) || w[i] != '\n' || i == at || i-at > most {
			break
		}
		dst[n] = k
		n++
		at = i + 1
	}
	f.in.Discard(at)
	f.line += int64(n)
	return n
}

// key returns the key of a line; ok is false for a line without one. The error
// says what was wanted instead.
func (f textFormat) key(line []byte) (k uint64, ok bool, err error) {
	if len(line) == 0 || line[0] == '#' || f.phases && string(line) == "*" {
		return 0, false, nil
	}
	k, err = parseKey(line)
	if err != nil && !f.phases && string(line) == "*" {
		err = fmt.Errorf("%w, or choose the format lirs, which skips these marks", err)
	}
	return k, err == nil, err
}
