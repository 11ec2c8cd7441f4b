package lookups

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// arcFormat is that of the traces of the ARC paper (Megiddo and Modha, "ARC: A
// Self-Tuning, Low Overhead Replacement Cache", FAST 2003): a request per line,
//
//	start count ignored sequence
//
// which looks up the keys start, start+1, … start+count-1. A line needs the first
// two numbers; what follows them is not looked at. A count of 0 looks up nothing.
// Blank lines and # comments are skipped.
type arcFormat struct {
	*lines
	next uint64 // of the request that is being handed out
	left uint64
}

func (f *arcFormat) read(dst []uint64, sizes []uint32) (n int, err error) {
	for n < len(dst) {
		if f.left == 0 {
			if err = f.request(); err != nil {
				break
			}
			continue
		}
		// One key after the other, however many the request says: a count is a claim.
		run := int(min(f.left, uint64(len(dst)-n)))
		for i := range run {
			dst[n+i] = f.next + uint64(i)
		}
		n += run
		f.next += uint64(run)
		f.left -= uint64(run)
	}
	ones(sizes[:min(n, len(sizes))])
	return n, err
}

// request reads the next line.
func (f *arcFormat) request() error {
	line, err := f.lines.next()
	if err != nil {
		return err
	}
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	if f.next, f.left, err = parseRequest(line); err != nil {
		return f.fault(line, err)
	}
	return nil
}

func parseRequest(line []byte) (start, count uint64, err error) {
	first, rest := word(line)
	second, _ := word(rest)
	if len(second) == 0 {
		return 0, 0, errors.New("not a request: want at least two numbers, start and count")
	}
	if start, err = parseKey(first); err != nil {
		return 0, 0, fmt.Errorf("the start is %w", err)
	}
	if count, err = parseKey(second); err != nil {
		return 0, 0, fmt.Errorf("the count is %w", err)
	}
	if count > 0 && start > math.MaxUint64-(count-1) {
		return 0, 0, fmt.Errorf("start + count runs beyond the largest key, %d", uint64(math.MaxUint64))
	}
	return start, count, nil
}

// word splits off what stands before the first blank.
func word(text []byte) (first, rest []byte) {
	text = bytes.TrimLeft(text, " \t")
	if i := bytes.IndexAny(text, " \t"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, nil
}
