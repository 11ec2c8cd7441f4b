package unit

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes is an amount of memory or data.
type Bytes int64

// Rate is a bandwidth in bytes per second.
type Rate float64

// FLOPS is an arithmetic rate in floating-point operations per second; a
// multiply-add counts as two.
type FLOPS float64

// FLOP is a count of floating-point operations; a multiply-add counts as two.
type FLOP float64

// Price is money over time in US dollars per hour.
type Price float64

// RowRate is a rate of random accesses in rows (or I/O operations) per second.
type RowRate float64

// Duration is a time as people write it in a file. Its zero is no time at all;
// the longest is MaxTime.
type Duration time.Duration

// Ratio is a share or a tolerance, 1 for the whole. It may exceed 1.
type Ratio float64

// ParseBytes parses "32 GiB", "800 MB" or "512 B".
func ParseBytes(s string) (Bytes, error) {
	v, err := bytesKind.integer(s)
	return Bytes(v), err
}

// String prints b for people, rounded to four significant digits.
func (b Bytes) String() string { return bytesKind.human(float64(b)) }

// MarshalText gives text from which UnmarshalText restores b exactly.
func (b Bytes) MarshalText() ([]byte, error) { return bytesKind.exactInteger(int64(b)) }

// UnmarshalText is ParseBytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	x, err := ParseBytes(string(text))
	if err == nil {
		*b = x
	}
	return err
}

// MarshalJSON gives a bare number of bytes.
func (b Bytes) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(b), 10), nil }

// UnmarshalJSON reads a bare number of bytes, or a string with a unit.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	x, err := bytesKind.integerFromJSON(data)
	if err == nil {
		*b = Bytes(x)
	}
	return err
}

// ParseRate parses "900 GB/s" or, in bits, "100 Gb/s", "100 Gbit/s" or "100 Gbps".
func ParseRate(s string) (Rate, error) {
	v, err := rateKind.float(s)
	return Rate(v), err
}

// String prints r for people, rounded to four significant digits.
func (r Rate) String() string { return rateKind.human(float64(r)) }

// MarshalText gives text from which UnmarshalText restores r exactly.
func (r Rate) MarshalText() ([]byte, error) { return rateKind.exactFloat(float64(r)) }

// UnmarshalText is ParseRate.
func (r *Rate) UnmarshalText(text []byte) error {
	x, err := ParseRate(string(text))
	if err == nil {
		*r = x
	}
	return err
}

// MarshalJSON gives a bare number of bytes per second.
func (r Rate) MarshalJSON() ([]byte, error) { return rateKind.number(float64(r)) }

// UnmarshalJSON reads a bare number of bytes per second, or a string with a unit.
func (r *Rate) UnmarshalJSON(data []byte) error {
	x, err := rateKind.fromJSON(data)
	if err == nil {
		*r = Rate(x)
	}
	return err
}

// ParseFLOPS parses "15.7 TFLOPS" or "15.7 TFLOP/s"; for integer arithmetic "130 TOPS".
func ParseFLOPS(s string) (FLOPS, error) {
	v, err := flopsKind.float(s)
	return FLOPS(v), err
}

// String prints f for people, rounded to four significant digits.
func (f FLOPS) String() string { return flopsKind.human(float64(f)) }

// MarshalText gives text from which UnmarshalText restores f exactly.
func (f FLOPS) MarshalText() ([]byte, error) { return flopsKind.exactFloat(float64(f)) }

// UnmarshalText is ParseFLOPS.
func (f *FLOPS) UnmarshalText(text []byte) error {
	x, err := ParseFLOPS(string(text))
	if err == nil {
		*f = x
	}
	return err
}

// MarshalJSON gives a bare number of operations per second.
func (f FLOPS) MarshalJSON() ([]byte, error) { return flopsKind.number(float64(f)) }

// UnmarshalJSON reads a bare number of operations per second, or a string with a unit.
func (f *FLOPS) UnmarshalJSON(data []byte) error {
	x, err := flopsKind.fromJSON(data)
	if err == nil {
		*f = FLOPS(x)
	}
	return err
}

// ParseFLOP parses "3.1 GFLOP".
func ParseFLOP(s string) (FLOP, error) {
	v, err := flopKind.float(s)
	return FLOP(v), err
}

// String prints f for people, rounded to four significant digits.
func (f FLOP) String() string { return flopKind.human(float64(f)) }

// MarshalText gives text from which UnmarshalText restores f exactly.
func (f FLOP) MarshalText() ([]byte, error) { return flopKind.exactFloat(float64(f)) }

// UnmarshalText is ParseFLOP.
func (f *FLOP) UnmarshalText(text []byte) error {
	x, err := ParseFLOP(string(text))
	if err == nil {
		*f = x
	}
	return err
}

// MarshalJSON gives a bare number of operations.
func (f FLOP) MarshalJSON() ([]byte, error) { return flopKind.number(float64(f)) }

// UnmarshalJSON reads a bare number of operations, or a string with a unit.
func (f *FLOP) UnmarshalJSON(data []byte) error {
	x, err := flopKind.fromJSON(data)
	if err == nil {
		*f = FLOP(x)
	}
	return err
}

// ParsePrice parses "2.42 USD/h" or "2.42 $/h".
func ParsePrice(s string) (Price, error) {
	v, err := priceKind.float(s)
	return Price(v), err
}

// String prints p for people, rounded to four significant digits.
func (p Price) String() string { return priceKind.human(float64(p)) }

// MarshalText gives text from which UnmarshalText restores p exactly.
func (p Price) MarshalText() ([]byte, error) { return priceKind.exactFloat(float64(p)) }

// UnmarshalText is ParsePrice.
func (p *Price) UnmarshalText(text []byte) error {
	x, err := ParsePrice(string(text))
	if err == nil {
		*p = x
	}
	return err
}

// MarshalJSON gives a bare number of US dollars per hour.
func (p Price) MarshalJSON() ([]byte, error) { return priceKind.number(float64(p)) }

// UnmarshalJSON reads a bare number of US dollars per hour, or a string with a unit.
func (p *Price) UnmarshalJSON(data []byte) error {
	x, err := priceKind.fromJSON(data)
	if err == nil {
		*p = Price(x)
	}
	return err
}

// ParseRowRate parses "2.4 Grows/s" or "500 kIOPS".
func ParseRowRate(s string) (RowRate, error) {
	v, err := rowRateKind.float(s)
	return RowRate(v), err
}

// String prints r for people, rounded to four significant digits.
func (r RowRate) String() string { return rowRateKind.human(float64(r)) }

// MarshalText gives text from which UnmarshalText restores r exactly.
func (r RowRate) MarshalText() ([]byte, error) { return rowRateKind.exactFloat(float64(r)) }

// UnmarshalText is ParseRowRate.
func (r *RowRate) UnmarshalText(text []byte) error {
	x, err := ParseRowRate(string(text))
	if err == nil {
		*r = x
	}
	return err
}

// MarshalJSON gives a bare number of rows per second.
func (r RowRate) MarshalJSON() ([]byte, error) { return rowRateKind.number(float64(r)) }

// UnmarshalJSON reads a bare number of rows per second, or a string with a unit.
func (r *RowRate) UnmarshalJSON(data []byte) error {
	x, err := rowRateKind.fromJSON(data)
	if err == nil {
		*r = RowRate(x)
	}
	return err
}

// ParseDuration parses "5 us", "5 µs" or "1.5 ms".
func ParseDuration(s string) (Duration, error) {
	v, err := durationKind.integer(s)
	return Duration(v), err
}

// String prints d for people, rounded to four significant digits.
func (d Duration) String() string { return durationKind.human(float64(d)) }

// MarshalText gives text from which UnmarshalText restores d exactly.
func (d Duration) MarshalText() ([]byte, error) { return durationKind.exactInteger(int64(d)) }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	x, err := ParseDuration(string(text))
	if err == nil {
		*d = x
	}
	return err
}

// MarshalJSON gives a bare number of nanoseconds.
func (d Duration) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(d), 10), nil }

// UnmarshalJSON reads a bare number of nanoseconds, or a string with a unit.
func (d *Duration) UnmarshalJSON(data []byte) error {
	x, err := durationKind.integerFromJSON(data)
	if err == nil {
		*d = Duration(x)
	}
	return err
}

// ParseRatio parses "5 %", "5%" or "0.05".
func ParseRatio(s string) (Ratio, error) {
	v, err := ratioKind.float(s)
	return Ratio(v), err
}

// String prints r for people, rounded to four significant digits.
func (r Ratio) String() string { return ratioKind.human(float64(r)) }

// MarshalText gives text from which UnmarshalText restores r exactly.
func (r Ratio) MarshalText() ([]byte, error) { return ratioKind.exactFloat(float64(r)) }

// UnmarshalText is ParseRatio.
func (r *Ratio) UnmarshalText(text []byte) error {
	x, err := ParseRatio(string(text))
	if err == nil {
		*r = x
	}
	return err
}

// MarshalJSON gives a bare number of parts of 1.
func (r Ratio) MarshalJSON() ([]byte, error) { return ratioKind.number(float64(r)) }

// UnmarshalJSON reads a bare number of parts of 1, or a string with a unit.
func (r *Ratio) UnmarshalJSON(data []byte) error {
	x, err := ratioKind.fromJSON(data)
	if err == nil {
		*r = Ratio(x)
	}
	return err
}

// UnmarshalTOML reads a TOML string, integer or float. The decoder would hand
// a float to UnmarshalText with six decimals only.
func (r *Ratio) UnmarshalTOML(value any) error {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return ratioKind.errorf(fmt.Sprint(v), "it is not a number")
	}
	return r.UnmarshalText([]byte(text))
}
