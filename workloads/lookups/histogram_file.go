package lookups

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"stowage/hw/unit"
)

// Limits on histogram files.
const (
	maxHistogramFile  = 16 << 20 // bytes
	maxHistogramLine  = 1 << 12  // bytes
	maxHistogramParts = 1 << 12  // histograms of one file
)

// LoadHistogram reads one histogram of a file in the format of ReadHistograms. name
// is the first line of its section; it may be empty when there is one only.
func LoadHistogram(path, name string) (*Histogram, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hs, err := ReadHistograms(f, path)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(hs))
	for i := range hs {
		names[i] = hs[i].Name
	}
	if name == "" && len(hs) == 1 {
		return &hs[0], nil
	}
	if i := slices.Index(names, name); i >= 0 {
		return &hs[i], nil
	}
	want := "want one of " + strings.Join(names, ", ")
	if near := unit.Nearest(name, names); near != "" {
		want += "; did you mean " + near + "?"
	}
	return nil, &FileError{Path: path, Err: fmt.Errorf("no histogram %q: %s", name, want)}
}

// ReadHistograms reads the locality statistics that facebookresearch/dlrm_datasets
// publishes: sections divided by blank lines,
//
//	fbgemm_t856_bs65536.pt
//	Locality stats after processing 1 batches of size 65536
//	Avg # of indices: 887017990
//	Avg # of unique cols: 128435723
//	Avg col size: 6.9
//	Histogram of col sizes:
//	(0, 1]: 0.473
//	…
//	(32768+: 0.000
//	['0.000', '0.473', …]
//	Ratio of index distribution at different column sizes:
//	(0, 1]: 0.069
//	…
//
// A "column" is a row of ours, its size the lookups of it. The lists repeat the
// shares cumulated; both are rounded, and a bin's share becomes what the cumulated
// shares say as far as its own rounding allows. The list of bounds, which begins
// with [0, is passed over. path stands for the file
// in errors, which are *FileError with a line, or *LimitError.
func ReadHistograms(src io.Reader, path string) ([]Histogram, error) {
	limited := &capped{src: src, left: maxHistogramFile, limit: maxHistogramFile, name: path}
	l, err := newLines(limited, path, maxHistogramLine)
	if err != nil {
		return nil, headError(path, err)
	}
	p := histogramParser{lines: l}
	for {
		line, err := l.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, headError(path, err)
		}
		bad := p.line(line)
		if bad == nil && err != nil {
			bad = p.finish()
		}
		if bad != nil {
			return nil, l.fault(line, bad)
		}
		if err != nil {
			break
		}
	}
	if len(p.done) == 0 {
		return nil, &FileError{Path: path, Err: errors.New("the file holds no histograms")}
	}
	return p.done, nil
}

// histogramParser holds the section that is being read.
type histogramParser struct {
	lines *lines
	done  []Histogram
	h     Histogram
	in    bool // a section
	part  int  // which bins come: 0 none, 1 shares of rows, 2 shares of lookups
	bins  int  // of that part
}

// The parts of a section, by the line that starts them.
const (
	headStats   = "Locality stats after processing "
	headLookups = "Avg # of indices: "
	headRows    = "Avg # of unique cols: "
	headSize    = "Avg col size: "
	headBins    = "Histogram of col sizes:"
	headShares  = "Ratio of index distribution at different column sizes:"
)

func (p *histogramParser) line(b []byte) (err error) {
	line := string(b)
	switch {
	case line == "":
		return p.finish()
	case !p.in:
		if len(p.done) == maxHistogramParts {
			return fmt.Errorf("more than %d histograms in a file", maxHistogramParts)
		}
		p.in, p.h = true, Histogram{Name: line}
	case strings.HasPrefix(line, headStats):
		_, size, ok := strings.Cut(line, " batches of size ")
		if !ok {
			return fmt.Errorf("want %qN batches of size N", headStats)
		}
		p.h.Samples, err = strconv.Atoi(size)
	case strings.HasPrefix(line, headLookups):
		p.h.Lookups, err = strconv.ParseInt(line[len(headLookups):], 10, 64)
	case strings.HasPrefix(line, headRows):
		p.h.Rows, err = strconv.ParseInt(line[len(headRows):], 10, 64)
	case strings.HasPrefix(line, headSize):
		_, err = strconv.ParseFloat(line[len(headSize):], 64)
	case line == headBins:
		p.part, p.bins = 1, 0
	case line == headShares:
		if p.part != 1 {
			return fmt.Errorf("the shares of lookups come after %q", headBins)
		}
		p.part, p.bins = 2, 0
	case line[0] == '(':
		return p.bin(b)
	case strings.HasPrefix(line, "['"):
		return p.cumulated(line)
	case line[0] == '[':
	default:
		return errors.New("not a line of locality statistics; histograms are divided by blank lines")
	}
	if err != nil {
		return fmt.Errorf("not a number: %w", errors.Unwrap(err))
	}
	return nil
}

// bin reads "(1, 2]: 0.152" or "(32768+: 0.000".
func (p *histogramParser) bin(line []byte) error {
	b, share, err := parseBin(line)
	if err != nil {
		return err
	}
	switch p.part {
	case 0:
		return fmt.Errorf("a bin before %q", headBins)
	case 1:
		if len(p.h.Bins) == MaxHistogramBins {
			return fmt.Errorf("more than %d bins", MaxHistogramBins)
		}
		b.Rows = share
		p.h.Bins = append(p.h.Bins, b)
	default:
		if p.bins >= len(p.h.Bins) || p.h.Bins[p.bins].Above != b.Above || p.h.Bins[p.bins].UpTo != b.UpTo {
			return errors.New("the bins of the lookups are not those of the rows")
		}
		p.h.Bins[p.bins].Lookups = share
	}
	p.bins++
	return nil
}

// cumulated reads "['0.000', '0.473', …]", a number more than there are bins.
func (p *histogramParser) cumulated(line string) error {
	inner, ok := strings.CutSuffix(line[1:], "]")
	texts := strings.Split(inner, ", ")
	if !ok || p.part == 0 || len(texts) != p.bins+1 || p.bins != len(p.h.Bins) {
		return fmt.Errorf("not the cumulated shares of %d bins: want '0.000', …, each in quotes", p.bins)
	}
	last := 0.0
	for i, text := range texts {
		x, err := strconv.ParseFloat(strings.Trim(text, "'"), 64)
		if err != nil || !(x >= last-roundedBy && x <= 1+roundedBy) {
			return fmt.Errorf("%s is not a cumulated share: want numbers that rise from 0 to 1", text)
		}
		if i > 0 {
			b := &p.h.Bins[i-1]
			share := &b.Rows
			if p.part == 2 {
				share = &b.Lookups
			}
			*share = between(x-last, max(*share-roundedBy, 0), *share+roundedBy)
		}
		last = x
	}
	return nil
}

// between returns x, or the bound that it is beyond, to four decimals.
func between(x, low, high float64) float64 {
	return math.Round(min(max(x, low), high)*1e4) / 1e4
}

func parseBin(line []byte) (b Bin, share float64, err error) {
	want := errors.New(`not a bin: want "(low, high]: share", or "(low+: share" for the last`)
	bounds, text, ok := bytes.Cut(line[1:], []byte(": "))
	if !ok {
		return b, 0, want
	}
	if low, open := bytes.CutSuffix(bounds, []byte("+")); open {
		b.Above, err = strconv.ParseInt(string(low), 10, 64)
	} else {
		low, high, ok := bytes.Cut(bytes.TrimSuffix(bounds, []byte("]")), []byte(", "))
		if !ok || !bytes.HasSuffix(bounds, []byte("]")) {
			return b, 0, want
		}
		var bad error
		b.Above, err = strconv.ParseInt(string(low), 10, 64)
		b.UpTo, bad = strconv.ParseInt(string(high), 10, 64)
		if bad != nil || b.UpTo == 0 {
			return b, 0, want
		}
	}
	if err != nil {
		return b, 0, want
	}
	if share, err = strconv.ParseFloat(string(text), 64); err != nil {
		return b, 0, want
	}
	return b, share, nil
}

// finish ends a section.
func (p *histogramParser) finish() error {
	if !p.in {
		return nil
	}
	if p.part == 2 && p.bins != len(p.h.Bins) {
		return fmt.Errorf("histogram %s has shares of lookups for %d of its %d bins", p.h.Name, p.bins, len(p.h.Bins))
	}
	if err := p.h.validate(); err != nil {
		return fmt.Errorf("histogram %s: %w", p.h.Name, err)
	}
	p.done = append(p.done, p.h)
	p.in, p.part, p.h = false, 0, Histogram{}
	return nil
}
