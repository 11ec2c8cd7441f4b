package unit

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestString(t *testing.T) {
	test := func(v fmt.Stringer, want string) {
		t.Helper()
		if got := v.String(); got != want {
			t.Errorf("%T prints %q, want %q", v, got, want)
		}
	}
	test(Bytes(0), "0 B")
	test(Bytes(512), "512 B")
	test(Bytes(32<<30), "32 GiB")
	test(Bytes(80e9), "80 GB")
	test(Bytes(1<<20), "1 MiB")
	test(Bytes(123_456_789), "123.5 MB")
	test(Bytes(maxInt), "9.223 EB")
	test(Bytes(-32<<30), "-32 GiB")
	test(Rate(900e9), "900 GB/s")
	test(Rate(12.5e9), "12.5 GB/s")
	test(Rate(1.0/3), "0.3333 B/s")
	test(Rate(math.Inf(1)), "+Inf B/s")
	test(Rate(math.NaN()), "NaN B/s")
	test(FLOPS(15.7e12), "15.7 TFLOPS")
	test(FLOPS(312e12), "312 TFLOPS")
	test(FLOP(3.14159e9), "3.142 GFLOP")
	test(FLOP(1e30), "1e+09 ZFLOP")
	test(Price(2.42), "2.42 USD/h")
	test(Price(2.4213), "2.421 USD/h")
	test(RowRate(2.47e9), "2.47 Grows/s")
	test(Duration(5*time.Microsecond), "5 us")
	test(Duration(90*time.Second), "90 s")
	test(Duration(123_456_789), "123.5 ms")
	test(Ratio(.05), "5 %")
	test(Ratio(1.0/3), "33.33 %")
	test(Ratio(0), "0 %")
}

// text is what every type here can do.
type text interface {
	encoding.TextMarshaler
	fmt.Stringer
}

// roundTrip checks text and JSON of one value v of type T: both restore it
// exactly, and what String says parses to within its four digits.
func roundTrip[T interface {
	comparable
	text
}, P interface {
	*T
	encoding.TextUnmarshaler
	json.Unmarshaler
}](t interface{ Fatalf(string, ...any) }, v T, number func(T) float64) {
	data, err := v.MarshalText()
	if err != nil {
		t.Fatalf("MarshalText: %v", err)
	}
	var back T
	if err := P(&back).UnmarshalText(data); err != nil || back != v {
		t.Fatalf("%v as text is %q, which parses as %v, %v", number(v), data, number(back), err)
	}
	coded, err := json.Marshal(v)
	if err != nil || coded[0] == '"' {
		t.Fatalf("%v as JSON is %s, %v", number(v), coded, err)
	}
	var decoded T
	if err := json.Unmarshal(coded, &decoded); err != nil || decoded != v {
		t.Fatalf("%v as JSON is %s, which decodes as %v, %v", number(v), coded, number(decoded), err)
	}
	quoted, _ := json.Marshal(string(data))
	if err := json.Unmarshal(quoted, &decoded); err != nil || decoded != v {
		t.Fatalf("the JSON string %s decodes as %v, %v", quoted, number(decoded), err)
	}
	var near T
	if err := P(&near).UnmarshalText([]byte(v.String())); err != nil {
		t.Fatalf("%v prints %q, which does not parse: %v", number(v), v.String(), err)
	}
	if a, b := number(v), number(near); math.Abs(a-b) > 5.001e-4*a {
		t.Fatalf("%v prints %q, which is %v", a, v.String(), b)
	}
}

func bytesNumber(b Bytes) float64       { return float64(b) }
func rateNumber(r Rate) float64         { return float64(r) }
func flopsNumber(f FLOPS) float64       { return float64(f) }
func flopNumber(f FLOP) float64         { return float64(f) }
func priceNumber(p Price) float64       { return float64(p) }
func rowRateNumber(r RowRate) float64   { return float64(r) }
func durationNumber(d Duration) float64 { return float64(d) }
func ratioNumber(r Ratio) float64       { return float64(r) }

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, maxInt).Draw(t, "n")
		n >>= rapid.IntRange(0, 62).Draw(t, "shift") // all magnitudes
		roundTrip(t, Bytes(n), bytesNumber)
		roundTrip(t, Duration(min(n, int64(MaxTime))), durationNumber)
		f := rapid.Float64Range(0, maxFloat).Draw(t, "f")
		roundTrip(t, Rate(f), rateNumber)
		roundTrip(t, FLOPS(f), flopsNumber)
		roundTrip(t, FLOP(f), flopNumber)
		roundTrip(t, Price(f), priceNumber)
		roundTrip(t, RowRate(f), rowRateNumber)
		roundTrip(t, Ratio(f), ratioNumber)
	})
}

// TestRoundValues: a number of at most four digits in a unit that String uses
// prints so that it parses back.
func TestRoundValues(t *testing.T) {
	for _, k := range kinds {
		for _, u := range k.units {
			for _, x := range []string{"1", "2.5", "32", "100", "312", "512.5", "999.9"} {
				v, err := k.float(x + " " + u.name)
				if err != nil || !u.print {
					continue
				}
				if back, err := k.float(k.human(v)); err != nil || back != v {
					t.Errorf("%s %s = %v prints %q = %v, %v", x, u.name, v, k.human(v), back, err)
				}
			}
		}
	}
}

func TestJSONIsANumber(t *testing.T) {
	got, err := json.Marshal(struct {
		B Bytes
		R Rate
		D Duration
		P *Price
		M map[string]FLOPS
	}{5, 12.5e9, 7, new(Price), map[string]FLOPS{"fp32": 1e12}})
	want := `{"B":5,"R":12500000000,"D":7,"P":0,"M":{"fp32":1000000000000}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if _, err := json.Marshal(Rate(math.NaN())); err == nil {
		t.Error("NaN has a JSON form")
	}
	for _, bad := range []string{`-1`, `1.5`, `true`, `null`, `[1]`, `"5"`, `9223372036854775808`} {
		var b Bytes
		if err := b.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("Bytes accepts JSON %s as %d", bad, b)
		}
	}
	var r Rate
	if err := json.Unmarshal([]byte(`-1`), &r); err == nil {
		t.Error("Rate accepts JSON -1")
	}
}

func TestMarshalTextRefuses(t *testing.T) {
	for _, v := range []encoding.TextMarshaler{Bytes(-1), Bytes(maxInt + 1), Duration(-1), Duration(MaxTime + 1), Rate(math.NaN()), Rate(-1), Ratio(math.Inf(1))} {
		if got, err := v.MarshalText(); err == nil {
			t.Errorf("%T %v has the text form %q, which nothing would parse", v, v, got)
		}
	}
}

func TestRatioTOML(t *testing.T) {
	test := func(value any, want float64) {
		t.Helper()
		var r Ratio
		if err := r.UnmarshalTOML(value); err != nil || float64(r) != want {
			t.Errorf("%T %v is the ratio %v, %v; want %v", value, value, float64(r), err, want)
		}
	}
	test("5 %", .05)
	test(.05, .05)
	test(1e-9, 1e-9) // six decimals would make it 0
	test(int64(1), 1)
	var r Ratio
	for _, bad := range []any{true, -1.0, math.NaN(), math.Inf(1), int64(-1), nil, "x"} {
		if err := r.UnmarshalTOML(bad); err == nil {
			t.Errorf("%v is accepted as the ratio %v", bad, r)
		}
	}
}
