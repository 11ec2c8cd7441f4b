package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// progress is a line on a terminal that says how far a trace has been read. Elsewhere it
// says nothing. It belongs to one goroutine at a time.
type progress struct {
	w     io.Writer // nil: not a terminal
	now   func() time.Time
	every time.Duration

	what        string
	file        io.Seeker
	size        int64 // of the file; 0: not known
	all         int64 // lookups; 0: not known
	start, last time.Time
	width       int // of the line that is shown
}

// newProgress shows progress on w if it is a terminal.
func newProgress(w io.Writer, now func() time.Time) *progress {
	p := &progress{now: now, every: 200 * time.Millisecond}
	if isTerminal(w) {
		p.w = w
	}
	return p
}

// isTerminal reports whether what is written to w is seen at once.
func isTerminal(w io.Writer) bool {
	if out, ok := w.(*output); ok {
		w = out.Writer
	}
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// begin starts a read of a file of so many lookups (0: not known).
func (p *progress) begin(path, doing string, file *os.File, all int64) {
	p.what, p.file, p.all, p.size = filepath.Base(path)+": "+doing, file, all, 0
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		p.size = info.Size()
	}
	p.start = p.now()
	p.last = p.start
}

// show says that n lookups have been read, now and then.
func (p *progress) show(n int64) {
	if p.due() {
		p.line(fmt.Sprintf("%s %s lookups%s, %s lookups/s", p.what, million(float64(n)), p.share(n), million(float64(n)/p.now().Sub(p.start).Seconds())))
	}
}

// foretold says that n of all lookups have been replayed by policies that had to know
// the future.
func (p *progress) foretold(n, all int64) {
	if p.due() {
		p.line(fmt.Sprintf("%s what had to know the future: %s of %s lookups", p.what, million(float64(n)), million(float64(all))))
	}
}

func (p *progress) due() bool {
	now := p.now()
	if p.w == nil || now.Sub(p.last) < p.every {
		return false
	}
	p.last = now
	return true
}

// share is how much of the trace has been read: by lookups, or else by bytes of the file.
func (p *progress) share(n int64) string {
	share := 0.0
	if p.all > 0 {
		share = float64(n) / float64(p.all)
	} else if p.size > 0 {
		if at, err := p.file.Seek(0, io.SeekCurrent); err == nil {
			share = float64(at) / float64(p.size)
		}
	}
	if share <= 0 {
		return "" // parquet is not read from its start to its end
	}
	return fmt.Sprintf(" (%.0f %%)", 100*min(share, 1))
}

// longestLine is how much of a line is shown: one that a terminal breaks would stay.
const longestLine = 78

// line replaces the line that is shown.
func (p *progress) line(text string) {
	if runes := []rune(text); len(runes) > longestLine {
		text = "…" + string(runes[len(runes)-longestLine+1:])
	}
	n := len([]rune(text))
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(0, p.width-n)))
	p.width = n
}

// clear takes the line away.
func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

func million(v float64) string { return fmt.Sprintf("%.1f M", v/1e6) }
