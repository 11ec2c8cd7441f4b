package lookups

import (
	"bytes"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
)

func TestReadARC(t *testing.T) {
	const most = "18446744073709551615"
	for _, test := range []struct {
		in   string
		opt  FileOptions
		keys string
		err  string
	}{
		{"10 3 0 1\n5 1 0 2\n", FileOptions{}, "[10 11 12 5]", ""},
		{"\xef\xbb\xbf10\t2\r\n\n# comment\n  7   1  ", FileOptions{}, "[10 11 7]", ""},
		{"1 0 0 1\n2 1 0 2\n", FileOptions{}, "[2]", ""},
		{"", FileOptions{}, "[]", ""},
		{"1 1\n8\n", FileOptions{}, "[1]", `a.lis:2: "8": not a request: want at least two numbers, start and count`},
		{"1 1\n8 x\n", FileOptions{}, "[1]", `a.lis:2: "8 x": the count is not a key: want one whole number from 0 to ` + most},
		{"-1 1\n", FileOptions{}, "[]", `a.lis:1: "-1 1": the start is not a key: want one whole number from 0 to ` + most},
		{most + " 1\n", FileOptions{}, "[" + most + "]", ""},
		{most + " 2\n", FileOptions{}, "[]", `a.lis:1: "` + most + ` 2": start + count runs beyond the largest key, ` + most},
		{"4 1000000000000000000 0 0\n", FileOptions{MaxKeys: 4}, "[4 5 6 7]", `a.lis:1: more than 4 keys: cut the trace, or raise the limit of keys per file`},
		{"4 2 0 0\n9 1\n", FileOptions{MaxKeys: 2}, "[4 5]", `a.lis:2: more than 2 keys: cut the trace, or raise the limit of keys per file`},
	} {
		keys, err := readAll(strings.NewReader(test.in), "a.lis", test.opt)
		if got := fmt.Sprint(keys); got != test.keys {
			t.Errorf("%q: keys %s, want %s", test.in, got, test.keys)
		}
		if got := fmt.Sprint(err); got != test.err && !(err == nil && test.err == "") {
			t.Errorf("%q: error\n%s, want\n%s", test.in, got, test.err)
		}
	}
}

// TestARCCount: a count is a claim and takes no memory.
func TestARCCount(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	keys, err := readAll(strings.NewReader("4 1000000000000000000 0 0\n"), "a.lis", FileOptions{MaxKeys: 100000})
	runtime.ReadMemStats(&after)
	if len(keys) != 100000 || keys[99999] != 100003 || err == nil {
		t.Errorf("%d keys, error %v", len(keys), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d MiB allocated", got>>20)
	}
}

// TestARCFile: the paper's trace P3 has the lookups and distinct keys that it is
// known for.
func TestARCFile(t *testing.T) {
	keys, distinct, err := LoadKeys(sharedData(t, "traces", "P3.lis.zst"), FileOptions{}, 0)
	if err != nil || len(keys) != 3912296 || distinct != 762543 {
		t.Errorf("%d lookups of %d keys (%v), want 3912296 of 762543", len(keys), distinct, err)
	}
}

// FuzzARC compares with a reader that works line by line on big integers.
func FuzzARC(f *testing.F) {
	f.Add([]byte("10 3 0 1\n5 1 0 2\n"))
	f.Add([]byte("18446744073709551615 1\n18446744073709551615 2\n"))
	f.Add([]byte("4 1000000000000000000 0 0\n"))
	f.Add([]byte("# c\n\n\t7 0\r\n7\n"))
	f.Add(packZstd(f, []byte("1 2\n")))
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 200
		keys, err := readAll(bytes.NewReader(in), "fuzz.in", FileOptions{Format: ARCFormat, MaxLine: 64, MaxKeys: most})
		if err != nil && !strings.Contains(err.Error(), "fuzz.in") {
			t.Fatalf("error without the file's name: %v", err)
		}
		if compressed(in) {
			return
		}
		want, fine := arcKeys(in, most)
		if fmt.Sprint(keys) != fmt.Sprint(want) || fine != (err == nil) {
			t.Fatalf("%q: keys %v, %v; want %v, fine: %v", in, keys, err, want, fine)
		}
	})
}

func arcKeys(in []byte, most int) (keys []uint64, fine bool) {
	limit := new(big.Int).Lsh(big.NewInt(1), 64)
	text := strings.TrimSuffix(strings.TrimPrefix(string(in), "\ufeff"), "\n")
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 64 {
			return keys, false
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) < 2 {
			return keys, false
		}
		var n [2]*big.Int
		for i := range n {
			var ok bool
			n[i], ok = new(big.Int).SetString(words[i], 10)
			if !ok || strings.Trim(words[i], "0123456789") != "" || n[i].Cmp(limit) >= 0 {
				return keys, false
			}
		}
		if n[1].Sign() > 0 && new(big.Int).Add(n[0], n[1]).Cmp(limit) > 0 {
			return keys, false
		}
		for i := uint64(0); i < n[1].Uint64(); i++ {
			if len(keys) == most {
				return keys, false
			}
			keys = append(keys, n[0].Uint64()+i)
		}
	}
	return keys, true
}
