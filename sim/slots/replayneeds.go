package slots

// ReplayNeeds is what a policy holds of a trace when it is replayed, beside what
// depends on the slots.
type ReplayNeeds struct {
	Future bool // the trace, up to ReplayOptions.MaxTrace: the policy must know the future
	Keys   bool // every distinct key: the policy never forgets one
}

// NeedsOf returns what a replay under the policy holds of a trace. The error is that of
// an unknown policy.
func NeedsOf(policy string) (ReplayNeeds, error) {
	t, err := New(Config{Policy: policy, Slots: 1, Rows: 1})
	if err != nil {
		return ReplayNeeds{}, err
	}
	_, future := t.policy.(foreteller)
	r, ok := t.policy.(rememberer)
	return ReplayNeeds{Future: future, Keys: ok && r.ghosts() == everyKey}, nil
}
