package rounds

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/sim/slots"
)

// Up to the number of devices that can divide the slots, every number replays, and the
// next one does not, for the reason given: unless the answer is one from which on groups
// are not tried one by one, or the fault is another.
func TestDivisible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Layers = spec.Layers[:1]
		spec.Layers[0].Slots.Slots = rapid.IntRange(1, 60).Draw(t, "all slots")
		spec.Layers[0].Slots.Ways = min(spec.Layers[0].Slots.Ways*rapid.IntRange(1, 4).Draw(t, "ways"), spec.Layers[0].Slots.Slots)
		if spec.Replicated > 0 || rapid.Bool().Draw(t, "copies") {
			spec.Replicated = 0.2
		}
		const most = 8 // all are tried
		n, why, err := Divisible(spec, most)
		if err != nil {
			t.Skip("a spec that is refused")
		}
		if (n < most) != (why != nil) {
			t.Fatalf("%d of %d devices, because: %v", n, most, why)
		}
		of := func(devices int) error {
			s := spec
			s.Devices, s.Exchange = devices, NoExchange
			_, err := Replay(s)
			return err
		}
		if of(1) != nil {
			return // a replay on one device is for the caller
		}
		for k := 1; k <= n; k++ {
			if err := of(k); err != nil {
				t.Fatalf("%d devices can divide the slots, %d cannot: %v", n, k, err)
			}
		}
		if n == most {
			return
		}
		got := of(n + 1)
		if got == nil || got.Error() != why.Error() {
			t.Fatalf("%d devices: %v\nwant %v", n+1, got, why)
		}
	})
}

// What keeps one more device from slots, by hand: rows 0, 2, 4 and 6 are all the first
// device's if there are 2 or 4, two each if there are 3.
func TestIndivisible(t *testing.T) {
	for _, c := range []struct {
		name string
		slots.Config
		replicated float64
		devices    int
		why        string
	}{
		{"few slots", slots.Config{Slots: 3, Shortage: slots.Bypass}, 0, 3, "has 3 slots for 4 devices: at least one each"},
		{"sets", slots.Config{Slots: 8, Ways: 4, Shortage: slots.Bypass}, 0, 2, "each of 3 devices has 2 for rows of its own: less than a set of ways = 4"},
		{"copies", slots.Config{Slots: 12, Shortage: slots.Bypass}, 3. / 64, 3, "every device holds 3 replicated rows, which leaves 0 of its 3 slots"},
		{"sets beside copies", slots.Config{Slots: 12, Ways: 2, Shortage: slots.Bypass}, 2. / 64, 3, "each of 4 devices has 1 for rows of its own: less than a set of ways = 2"},
		{"skewed owners", slots.Config{Slots: 6}, 0, 1, "device 0 of 2: round 0 has 4 unique rows, the table 3 slots"},
		{"skewed owners that wait", slots.Config{Slots: 6, Shortage: slots.Wait}, 0, 1, "device 0 of 2: round 0 has 4 unique rows, the table 3 slots"},
		{"parts", slots.Config{Slots: 6, Shortage: slots.Split}, 0, 6, "has 6 slots for 7 devices"},
		{"enough", slots.Config{Slots: 64}, 0, 16, ""},
	} {
		spec := batches(t, 4, 64, 0, 2, 4, 6, 0, 2, 4, 6)
		spec.Layers[0].Slots, spec.Replicated = c.Config, c.replicated
		spec.Layers[0].Slots.Policy, spec.Layers[0].Slots.Rows = "lru", 64
		devices, why, err := Divisible(spec, 16)
		if err != nil || devices != c.devices || (why == nil) != (c.why == "") || why != nil && !strings.Contains(why.Error(), c.why) {
			t.Errorf("%s: %d devices, because %v, %v; want %d, because … %s …", c.name, devices, why, err, c.devices, c.why)
		}
	}
}
