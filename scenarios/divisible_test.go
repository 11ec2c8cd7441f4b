package scenarios

import (
	"strings"
	"testing"
)

// A search keeps to as many devices as can divide the slots among themselves, and a plan
// with more is infeasible: the result says which stage, what it needs and what there is.
func TestSlotsThatFewDevicesCanDivide(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		pairs       []string
		devices     int
		why         string
	}{
		{"few slots", `shortage = "bypass"`, []string{`"1 %"`, "10"}, 2, "has 2 slots for 3 devices: at least one each"},
		{"sets", "ways = 12000\nshortage = \"bypass\"", nil, 5, "less than a set of ways = 12000"},
		{"copies", "replicated = \"0.2 %\"\nshortage = \"bypass\"", nil, 4, "replicated rows, which leaves 0 of its"},
		{"rows of a round", "", []string{`"1 %"`, "28000"}, 3, "slots of the layer, of all devices together, suffice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := slotted(c.lines, c.pairs...)
			r := withoutCurves(t, parsed(t, text))
			if got := r.Scheme.Stages[0].Devices; got != c.devices {
				t.Errorf("the search takes %d devices, want %d", got, c.devices)
			}
			scheme := strings.Repeat(`"v100-16", `, 10)
			fixed := strings.Replace(text, `policy = "all-gpu"`, "policy = \"fixed\"\nscheme = ["+scheme+"]\ndevices = [8]", 1)
			_, err := parsed(t, fixed).Run(t.Context(), "test")
			if !IsInfeasible(err) {
				t.Fatalf("8 devices: %v, want an infeasible result", err)
			}
			for _, part := range []string{"stage 1 (", "needs 8 of v100-16; the slots of layer", "can be divided among ", c.why} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got  %v\nwant … %s …", err, part)
				}
			}
		})
	}
}
