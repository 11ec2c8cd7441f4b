package slots

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// drawShadow makes a table of the given policy, otherwise as choose decides, and
// the trace's memory behind it.
func drawShadow(t failer, trace *lookups.Trace, policy string, sets bool, rule Shortage, choose func(n int) int) *shadow {
	cfg := Config{
		Rows: trace.Rows(), Policy: policy, Future: trace, Shortage: rule,
		Eager: choose(2) == 0, NoDirtyBit: choose(2) == 0, ReadOnly: choose(4) == 0,
	}
	if sets {
		cfg.Ways = 1 + choose(6)
	}
	cfg.Slots = max(1, cfg.Ways) + choose(28)
	m := newShadow(t, cfg)
	if choose(2) == 0 {
		m.table.hashed()
	}
	return m
}

// TestShadow runs every policy, with sets and without, under a rule at a time, with
// rounds in flight, unpinned before and after they are committed, and checks after
// every step that no update is lost, that fills read what has been committed, and
// all that design.md promises of a slot table.
func TestShadow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 32, drawRounds(t, 32, 25, 16))
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		late := rapid.IntRange(0, 3).Draw(t, "late commits")
		rule := rapid.SampledFrom(ShortageRules()).Draw(t, "rule")
		seed := rapid.Uint64().Draw(t, "steps")
		run := func(policy string, sets bool) {
			choose := rand.New(rand.NewPCG(seed, 1)).IntN
			m := drawShadow(t, trace, policy, sets, rule, choose)
			t.Log(m)
			m.run(trace, ahead, late, choose)
		}
		for _, p := range Policies() {
			run(p.Name, false)
		}
		for _, p := range SetPolicies() {
			run(p, true)
		}
	})
}

// FuzzTable is TestShadow driven by bytes: policy, rule, look-ahead and late commits,
// the number of lookups, then lookups, where a high bit ends the round; what is left
// decides the rest of the configuration and every step, zeros when it is used up.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 0, 1, 6, 1, 2, 0x83, 2, 4, 0x85, 1, 1, 1, 4, 0, 1, 0, 1, 2, 0, 3})
	f.Add([]byte{3, 2, 0x13, 8, 1, 1, 0x82, 3, 0x84, 5, 0x81, 6, 1, 2, 2, 0, 0, 0, 1, 0, 1, 2, 0})
	f.Add([]byte{9, 4, 0x20, 8, 1, 0x82, 3, 0x84, 5, 0x86, 7, 0x81, 2, 2, 1, 1, 0, 0, 1, 1, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 6 || len(in) > 400 {
			return
		}
		policies := Policies()
		at := int(in[0]) % (len(policies) + len(SetPolicies()))
		rule := ShortageRules()[int(in[1])%len(ShortageRules())]
		n := 4 + 1 + int(in[3])%(len(in)-4)
		rounds := [][]uint32{nil}
		for _, b := range in[4:n] {
			last := len(rounds) - 1
			rounds[last] = append(rounds[last], uint32(b&0x1f))
			if b >= 0x80 {
				rounds = append(rounds, nil)
			}
		}
		rest := in[n:]
		used := 0
		choose := func(n int) int {
			if used >= len(rest) {
				return 0
			}
			used++
			return int(rest[used-1]) % n
		}
		trace := record(t, 32, rounds)
		var m *shadow
		if at < len(policies) {
			m = drawShadow(t, trace, policies[at].Name, false, rule, choose)
		} else {
			m = drawShadow(t, trace, SetPolicies()[at-len(policies)], true, rule, choose)
		}
		m.run(trace, int(in[2]&3), int(in[2]>>4&3), choose)
	})
}
