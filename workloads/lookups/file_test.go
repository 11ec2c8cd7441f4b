package lookups

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func packGzip(t testing.TB, in []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(in)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packZstd(t testing.TB, in []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, append(opts, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(in)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads with a buffer of three keys, and checks that an error stays.
func readAll(src io.Reader, name string, opt FileOptions) (keys []uint64, err error) {
	r, err := NewKeyReader(src, name, opt)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]uint64, 3)
	for {
		n, err := r.Read(buf)
		keys = append(keys, buf[:n]...)
		if err == nil {
			continue
		}
		if n, again := r.Read(buf); n != 0 || !errors.Is(again, err) {
			return keys, fmt.Errorf("after %w a read gives %d keys and %w", err, n, again)
		}
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		return keys, err
	}
}

func TestReadKeys(t *testing.T) {
	column := func(c string) FileOptions { return FileOptions{Column: c} }
	long := strings.Repeat("7", 70000)
	tests := []struct {
		name, in string
		opt      FileOptions
		keys     string
		err      string // empty: none; otherwise the whole message
	}{
		{"a.txt", "1\n2\n\n# three\n 3 \r\n18446744073709551615", FileOptions{}, "[1 2 3 18446744073709551615]", ""},
		{"a.txt", "\xef\xbb\xbf5\n", FileOptions{}, "[5]", ""},
		{"a.txt", "", FileOptions{}, "[]", ""},
		{"a.txt", "1\n2\n3\n4\nfive\n6\n", FileOptions{}, "[1 2 3 4]", `a.txt:5: "five": not a key: want one whole number from 0 to 18446744073709551615`},
		{"a.txt", "1\n-2\n", FileOptions{}, "[1]", `a.txt:2: "-2": not a key: want one whole number from 0 to 18446744073709551615`},
		{"a.txt", "18446744073709551616\n", FileOptions{}, "[]", `a.txt:1: "18446744073709551616": not a key: want one whole number from 0 to 18446744073709551615`},
		{"a.txt", "1 2\n", FileOptions{}, "[]", `a.txt:1: "1 2": not a key: want one whole number from 0 to 18446744073709551615`},
		{"a.txt", "*\n", FileOptions{}, "[]", `a.txt:1: "*": not a key: want one whole number from 0 to 18446744073709551615, or choose the format lirs, which skips these marks`},
		{"a.trace", "1\n*\n2\n", FileOptions{}, "[1 2]", ""},
		{"a.txt", "1\n*\n2\n", FileOptions{Format: "lirs"}, "[1 2]", ""},
		{"a.txt", "9\n" + long + "\n", FileOptions{}, "[9]", `a.txt:2: "` + long[:40] + `…": the line is longer than 65536 bytes: raise the limit of bytes per line if that is right`},
		{"a.txt", strings.Repeat("0", 63) + "5", FileOptions{MaxLine: 64}, "[5]", ""},
		{"a.txt", strings.Repeat("0", 63) + "5\n", FileOptions{MaxLine: 64}, "[5]", ""},
		{"a.txt", strings.Repeat("0", 65), FileOptions{MaxLine: 64}, "[]", `a.txt:1: "` + strings.Repeat("0", 40) + `…": the line is longer than 64 bytes: raise the limit of bytes per line if that is right`},
		{"a.txt", "1\n2\n3\n", FileOptions{MaxKeys: 2}, "[1 2]", `a.txt:3: more than 2 keys: cut the trace, or raise the limit of keys per file`},
		{"a.txt", "1\n2\n# no third\n", FileOptions{MaxKeys: 2}, "[1 2]", ""},
		{"a.txt", "1\n2\n3\n", FileOptions{MaxBytes: 4}, "[1 2]", `a.txt: more than 4 bytes after decompression: cut the trace, or raise the limit of decoded bytes`},
		{"a.txt", "1\n2\n", FileOptions{MaxBytes: 4}, "[1 2]", ""},
		{"a.txt", "1\n", FileOptions{Column: "key"}, "[]", `a.txt: column "key": only the formats csv and parquet have columns, this file is read as text`},
		{"a.txt", "1\n", FileOptions{Format: "cvs"}, "[]", `a.txt: unknown format "cvs": want one of text, lirs, csv, arc, oracle, parquet; did you mean csv?`},

		{"a.csv", "key\n1\n2\n", FileOptions{}, "[1 2]", ""},
		{"a.csv", "\n time , key\r\n1,10\r\n\r\n2, 20 \r\n", column("key"), "[10 20]", ""},
		{"a.csv", "\"the key\",\"a \"\"b\"\"\"\n\"1\",\"x,y\"\n2,\n", column("the key"), "[1 2]", ""},
		{"a.csv", "a,b\n1,2\n3\n", column("b"), "[2]", `a.csv:3: "3": the record has 1 fields, the header 2`},
		{"a.csv", "a,b\n1,2\n3,x\n", column("b"), "[2]", `a.csv:3: "3,x": column b is not a key: want one whole number from 0 to 18446744073709551615`},
		{"a.csv", "a,b\n1,2\n", FileOptions{}, "[]", `a.csv:1: "a,b": the file has 2 columns: name the one that holds the keys by column: one of a, b`},
		{"a.csv", "time,key\n1,2\n", column("kay"), "[]", `a.csv:1: "time,key": no column "kay": want one of time, key; did you mean key?`},
		{"a.csv", "key\n\"1\n\"\n", FileOptions{}, "[]", `a.csv:2: "\"1": a quoted field does not end on its line`},
		{"a.csv", "key\n1\"\"\n", FileOptions{}, "[]", `a.csv:2: "1\"\"": a quote inside a bare field: quote the whole field and double its quotes`},
		{"a.csv", "key\n\"1\"2\n", FileOptions{}, "[]", `a.csv:2: "\"1\"2": text between the end of a quoted field and the next comma`},
		{"a.csv", "\n\n", FileOptions{}, "[]", `a.csv: no header line: a CSV trace wants the names of its columns first`},
	}
	for _, test := range tests {
		for pack, in := range map[string][]byte{
			"":     []byte(test.in),
			".gz":  packGzip(t, []byte(test.in)),
			".zst": packZstd(t, []byte(test.in)),
		} {
			keys, err := readAll(bytes.NewReader(in), test.name+pack, test.opt)
			if got := fmt.Sprint(keys); got != test.keys {
				t.Errorf("%s%s %.40q: keys %s, want %s", test.name, pack, test.in, got, test.keys)
			}
			want := strings.Replace(test.err, test.name, test.name+pack, 1)
			if got := fmt.Sprint(err); got != want && !(err == nil && want == "") {
				t.Errorf("%s%s %.40q: error\n%s, want\n%s", test.name, pack, test.in, got, want)
			}
		}
	}
}

// TestCutFiles: a compressed file that ends early gives the whole lines before the
// fault, and never half a number.
func TestCutFiles(t *testing.T) {
	var text []byte
	for i := range 200000 {
		text = fmt.Appendf(text, "%d\n", 1000000+i*7)
	}
	for name, packed := range map[string][]byte{"gz": packGzip(t, text), "zst": packZstd(t, text)} {
		for _, share := range []int{2, 3, 5} {
			keys, err := readAll(bytes.NewReader(packed[:len(packed)*(share-1)/share]), "t.txt", FileOptions{})
			if err == nil {
				t.Errorf("%s: a cut file is accepted", name)
			}
			if len(keys) == 0 {
				t.Errorf("%s: nothing is read before the fault (%v)", name, err)
			}
			for i, k := range keys {
				if k != uint64(1000000+i*7) {
					t.Fatalf("%s: key %d is %d", name, i, k)
				}
			}
		}
	}
	if _, err := readAll(strings.NewReader("\x1f\x8bno"), "t.txt", FileOptions{}); err == nil {
		t.Error("a gzip header without gzip is accepted")
	}
}

// TestBombs: files that are far larger than they look do not take the memory.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 1<<26)
	blank := bytes.Repeat([]byte("\n"), 1<<24)
	tests := map[string]struct {
		packed []byte
		opt    FileOptions
		want   string
	}{
		"one line, gzip":        {packGzip(t, zeros), FileOptions{}, "longer than 65536 bytes"},
		"one line, zstd":        {packZstd(t, zeros), FileOptions{}, "longer than 65536 bytes"},
		"blank lines, limited":  {packZstd(t, blank), FileOptions{MaxBytes: 1 << 20}, "more than 1048576 bytes after decompression"},
		"header without an end": {packGzip(t, zeros), FileOptions{Format: "csv"}, "longer than 65536 bytes"},
		"window beyond the limit": {packZstd(t, bytes.Repeat([]byte("12345\n"), 1<<20),
			zstd.WithWindowSize(1<<29), zstd.WithSingleSegment(false)), FileOptions{}, "window"},
	}
	for name, test := range tests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readAll(bytes.NewReader(test.packed), "bomb", test.opt)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want … %s …", name, err, test.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
			t.Errorf("%s: %d MiB allocated", name, got>>20)
		}
	}
}

func TestLoadKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small := write("small.txt", "3\n1\n3\n0\n")
	large := write("large.txt", "3\n1\n9000000000\n3\n1\n")
	for _, test := range []struct {
		path string
		rows int64
		want string
	}{
		{small, 4, "[3 1 3 0] 4"}, // as they are
		{small, 3, "[0 1 0 2] 3"}, // renumbered: 3 is not below 3
		{small, 0, "[0 1 0 2] 3"}, // renumbered, the bound is what was found
		{large, 4, "[0 1 2 0 1] 4"},
		{large, 0, "[0 1 2 0 1] 3"},
	} {
		keys, bound, err := LoadKeys(test.path, FileOptions{}, test.rows)
		if got := fmt.Sprint(keys, bound); err != nil || got != test.want {
			t.Errorf("%s for %d rows: %s, %v, want %s", filepath.Base(test.path), test.rows, got, err, test.want)
		}
	}
	keys, _, err := LoadKeys(large, FileOptions{}, 2)
	if err == nil || !strings.Contains(err.Error(), "large.txt:") || !strings.Contains(err.Error(), "more distinct keys than the layer has rows (2)") {
		t.Errorf("error %v, want too many distinct keys", err)
	}
	if fmt.Sprint(keys) != "[0 1]" {
		t.Errorf("keys %v are kept, want [0 1]", keys)
	}
	if keys, _, err = LoadKeys(write("bad.txt", "5\n6\nx\n"), FileOptions{}, 0); err == nil || len(keys) != 2 {
		t.Errorf("%d keys are kept before %v, want 2", len(keys), err)
	}
	if _, _, err = LoadKeys(write("none.txt", "# nothing\n"), FileOptions{}, 0); err == nil || !strings.Contains(err.Error(), "holds no keys") {
		t.Errorf("error %v, want no keys", err)
	}
	if _, _, err = LoadKeys(filepath.Join(dir, "missing.txt"), FileOptions{}, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want a missing file", err)
	}
	if _, _, err = LoadKeys(dir, FileOptions{}, 0); err == nil {
		t.Error("a folder is accepted")
	}
}

// FuzzReader: any bytes, in any format, read the same plain and compressed, as
// keys or as an error with the file's name; text reads as strconv says.
func FuzzReader(f *testing.F) {
	f.Add([]byte("1\n2\n"), uint8(0))
	f.Add([]byte("# c\n\n 7\r\n18446744073709551616\n"), uint8(0))
	f.Add([]byte("1\n*\n2\n"), uint8(1))
	f.Add([]byte("k,v\n1,\"a,b\"\n\"2\",c\n"), uint8(2))
	f.Add([]byte(strings.Repeat("0", 64)), uint8(2)) // exactly the longest line
	f.Add([]byte("\xef\xbb\xbfk\n\"1\"\n"), uint8(2))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), uint8(0))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x00\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, kind uint8) {
		opt := FileOptions{Format: Formats()[int(kind)%3], MaxLine: 64, MaxBytes: 1 << 16}
		if opt.Format == CSVFormat {
			opt.Column = "k"
		}
		keys, err := readAll(bytes.NewReader(in), "fuzz.in", opt)
		if err != nil && !strings.Contains(err.Error(), "fuzz.in") {
			t.Fatalf("error without the file's name: %v", err)
		}
		if compressed(in) {
			return // compressed already, or meant to look so
		}
		again, err2 := readAll(bytes.NewReader(packGzip(t, in)), "fuzz.in", opt)
		if fmt.Sprint(keys, err) != fmt.Sprint(again, err2) {
			t.Fatalf("plain %v, %v; compressed %v, %v", keys, err, again, err2)
		}
		if err == nil && opt.Format == TextFormat {
			checkText(t, in, keys)
		}
	})
}

// checkText reads text the slow way.
func checkText(t *testing.T, in []byte, keys []uint64) {
	t.Helper()
	var want []uint64
	for _, line := range strings.Split(strings.TrimPrefix(string(in), "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			t.Fatalf("%q is accepted", line)
		}
		want = append(want, k)
	}
	if fmt.Sprint(keys) != fmt.Sprint(want) {
		t.Fatalf("keys %v, want %v", keys, want)
	}
}

// FuzzSplitCSV compares one record with encoding/csv.
func FuzzSplitCSV(f *testing.F) {
	for _, s := range []string{"", "a", "a,b", `"a","b"`, `"a""b",`, `a"b`, `"a`, `"a"b`, `,,`, `""`, `"",""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") || line == "" {
			return // records are lines; blank ones are skipped before
		}
		r := csv.NewReader(strings.NewReader(line))
		want, wantErr := r.Read()
		fields, err := splitCSV(nil, []byte(line))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/csv says %v", line, err, wantErr)
		}
		if err != nil {
			return
		}
		if got := fmt.Sprintf("%q", fields); got != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: %s, encoding/csv says %q", line, got, want)
		}
	})
}

// TestDensify compares with a map.
func TestDensify(t *testing.T) {
	var keys []uint64
	x := uint64(1)
	for i := range 30000 {
		x = x*6364136223846793005 + 1442695040888963407
		keys = append(keys, x>>50<<uint(i%40)) // many repeats, many alike in low bits
	}
	dense, n, err := Densify(keys)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[uint64]uint32{}
	for i, k := range keys {
		id, ok := ids[k]
		if !ok {
			id = uint32(len(ids))
			ids[k] = id
		}
		if dense[i] != id {
			t.Fatalf("key %d becomes %d, want %d", i, dense[i], id)
		}
	}
	if n != int64(len(ids)) {
		t.Errorf("%d distinct keys, want %d", n, len(ids))
	}
}
