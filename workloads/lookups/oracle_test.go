package lookups

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// oracleRecords writes records with the given keys; sizes follow from the index.
func oracleRecords(keys ...uint64) []byte {
	var b []byte
	for i, k := range keys {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		b = binary.LittleEndian.AppendUint64(b, k)
		b = binary.LittleEndian.AppendUint32(b, uint32(i*100))
		b = binary.LittleEndian.AppendUint64(b, 1<<64-1)
	}
	return b
}

func TestReadOracle(t *testing.T) {
	three := oracleRecords(7, 1<<64-1, 0)
	for _, test := range []struct {
		name string
		in   []byte
		opt  FileOptions
		keys string
		err  string
	}{
		{"a.oracleGeneral", three, FileOptions{}, "[7 18446744073709551615 0]", ""},
		{"b.x.oracleGeneral.bin", three, FileOptions{}, "[7 18446744073709551615 0]", ""},
		{"b.oracleGeneral.bin", nil, FileOptions{}, "[]", ""},
		{"b.bin", three, FileOptions{Format: "oracle"}, "[7 18446744073709551615 0]", ""},
		{"b.bin", three, FileOptions{Format: "oracleGeneral"}, "[7 18446744073709551615 0]", ""},
		{"b.bin", three[:71], FileOptions{Format: "oracle"}, "[7 18446744073709551615]",
			"b.bin: record 3 (byte 48): the file ends after 23 of the record's 24 bytes: it was cut, or is not in the format oracle"},
		{"b.bin", three[:5], FileOptions{Format: "oracle"}, "[]",
			"b.bin: record 1 (byte 0): the file ends after 5 of the record's 24 bytes: it was cut, or is not in the format oracle"},
		{"b.bin", three, FileOptions{Format: "oracle", MaxKeys: 2}, "[7 18446744073709551615]",
			"b.bin: record 3 (byte 48): more than 2 keys: cut the trace, or raise the limit of keys per file"},
		{"b.bin", three, FileOptions{Format: "oracle", MaxKeys: 3}, "[7 18446744073709551615 0]", ""},
		{"b.bin", three, FileOptions{Format: "oracle", MaxBytes: 50}, "[7 18446744073709551615]",
			"b.bin: more than 50 bytes after decompression: cut the trace, or raise the limit of decoded bytes"},
		{"b.bin", three, FileOptions{Format: "oracle", Column: "id"}, "[]",
			`b.bin: column "id": only the formats csv and parquet have columns, this file is read as oracle`},
	} {
		for pack, in := range map[string][]byte{"": test.in, ".gz": packGzip(t, test.in), ".zst": packZstd(t, test.in)} {
			keys, err := readAll(bytes.NewReader(in), test.name+pack, test.opt)
			if got := fmt.Sprint(keys); got != test.keys {
				t.Errorf("%s%s: keys %s, want %s", test.name, pack, got, test.keys)
			}
			want := strings.Replace(test.err, test.name, test.name+pack, 1)
			if got := fmt.Sprint(err); got != want && !(err == nil && want == "") {
				t.Errorf("%s%s: error\n%s, want\n%s", test.name, pack, got, want)
			}
		}
	}
}

// TestReadSized: sizes come with their keys, whatever the buffers, and are 1 where
// a format has none.
func TestReadSized(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Uint64(), 0, 50).Draw(t, "keys")
		format := rapid.SampledFrom([]string{OracleFormat, TextFormat, ARCFormat, CSVFormat}).Draw(t, "format")
		var in []byte
		switch format {
		case OracleFormat:
			in = oracleRecords(keys...)
		case ARCFormat:
			for _, k := range keys {
				in = fmt.Appendf(in, "%d 1\n", k)
			}
		default:
			if format == CSVFormat {
				in = []byte("k\n")
			}
			for _, k := range keys {
				in = fmt.Appendf(in, "%d\n", k)
			}
		}
		r, err := NewKeyReader(bytes.NewReader(in), "t", FileOptions{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		var gotSizes []uint32
		for {
			dst := make([]uint64, rapid.IntRange(1, 9).Draw(t, "room"))
			sizes := make([]uint32, rapid.IntRange(1, 9).Draw(t, "room for sizes"))
			n, err := r.ReadSized(dst, sizes)
			got, gotSizes = append(got, dst[:n]...), append(gotSizes, sizes[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, keys) {
			t.Fatalf("keys %v, want %v", got, keys)
		}
		for i, s := range gotSizes {
			want := uint32(1)
			if format == OracleFormat && i > 0 {
				want = uint32(i * 100)
			}
			if s != want {
				t.Fatalf("size %d is %d, want %d", i, s, want)
			}
		}
		if r.Keys() != int64(len(keys)) {
			t.Fatalf("%d keys counted, want %d", r.Keys(), len(keys))
		}
	})
}

// TestOracleBomb: a small file that is a large one takes the memory of a buffer.
func TestOracleBomb(t *testing.T) {
	packed := packZstd(t, make([]byte, 1<<26))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := NewKeyReader(bytes.NewReader(packed), "bomb", FileOptions{Format: OracleFormat, MaxBytes: 1 << 25})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]uint64, 100)
	for err == nil {
		_, err = r.Read(buf)
	}
	runtime.ReadMemStats(&after)
	var limit *LimitError
	if !errors.As(err, &limit) || r.Keys() != 1<<25/24 {
		t.Errorf("%d keys and error %v, want %d and the limit of bytes", r.Keys(), err, 1<<25/24)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d MiB allocated", got>>20)
	}
}

// TestOracleFile: a real file in both forms has the same keys.
func TestOracleFile(t *testing.T) {
	text, _, err := LoadKeys(sharedData(t, "traces", "cloudPhysicsIO.txt"), FileOptions{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenKeys(sharedData(t, "traces", "cloudPhysicsIO.oracleGeneral.bin"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	keys, sizes := make([]uint64, 113873), make([]uint32, 113873)
	n, err := r.ReadSized(keys, sizes)
	if !errors.Is(err, io.EOF) || n != 113872 || len(text) != n {
		t.Fatalf("%d keys, %v; as text %d; want 113872 of each", n, err, len(text))
	}
	if keys[0] != 42932745 || sizes[0] != 512 {
		t.Errorf("the first record is key %d, %d bytes, want 42932745 and 512", keys[0], sizes[0])
	}
	dense, distinct, err := Densify(keys[:n])
	if err != nil || distinct != 48974 || !slices.Equal(dense, text) {
		t.Errorf("%d distinct keys (%v), want 48974 in the order of the text", distinct, err)
	}
}

// FuzzOracle: any bytes are whole records and an error for the rest, the same
// plain and compressed.
func FuzzOracle(f *testing.F) {
	f.Add(oracleRecords(1, 2, 1<<64-1))
	f.Add(oracleRecords(1, 2)[:30])
	f.Add([]byte{})
	f.Add(packZstd(f, oracleRecords(5, 5, 5)))
	f.Add(packGzip(f, oracleRecords(5, 5, 5)[:50]))
	f.Add(packZstd(f, oracleRecords(5, 5, 5))[:20])
	f.Fuzz(func(t *testing.T, in []byte) {
		opt := FileOptions{Format: OracleFormat, MaxBytes: 1 << 16, MaxKeys: 100}
		keys, err := readAll(bytes.NewReader(in), "fuzz.in", opt)
		if err != nil && !strings.Contains(err.Error(), "fuzz.in") {
			t.Fatalf("error without the file's name: %v", err)
		}
		if compressed(in) {
			return
		}
		whole := min(len(in)/24, 100)
		if len(keys) != whole || (err == nil) != (len(in) == whole*24) {
			t.Fatalf("%d bytes: %d keys, %v", len(in), len(keys), err)
		}
		for i, k := range keys {
			if want := binary.LittleEndian.Uint64(in[i*24+4:]); k != want {
				t.Fatalf("key %d is %d, want %d", i, k, want)
			}
		}
		again, err2 := readAll(bytes.NewReader(packGzip(t, in)), "fuzz.in", opt)
		if fmt.Sprint(keys, err) != fmt.Sprint(again, err2) {
			t.Fatalf("plain %v, %v; compressed %v, %v", keys, err, again, err2)
		}
	})
}

// compressed tells files that are compressed or look so.
func compressed(in []byte) bool {
	return bytes.HasPrefix(in, []byte{0x1f, 0x8b}) || bytes.HasPrefix(in, []byte{0x28, 0xb5}) || len(in) > 3 && in[1] == 0x2a
}
