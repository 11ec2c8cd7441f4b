package scenarios

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw/unit"
)

func TestAmountReads(t *testing.T) {
	for _, c := range []struct {
		v    any
		want Amount
	}{
		{int64(1), Amount{Count: 1}},
		{int64(100_000), Amount{Count: 100_000}},
		{"5 %", Amount{Share: 0.05}},
		{" 100% ", Amount{Share: 1}},
		{"2 GiB", Amount{Bytes: 2 << 30}},
	} {
		var a Amount
		if err := a.UnmarshalTOML(c.v); err != nil || a != c.want {
			t.Errorf("%v: %+v, %v; want %+v", c.v, a, err, c.want)
		}
	}
	for _, v := range []any{int64(0), int64(-1), "0 %", "101 %", "x %", "%", "0 B", "5", "", "0.05", 0.05, true, nil, []any{int64(1)}} {
		var a Amount
		if err := a.UnmarshalTOML(v); err == nil || a != (Amount{}) {
			t.Errorf("%v: %+v, %v; want an error", v, a, err)
		}
	}
}

// Layers of 1000 and 3000 rows, of 16 and 32 bytes a row.
func TestAmountSplits(t *testing.T) {
	rows, bytes := []int64{1000, 3000}, []unit.Bytes{16, 32}
	for _, c := range []struct {
		a    Amount
		want []int
	}{
		{Amount{Count: 400}, []int{100, 300}},
		{Amount{Count: 1}, []int{1, 1}},
		{Amount{Count: 9000}, []int{1000, 3000}},
		{Amount{Share: 0.05}, []int{50, 150}},
		{Amount{Share: 1}, []int{1000, 3000}},
		{Amount{Bytes: 56_000}, []int{500, 1500}}, // half of 112 000 bytes
		{Amount{Bytes: 1 << 40}, []int{1000, 3000}},
	} {
		if got := c.a.Slots(rows, bytes); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.a, got, c.want)
		}
	}
}

func TestAmountKeepsItsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "layers")
		rows := rapid.SliceOfN(rapid.Int64Range(1, 1<<33), n, n).Draw(t, "rows")
		bytes := make([]unit.Bytes, n)
		all, allBytes := int64(0), unit.Bytes(0)
		for i := range bytes {
			bytes[i] = unit.Bytes(rapid.IntRange(4, 512).Draw(t, "row bytes"))
			all += rows[i]
			allBytes += unit.Bytes(rows[i]) * bytes[i]
		}
		count := rapid.Int64Range(1, 2*all).Draw(t, "count")
		sum := int64(0)
		for i, k := range (Amount{Count: count}).Slots(rows, bytes) {
			if k < 1 || int64(k) > rows[i] {
				t.Fatalf("layer %d of %d rows got %d slots", i, rows[i], k)
			}
			sum += int64(k)
		}
		if d := sum - min(count, all); d < -int64(n) || d > int64(n) {
			t.Fatalf("%d slots of %d", sum, count)
		}
		memory := unit.Bytes(rapid.Int64Range(1, int64(allBytes)).Draw(t, "memory"))
		var used, widest unit.Bytes
		for i, k := range (Amount{Bytes: memory}).Slots(rows, bytes) {
			used += unit.Bytes(k) * bytes[i]
			widest = max(widest, bytes[i])
		}
		if used > memory+unit.Bytes(n)*widest {
			t.Fatalf("%v of slots in %v", used, memory)
		}
	})
}
