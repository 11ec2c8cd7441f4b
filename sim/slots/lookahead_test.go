package slots

import (
	"testing"

	"pgregory.net/rapid"
)

// TestLookaheadByHand: two slots, lookups 0 1 2 0 3 1. At the lookup of 2 one of 0
// and 1 leaves: without a window 0, the older; with one of one lookup (0) it is
// 1, though it is newer; with one of three (0 3 1) it is the farther, 1 as well. At 3:
// 2 and 0 are held; neither is used again, and 2 is older.
func TestLookaheadByHand(t *testing.T) {
	keys := []uint32{0, 1, 2, 0, 3, 1}
	for _, test := range []struct {
		window, misses int
		held           []uint32
	}{
		// 0 1 2>0 0>1 3>2 1>0
		{-1, 6, []uint32{1, 3}},
		// 0 1 2>1 0! 3: the window is 1, 2 is older: 3>2; 1>0, the older.
		{1, 5, []uint32{1, 3}},
		{3, 5, []uint32{1, 3}},
	} {
		table := newTable(t, Config{Slots: 2, Rows: 4, Policy: "lookahead", Window: test.window})
		if got := table.Replay(keys); got != test.misses {
			t.Errorf("window %d: %d misses, want %d", test.window, got, test.misses)
		}
		for _, k := range test.held {
			if _, ok := table.Slot(k); !ok {
				t.Errorf("window %d: row %d is in no slot", test.window, k)
			}
		}
	}
}

// TestLookaheadTheorems: a window as long as the trace is MIN, none is LRU.
func TestLookaheadTheorems(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 24, drawRounds(t, 24, 30, 8))
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		slots := MinSlots(trace, ahead) + rapid.IntRange(0, 4).Draw(t, "spare")
		counts := func(policy string, window int) Counts {
			c, err := total(trace, Config{Policy: policy, Window: window}, slots, ahead)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if got, want := counts("lookahead", trace.Rounds()), counts("min", 0); got.Misses != want.Misses {
			t.Fatalf("with a window of all %d rounds %d misses, min %d", trace.Rounds(), got.Misses, want.Misses)
		}
		if got, want := counts("lookahead", -1), counts("lru", 0); got != want {
			t.Fatalf("without a window %+v, lru %+v", got, want)
		}

		keys := drawKeys(t, 24, 200)
		misses := func(policy string, window int) int {
			return newTable(t, Config{Slots: slots, Rows: 24, Policy: policy, Window: window}).Replay(keys)
		}
		if got, want := misses("lookahead", len(keys)), misses("min", 0); got != want {
			t.Fatalf("replay: with a window of all %d lookups %d misses, min %d", len(keys), got, want)
		}
		if got, want := misses("lookahead", -1), misses("lru", 0); got != want {
			t.Fatalf("replay: without a window %d misses, lru %d", got, want)
		}
	})
}

// TestLookaheadReplaysOn: a second call goes on from the rows and their order that
// the first left; without a window, as if it were one.
func TestLookaheadReplaysOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 24, 200)
		cut := rapid.IntRange(0, len(keys)).Draw(t, "cut")
		slots := rapid.IntRange(1, 24).Draw(t, "slots")
		window := rapid.IntRange(-1, 8).Draw(t, "window")
		cfg := Config{Slots: slots, Rows: 24, Policy: "lookahead", Window: window}
		table := newTable(t, cfg)
		got := table.Replay(keys[:cut]) + table.Replay(keys[cut:])

		var first, second [][]uint32
		for i := range keys {
			if i < cut {
				first = append(first, keys[i:i+1])
			} else {
				second = append(second, keys[i:i+1])
			}
		}
		if window == 0 {
			cfg.Window = DefaultWindow
		}
		w := newTwin(cfg, first, first)
		want := 0
		for i, k := range keys {
			if i == cut {
				w.future, w.round = second, 0
				// What the window would have shown before the first round.
				for r := range min(cfg.Window, len(second)) {
					w.slow.(*slowLookahead).join(second[r][0])
				}
			}
			if w.lookup(k) {
				want++
			}
		}
		if got != want {
			t.Fatalf("%d misses, want %d", got, want)
		}
	})
}
