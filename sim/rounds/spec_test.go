package rounds

import (
	"strings"
	"testing"

	"stowage/sim/slots"
)

// Rules that do not go together are refused with the key to change and what would do.
func TestSpecErrors(t *testing.T) {
	for _, c := range []struct {
		change func(s *Spec)
		want   string
	}{
		{func(s *Spec) { s.Lookahead = -1 }, "lookahead = -1: at least 0"},
		{func(s *Spec) { s.Queue = -1 }, "queue = -1: at least 1"},
		{func(s *Spec) { s.Pass = -2 }, "pass = -2: at least 1 round"},
		{func(s *Spec) { s.Replicated = 1 }, "replicated = 1: want a share of the rows from 0 to below 1"},
		{func(s *Spec) { s.Scope = PerPass }, "pass = 1: the scope pass wants the rounds of a pass, at least 2"},
		{func(s *Spec) { s.Pass, s.Scope = 2, PerBatch }, "want the scope pass, not batch"},
		{func(s *Spec) { s.Sequential, s.Lookahead = true, 1 }, "lookahead = 1: without overlap nothing is done ahead: want 0"},
		{func(s *Spec) { s.Rebuild, s.Lookahead = true, 2 }, "cannot be filled ahead: want 0"},
		{func(s *Spec) { s.WriteBack, s.Lookahead = EndOfPass, 2 }, "cannot be filled ahead: want 0"},
		{func(s *Spec) { s.Layers[0].Slots.Shortage, s.Lookahead = slots.Fail, 1 }, "protects one round only: want 0"},
		{func(s *Spec) { s.Layers[0].Slots.Shortage, s.Pass = slots.Bypass, 2 }, "take another one, e.g. split"},
		{func(s *Spec) { s.Layers[0].Slots.Shortage, s.Layers[0].Slots.Ways = slots.Split, 2 }, "take ways = 0, or the rule bypass"},
		{func(s *Spec) { s.Layers[0].Slots.Shortage, s.Layers[0].Slots.Policy = slots.Split, "min" }, "the shortage rule split does not go with it"},
		{func(s *Spec) { s.Rounds = 3 }, `the lookups of layer "items" end after 2 of 3 rounds`},
		{func(s *Spec) { s.Rounds = 0 }, "rounds = 0: at least 1"},
		{func(s *Spec) { s.Devices = 0 }, "devices = 0, 1 per node: at least 1"},
		{func(s *Spec) { s.Devices = 4 }, `layer "items" has 2 slots for 4 devices: at least one each`},
		{func(s *Spec) { s.Layers[0].Hosted = -1 }, "-1 rows in host memory: at least 0"},
		{func(s *Spec) { s.Layers = nil }, "no embedding layers"},
		{func(s *Spec) { s.Scope = "batches" }, `unknown scope "batches": want one of none, device, batch, pass`},
		{func(s *Spec) { s.Release = "later" }, `unknown release "later": want one of after-update, before-backward`},
		{func(s *Spec) { s.WriteBack = "lazy" }, `unknown write-back "lazy": want one of on-evict, eager, end-of-pass`},
		{func(s *Spec) { s.Exchange = "ring" }, `unknown exchange "ring": want one of all-to-all, padded, none`},
	} {
		spec := oneLayer(t, 2, 0, 1)
		c.change(&spec)
		if _, err := tryRig(t, spec, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
