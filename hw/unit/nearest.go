package unit

import "strings"

// Nearest returns the known name that a misspelt one most likely means, or ""
// when none is close. Case does not count, one transposition counts as one
// mistake, and a name may be the beginning of a known one ("v10O" is nearest
// to "v100-16"). Among equals the first in known wins.
func Nearest(name string, known []string) string {
	const longest = 100 // of either; names are short, and the table is quadratic
	a := []rune(strings.ToLower(name))
	if len(a) == 0 || len(a) > longest {
		return ""
	}
	allowed := len(a) / 3
	if allowed == 0 && len(a) > 1 {
		allowed = 1
	}
	best, nearest := 2*allowed+2, ""
	for _, k := range known {
		b := []rune(strings.ToLower(k))
		if len(b) > longest {
			continue
		}
		d := 2 * distance(a, b)
		if len(b) > len(a) { // a whole name beats the beginning of a longer one
			d = min(d, 2*distance(a, b[:len(a)])+1)
		}
		if d < best {
			best, nearest = d, k
		}
	}
	return nearest
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
