package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is one thing wrong in a file, addressed to the person who edits it.
type Error struct {
	File    string // name given to Decode
	Line    int    // 1-based; 0 when the value came from no file
	Col     int    // 1-based, counted in characters
	Key     string // full key, e.g. "cluster.pool[1].device"; "" for the whole file
	Message string // what is wrong and what would have been accepted
}

// Error formats as file:line:col: key: message, leaving out the parts that are not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Col)
	}
	for _, part := range []string{e.Key, e.Message} {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// Errors is several things wrong at once. A caller gathers with Add and returns Err().
type Errors []*Error

// Add appends e; a nil e is ignored, so that a check can be added without a condition.
func (es *Errors) Add(e *Error) {
	if e != nil {
		*es = append(*es, e)
	}
}

// Err returns the errors sorted by position, or nil when there are none. It is the only way to turn
// Errors into an error: an empty Errors in an error variable would not be nil.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	sorted := slices.Clone(es)
	slices.SortStableFunc(sorted, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return sorted
}

// Error joins the messages, one on each line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single errors.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// maxShownRunes is how much of a user's own text an error repeats.
const maxShownRunes = 60

// shorten cuts s to maxShownRunes characters.
func shorten(s string) string {
	n := 0
	for i := range s {
		if n == maxShownRunes {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// pathString formats a path as TOML people write it: bare keys, quoted keys where needed, [i] for an index.
func pathString(path Path) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(keyString(step))
		default:
			panic(fmt.Sprintf("spec: path element %v is a %T, not a string or an int", step, step))
		}
	}
	return b.String()
}

// keyString quotes a key where TOML needs it and cuts a long one.
func keyString(key string) string {
	for _, r := range key {
		if !isBareKey(r) {
			return strconv.Quote(shorten(key))
		}
	}
	if key == "" {
		return `""`
	}
	return shorten(key)
}

func isBareKey(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}
