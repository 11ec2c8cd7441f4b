package scenarios

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"stowage/hw/unit"
)

// Amount is a number of slots: a count (100000), a share of the rows ("5 %") or
// memory ("2 GiB").
type Amount struct {
	Count int64
	Share unit.Ratio
	Bytes unit.Bytes
}

// UnmarshalTOML reads an integer, "5 %" or "2 GiB".
func (a *Amount) UnmarshalTOML(v any) error {
	const want = `a number of slots (100000), a share of the rows ("5 %") or memory ("2 GiB")`
	switch v := v.(type) {
	case int64:
		if v < 1 {
			return fmt.Errorf("%d: expected %s, at least one slot", v, want)
		}
		*a = Amount{Count: v}
		return nil
	case string:
		if strings.HasSuffix(strings.TrimSpace(v), "%") {
			r, err := unit.ParseRatio(v)
			if err != nil || !(r > 0 && r <= 1) {
				return fmt.Errorf("%q: expected a share above 0 %% and up to 100 %%", v)
			}
			*a = Amount{Share: r}
			return nil
		}
		b, err := unit.ParseBytes(v)
		if err != nil || b < 1 {
			return fmt.Errorf("%q: expected %s", v, want)
		}
		*a = Amount{Bytes: b}
		return nil
	}
	return fmt.Errorf("expected %s", want)
}

// MarshalText gives text from which UnmarshalTOML restores a, but for a count, which is
// a number.
func (a Amount) MarshalText() ([]byte, error) {
	switch {
	case a.Share > 0:
		percent := strconv.FormatFloat(100*float64(a.Share), 'g', -1, 64) + " %"
		if back, err := unit.ParseRatio(percent); err == nil && back == a.Share {
			return []byte(percent), nil
		}
		// The last digit got lost by the factor: a longer number gets it back.
		return []byte(new(big.Float).Mul(big.NewFloat(float64(a.Share)), big.NewFloat(100).SetPrec(80)).Text('g', 24) + " %"), nil
	case a.Bytes > 0:
		return a.Bytes.MarshalText()
	}
	return strconv.AppendInt(nil, a.Count, 10), nil
}

// Slots splits the amount over layers of the given rows and bytes per row, in
// proportion to their rows (their bytes for memory). No layer gets more slots
// than rows, nor fewer than one.
func (a Amount) Slots(rows []int64, rowBytes []unit.Bytes) []int {
	var allRows, allBytes float64
	for i, n := range rows {
		allRows += float64(n)
		allBytes += float64(n) * float64(rowBytes[i])
	}
	slots := make([]int, len(rows))
	for i, n := range rows {
		share := float64(a.Share)
		switch {
		case a.Count > 0:
			share = float64(a.Count) / allRows
		case a.Bytes > 0:
			share = float64(a.Bytes) / allBytes
		}
		slots[i] = int(max(1, math.Round(min(1, share)*float64(n))))
	}
	return slots
}
