package rounds

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"stowage/sim/slots"
)

// Passes {0,1} {0,2,4,6} of two rounds of two samples. Device 0 of 2 owns the even
// rows: 4 of the second pass, so that 2 x 4 slots suffice; with row 0 replicated, 3 and
// the copy; with a look-ahead of one pass the same rows.
func TestShortageOfALayer(t *testing.T) {
	for _, c := range []struct {
		lookahead  int
		replicated float64
		want       int
	}{{0, 0, 8}, {1, 0, 8}, {0, 1.0 / 64, 8}} {
		spec := batches(t, 2, 2, 0, 1, 0, 1, 0, 2, 4, 6)
		spec.Devices, spec.Costs.PerNode, spec.Pass = 2, 2, 2
		spec.Lookahead, spec.Replicated = c.lookahead, c.replicated
		if c.replicated > 0 {
			spec.Layers[0].Slots.Slots = 4
		}
		err := newRig(t, spec).run()
		var short *slots.ShortageError
		if !errors.As(err, &short) {
			t.Fatalf("%+v: %v", c, err)
		}
		for _, want := range []string{
			"layer \"items\", device 0 of 2: pass 1 ",
			fmt.Sprintf("; %d slots of the layer, of all devices together, suffice for all 2 passes", c.want),
		} {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "round") {
				t.Errorf("%+v: %v, want %s", c, err, want)
			}
		}
		spec.Layers[0].Slots.Slots = c.want
		newRig(t, spec).mustRun()
		spec.Layers[0].Slots.Slots = c.want - 2
		if err := newRig(t, spec).run(); err == nil {
			t.Errorf("%+v: two slots less suffice too", c)
		}
	}
}

// Of sets nobody knows how many slots suffice.
func TestShortageOfSets(t *testing.T) {
	spec := batches(t, 2, 1, 0, 1)
	spec.Layers[0].Slots.Ways = 1
	if err := newRig(t, spec).run(); err == nil || strings.Contains(err.Error(), "suffice") {
		t.Errorf("%v", err)
	}
}
