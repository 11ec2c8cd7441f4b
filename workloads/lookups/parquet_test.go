package lookups

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"
)

// The writer of these files is parquet-go's, which shares no code with our pages.

func parquetFile(t failer, column parquet.Node, values []parquet.Value, opts ...parquet.WriterOption) []byte {
	t.Helper()
	// Columns stand in the order of their names: t first, then user.k and user.name.
	schema := parquet.NewSchema("trace", parquet.Group{
		"t":    parquet.Int(32),
		"user": parquet.Group{"k": column, "name": parquet.String()},
	})
	var b bytes.Buffer
	w := parquet.NewWriter(&b, append(opts, schema)...)
	for i, v := range values {
		level := 0
		if column.Optional() && !v.IsNull() {
			level = 1
		}
		row := parquet.Row{
			parquet.Int32Value(int32(i)).Level(0, 0, 0),
			v.Level(0, level, 1),
			parquet.ByteArrayValue(fmt.Append(nil, "n", i)).Level(0, 0, 2),
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
		if i%150 == 149 {
			if err := w.Flush(); err != nil { // the row group ends
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type failer interface {
	Helper()
	Fatal(...any)
}

func parquetKeys(in []byte, opt FileOptions) ([]uint64, error) {
	opt.Format = ParquetFormat
	return readAll(bytes.NewReader(in), "a.parquet", opt)
}

// TestParquetTwin: what parquet-go writes, in every encoding, codec and page
// version, is read back.
func TestParquetTwin(t *testing.T) {
	codecs := []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw}
	encodings := []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked, &parquet.ByteStreamSplit}
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SampledFrom([]int{32, 64}).Draw(t, "bits")
		signed := rapid.Bool().Draw(t, "signed")
		most := uint64(1)<<bits - 1
		if signed {
			most >>= 1
		}
		key := rapid.OneOf(rapid.Uint64Range(0, most), rapid.Uint64Range(0, 9), rapid.Uint64Range(most-3, most))
		if rapid.Bool().Draw(t, "few keys") {
			key = rapid.Uint64Range(40, 43)
		}
		keys := rapid.SliceOfN(key, 0, 400).Draw(t, "keys")
		if rapid.Bool().Draw(t, "runs") {
			for i := range keys {
				keys[i] = keys[i/37*37]
			}
		}
		node := parquet.Uint(bits)
		if signed {
			node = parquet.Int(bits)
		}
		node = parquet.Encoded(node, rapid.SampledFrom(encodings).Draw(t, "encoding"))
		node = parquet.Compressed(node, rapid.SampledFrom(codecs).Draw(t, "codec"))
		if rapid.Bool().Draw(t, "optional") {
			node = parquet.Optional(node)
		}
		values := make([]parquet.Value, len(keys))
		for i, k := range keys {
			if bits == 32 {
				values[i] = parquet.Int32Value(int32(k))
			} else {
				values[i] = parquet.Int64Value(int64(k))
			}
		}
		in := parquetFile(t, node, values, parquet.DataPageVersion(rapid.IntRange(1, 2).Draw(t, "version")),
			parquet.PageBufferSize(rapid.IntRange(64, 4096).Draw(t, "page")))
		got, err := parquetKeys(in, FileOptions{Column: "user.k"})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, keys) {
			t.Fatalf("%d keys %v, want %d: %v", len(got), got, len(keys), keys)
		}
	})
}

func int64s(vs ...int64) []parquet.Value {
	var out []parquet.Value
	for _, v := range vs {
		out = append(out, parquet.Int64Value(v))
	}
	return out
}

func TestParquetErrors(t *testing.T) {
	k := FileOptions{Column: "user.k"}
	plain := parquetFile(t, parquet.Uint(64), int64s(5, 6, 7))
	null := append(int64s(5, 6), parquet.NullValue(), parquet.Int64Value(7))
	limited := k
	limited.MaxKeys = 2
	for _, test := range []struct {
		in   []byte
		opt  FileOptions
		keys string
		err  string // a part
	}{
		{plain, k, "[5 6 7]", ""},
		{plain, limited, "[5 6]", "a.parquet: record 3 (byte "},
		{plain, FileOptions{}, "[]", "a.parquet: the file has 3 columns: name the one that holds the keys by column: one of t, user.k, user.name"},
		{plain, FileOptions{Column: "user.c"}, "[]", `a.parquet: no column "user.c": want one of t, user.k, user.name; did you mean user.k?`},
		{plain, FileOptions{Column: "user.name"}, "[]", "column user.name is STRING: want integers (columns of integers: t, user.k)"},
		{plain, FileOptions{Column: "t", MaxBytes: 100}, "[]", "more than 100 bytes in the file"},
		{parquetFile(t, parquet.Timestamp(parquet.Nanosecond), int64s(5)), k, "[]", "column user.k is TIMESTAMP"},
		{parquetFile(t, parquet.Decimal(2, 12, parquet.Int64Type), int64s(5)), k, "[]", "column user.k is DECIMAL"},
		{parquetFile(t, parquet.Leaf(parquet.DoubleType), []parquet.Value{parquet.DoubleValue(1)}), k, "[]", "column user.k is DOUBLE: want integers"},
		{parquetFile(t, parquet.Repeated(parquet.Int(64)), nil), k, "[]", "column user.k is a list"},
		{parquetFile(t, parquet.Leaf(parquet.Int64Type), int64s(5, 6)), k, "[5 6]", ""},
		{parquetFile(t, parquet.Int(64), int64s(5, 6, -7, 8)), k, "[5 6]", "column user.k: -7: keys are not negative"},
		{parquetFile(t, parquet.Uint(64), int64s(5, -1)), k, "[5 18446744073709551615]", ""},
		{parquetFile(t, parquet.Optional(parquet.Int(64)), null), k, "[5 6]", "record 3 (byte"},
		{parquetFile(t, parquet.Optional(parquet.Int(64)), null), k, "[5 6]", "column user.k: no value (null)"},
		{parquetFile(t, parquet.Compressed(parquet.Int(64), &parquet.Brotli), int64s(5)), k, "[]", "compressed by BROTLI: want SNAPPY, GZIP, ZSTD, LZ4_RAW or none"},
		{packGzip(t, plain), k, "[]", "a.parquet: a Parquet file is compressed inside"},
		{packZstd(t, plain), k, "[]", "a.parquet: a Parquet file is compressed inside"},
		{[]byte("1\n2\n"), k, "[]", `not a Parquet file: it starts with "1\n2\n", not "PAR1"`},
		{nil, k, "[]", "not a Parquet file: it is shorter than one"},
		{plain[:len(plain)-1], k, "[]", `does not end with "PAR1": it was cut`},
	} {
		keys, err := parquetKeys(test.in, test.opt)
		if fmt.Sprint(keys) != test.keys {
			t.Errorf("keys %v, want %s (%s)", keys, test.keys, test.err)
		}
		if got := fmt.Sprint(err); (err == nil) != (test.err == "") || !strings.Contains(got, test.err) && err != nil {
			t.Errorf("error %s, want … %s …", got, test.err)
		}
	}
}

// TestParquetSources: a file on disk, packed or not, and what cannot be read at
// random.
func TestParquetSources(t *testing.T) {
	plain := parquetFile(t, parquet.Uint(64), int64s(5, 6, 5))
	path := filepath.Join(t.TempDir(), "a.parquet")
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, bound, err := LoadKeys(path, FileOptions{Column: "user.k"}, 0)
	if fmt.Sprint(keys, bound, err) != "[0 1 0] 2 <nil>" {
		t.Errorf("keys %v below %d, %v", keys, bound, err)
	}
	if err := os.WriteFile(path+".gz", packGzip(t, plain), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadKeys(path+".gz", FileOptions{Column: "user.k"}, 0); err == nil || !strings.Contains(err.Error(), "compressed inside") {
		t.Errorf("a packed file: %v", err)
	}
	if _, err := NewKeyReader(io.MultiReader(), path, FileOptions{}); err == nil || !strings.Contains(err.Error(), "not a stream") {
		t.Errorf("a stream: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := NewKeyReader(r, path, FileOptions{}); err == nil || !strings.Contains(err.Error(), "not a pipe") {
		t.Errorf("a pipe: %v", err)
	}
}

// TestParquetDamage: whatever byte of a file is damaged, memory stays bounded, and
// the error names the file.
func TestParquetDamage(t *testing.T) {
	node := parquet.Optional(parquet.Compressed(parquet.Encoded(parquet.Uint(64), &parquet.RLEDictionary), &parquet.Zstd))
	in := parquetFile(t, node, int64s(5, 6, 7, 5, 5, 5, 6, 1<<40), parquet.DataPageVersion(2))
	step := 1
	if testing.Short() || raceDetector {
		step = 17
	}
	for at := 0; at < len(in); at += step {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(in)
			bad[at] ^= flip
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			keys, err := parquetKeys(bad, FileOptions{Column: "user.k", MaxKeys: 1000})
			runtime.ReadMemStats(&after)
			if err != nil && !strings.Contains(err.Error(), "a.parquet") {
				t.Fatalf("byte %d: error without the file's name: %v", at, err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 3*maxParquetPage {
				t.Fatalf("byte %d: %d MiB allocated for %d keys, %v", at, got>>20, len(keys), err)
			}
		}
		if keys, err := parquetKeys(in[:at], FileOptions{Column: "user.k"}); err == nil {
			t.Fatalf("cut at byte %d: %v is accepted", at, keys)
		}
	}
}

// TestUnpackBomb: a page that unpacks to more or less than its header says is an
// error, and takes no more memory than the header says.
func TestUnpackBomb(t *testing.T) {
	zeros := make([]byte, 1<<25)
	var u unpacker
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw} {
		page, err := codec.Encode(nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, n := range []int{0, 1, 1000, 1<<16 + 1} {
			if _, err := u.unpack(codec.CompressionCodec(), nil, page, n); err == nil {
				t.Errorf("%s: 32 MiB in a page of %d bytes are accepted", codec, n)
			}
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 24<<20 {
			t.Errorf("%s: %d MiB allocated", codec, got>>20)
		}
		page, err = codec.Encode(nil, zeros[:1000])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.unpack(codec.CompressionCodec(), nil, page, 1001); err == nil {
			t.Errorf("%s: 1000 bytes in a page of 1001 are accepted", codec)
		}
		if got, err := u.unpack(codec.CompressionCodec(), nil, page, 1000); err != nil || !bytes.Equal(got, zeros[:1000]) {
			t.Errorf("%s: %d bytes, %v", codec, len(got), err)
		}
	}
	if _, err := u.unpack(format.LZO, nil, nil, 0); err == nil {
		t.Error("LZO is accepted")
	}
}

// TestParquetLimits: each limit is met by a file that claims too much.
func TestParquetLimits(t *testing.T) {
	claims := func(footer ...byte) []byte {
		in := append([]byte("PAR1"), footer...)
		return append(in, byte(len(footer)), 0, 0, 0, 'P', 'A', 'R', '1')
	}
	deep := bytes.Repeat([]byte{0x1c}, 60) // structures in structures
	for want, in := range map[string][]byte{
		"claims 4278190080 bytes in a file":   append([]byte("PAR1"), 0, 0, 0, 0xff, 'P', 'A', 'R', '1'),
		"a list of 268435455 items":           claims(0x29, 0xfc, 0xff, 0xff, 0xff, 0x7f, 0),
		"more than 32 structures in":          claims(deep...),
		"more than 32 lists in each other":    claims(append([]byte{0x29}, bytes.Repeat([]byte{0x19}, 60)...)...),
		"has a map":                           claims(0x1b, 0),
		"the header is cut off":               claims(0x15),
		"footer has 16777217 bytes, more tha": append(append([]byte("PAR1"), make([]byte, 1<<24+1)...), 1, 0, 0, 1, 'P', 'A', 'R', '1'),
		"more than 262144 row groups x colu":  wideFooter(),
	} {
		_, err := parquetKeys(in, FileOptions{Column: "k"})
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), want) {
			t.Errorf("error %v, want … %s …", err, want)
		}
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[struct{ K uint64 }](&b, parquet.PageBufferSize(1<<28), parquet.Compression(&parquet.Zstd))
	rows := make([]struct{ K uint64 }, maxParquetPage/8+1)
	_, err := w.Write(rows)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := parquetKeys(b.Bytes(), FileOptions{}); err == nil || !strings.Contains(err.Error(), "above the limit of 67108864") {
		t.Errorf("error %v, want the page limit", err)
	}
}

// wideFooter has a list of more empty structures than are allowed.
func wideFooter() []byte {
	in := append([]byte("PAR1"), 0x29, 0xfc, 0x81, 0x80, 0x10) // field 2: 262145 structures
	footer := append(make([]byte, maxParquetStructs+1), 0)
	n := 5 + len(footer)
	return append(append(in, footer...), byte(n), byte(n>>8), byte(n>>16), 0, 'P', 'A', 'R', '1')
}

// FuzzParquet: any bytes are keys or an error that names the file.
func FuzzParquet(f *testing.F) {
	values := int64s(5, 6, 7, 5, 5, 5, 6, 1<<40)
	for _, enc := range []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked, &parquet.ByteStreamSplit} {
		for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw} {
			node := parquet.Compressed(parquet.Encoded(parquet.Uint(64), enc), codec)
			f.Add(parquetFile(f, node, values))
			f.Add(parquetFile(f, parquet.Optional(node), append(values, parquet.NullValue()), parquet.DataPageVersion(1)))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		keys, err := parquetKeys(in, FileOptions{Column: "user.k", MaxKeys: 5000})
		if err != nil && !strings.Contains(err.Error(), "a.parquet") {
			t.Fatalf("error without the file's name: %v", err)
		}
		if len(keys) > 5000 {
			t.Fatalf("%d keys", len(keys))
		}
	})
}

// FuzzParquetValues: any bytes, in any encoding, are decoded within their claims.
func FuzzParquetValues(f *testing.F) {
	f.Add([]byte{128, 1, 4, 3, 2, 4, 0, 0, 0, 0}, uint8(5), []byte{})
	f.Add([]byte{2, 3, 0xff, 6, 1}, uint8(8), []byte("0123456701234567"))
	f.Add([]byte("0123456701234567"), uint8(0), []byte{})
	f.Add([]byte("0123456701234567"), uint8(9), []byte{})
	f.Fuzz(func(t *testing.T, data []byte, enc uint8, dict []byte) {
		for _, size := range []int{4, 8} {
			v, err := newValueDecoder(format.Encoding(enc%10), data, size, dict)
			if err != nil {
				continue
			}
			dst := make([]uint64, 37)
			for i := 0; i < 100 && err == nil; i++ {
				var n int
				n, err = v.decode(dst)
				if n > len(dst) || n < len(dst) && err == nil {
					t.Fatalf("%d of %d values, error %v", n, len(dst), err)
				}
			}
		}
	})
}
