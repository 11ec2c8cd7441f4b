package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// nameList is a flag that takes known names, commas between them, or all.
type nameList struct {
	names []string
	what  string // one of them is
	known []string
}

func (l *nameList) String() string { return strings.Join(l.names, ",") }
func (l *nameList) Type() string   { return "names" }

// Set takes known names, each once.
func (l *nameList) Set(s string) error {
	var list []string
	for _, name := range splitList(s) {
		switch {
		case name == "all":
			list = append(list, l.known...)
		case slices.Contains(l.known, name):
			list = append(list, name)
		default:
			return fmt.Errorf("unknown %s %q: want some of %s, or all%s", l.what, name, strings.Join(l.known, ", "), didYouMean("", name, l.known))
		}
	}
	l.names = distinct(list)
	return nil
}

func replacementNames() []string {
	var names []string
	for _, p := range slots.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// splitList cuts s at commas; spaces around names do not matter.
func splitList(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// distinct keeps the first of equal elements.
func distinct[T comparable](list []T) []T {
	var kept []T
	for _, x := range list {
		if !slices.Contains(kept, x) {
			kept = append(kept, x)
		}
	}
	return kept
}

// amount is a count, or a share of something that is known later.
type amount struct {
	count int64
	share float64
}

func (a amount) String() string {
	if a.share > 0 {
		return strconv.FormatFloat(100*a.share, 'g', 6, 64) + "%"
	}
	return strconv.FormatInt(a.count, 10)
}

// of returns the amount, a share being one of whole, to the nearest.
func (a amount) of(whole int64) int64 {
	if a.share > 0 {
		return int64(math.Round(a.share * float64(whole)))
	}
	return a.count
}

// parseAmount parses "1000" or "1%".
func parseAmount(s string) (amount, error) {
	if number, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(v) {
			return amount{}, errors.New("the per cent are not a number")
		}
		return amount{share: v / 100}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return amount{}, errors.New("the number is too large")
	} else if err != nil {
		return amount{}, errors.New("it is neither a whole number nor per cent")
	}
	return amount{count: n}, nil
}

// slotList is a flag that takes numbers of slots, commas between them.
type slotList []amount

func (l *slotList) Type() string { return "slots" }
func (l *slotList) String() string {
	var parts []string
	for _, a := range *l {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ",")
}

// Set takes counts, and shares of the unique keys in per cent.
func (l *slotList) Set(s string) error {
	const want = "want numbers of slots, or per cent of the unique keys, as in 1000,1%"
	var list slotList
	for _, part := range splitList(s) {
		a, err := parseAmount(part)
		percent := strings.HasSuffix(part, "%")
		switch {
		case err != nil:
			return fmt.Errorf("%q: %w: %s", part, err, want)
		case percent && !(a.share > 0 && a.share <= 1):
			return fmt.Errorf("%q: want more than 0%% and at most 100%% of the unique keys", part)
		case !percent && a.count < 1:
			return fmt.Errorf("%q: want at least 1 slot", part)
		case !percent && a.count > lookups.MaxRows:
			return fmt.Errorf("%q: want at most %d slots", part, int64(lookups.MaxRows))
		}
		list = append(list, a)
	}
	*l = distinct(list)
	return nil
}

// shares reports whether some number of slots is a share of the unique keys.
func (l slotList) shares() bool {
	return slices.ContainsFunc(l, func(a amount) bool { return a.share > 0 })
}

// resolve returns the numbers of slots, each once; a share of few keys is one slot.
func (l slotList) resolve(unique int64) []int {
	var list []int
	for _, a := range l {
		list = append(list, int(max(1, a.of(unique))))
	}
	return distinct(list)
}

// warmupFlag is how many lookups are not counted.
type warmupFlag struct{ amount }

func (w *warmupFlag) Type() string { return "lookups" }

// Set takes a count, or a share of the lookups in per cent.
func (w *warmupFlag) Set(s string) error {
	a, err := parseAmount(strings.TrimSpace(s))
	switch {
	case err != nil:
		return fmt.Errorf("%w: want a number of lookups, or per cent of them, as in 10000 or 25%%", err)
	case a.count < 0 || a.share < 0:
		return errors.New("want 0 or more")
	case a.share >= 1:
		return errors.New("want less than 100%: something must be left to count")
	}
	w.amount = a
	return nil
}

// outputFormats are what replay can print.
var outputFormats = []string{"table", "json", "csv", "bench"}

// formatWords is --format: a word for what is printed, one for how the traces are
// read, or both. The word csv could be either; it is what is printed, as in `run`.
type formatWords struct{ print, trace *choice }

func (f *formatWords) Type() string   { return "words" }
func (f *formatWords) String() string { return "" }

// Set takes one or two words.
func (f *formatWords) Set(s string) error {
	for _, word := range splitList(s) {
		target := f.trace
		known := append(slices.Clone(outputFormats), f.trace.known...)
		switch {
		case slices.Contains(outputFormats, word):
			target = f.print
		case !slices.Contains(known, word):
			return fmt.Errorf("unknown format %q: want %s of what is printed, or %s of the traces%s", word,
				strings.Join(outputFormats, ", "), strings.Join(f.trace.known, ", "), didYouMean("", word, known))
		}
		if err := (onceChoice{target}).Set(word); err != nil {
			return err
		}
	}
	return nil
}

// onceChoice is a choice that cannot be made twice, differently.
type onceChoice struct{ *choice }

// Set takes one of the known words.
func (c onceChoice) Set(s string) error {
	if c.value != "" && c.value != s {
		return fmt.Errorf("%s and %s: want one of them", c.value, s)
	}
	return c.choice.Set(s)
}

// traceFormats are the names for how traces are read.
func traceFormats() []string { return append(lookups.Formats(), "oracleGeneral") }

// deviceList is a flag that takes device types, commas between them.
type deviceList []string

func (l *deviceList) Type() string   { return "devices" }
func (l *deviceList) String() string { return strings.Join(*l, ",") }

// Set takes known names.
func (l *deviceList) Set(s string) error {
	names := distinct(splitList(s))
	for _, name := range names {
		if _, err := hw.LookupDevice(name); err != nil {
			return err
		}
	}
	*l = names
	return nil
}

// bytesFlag is an amount of memory.
type bytesFlag struct{ unit.Bytes }

func (b *bytesFlag) Type() string { return "size" }
func (b *bytesFlag) String() string {
	if b.Bytes == 0 {
		return ""
	}
	return b.Bytes.String()
}

// Set takes a positive amount, as 256 B or 64 GiB.
func (b *bytesFlag) Set(s string) error {
	v, err := unit.ParseBytes(s)
	if err != nil {
		return err
	}
	if v <= 0 {
		return errors.New("want more than 0 B")
	}
	b.Bytes = v
	return nil
}

// shareFlag is a share over 0 up to 1.
type shareFlag float64

func (r *shareFlag) Type() string   { return "rate" }
func (r *shareFlag) String() string { return strconv.FormatFloat(100*float64(*r), 'g', 6, 64) + "%" }

// Set takes 0.01 or 1%.
func (r *shareFlag) Set(s string) error {
	v, err := unit.ParseRatio(s)
	if err != nil {
		return err
	}
	if !(v > 0 && v <= 1) {
		return errors.New("want over 0 up to 1, or up to 100%")
	}
	*r = shareFlag(v)
	return nil
}

// replacementHelp lists the replacement policies with their summaries for completion.
func replacementHelp() []string {
	words := []string{"all\tevery replacement policy"}
	for _, p := range slots.Policies() {
		words = append(words, p.Name+"\t"+p.Summary)
	}
	return words
}

// deviceHelp lists the device types with their titles for completion.
func deviceHelp() []string {
	var words []string
	for _, d := range hw.Devices() {
		words = append(words, d.Name+"\t"+d.Title)
	}
	return words
}
