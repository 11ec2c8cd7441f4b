package slots

import (
	"fmt"
	"slices"
	"strings"

	"stowage/hw/unit"
)

// Shortage is what happens when the remaining slots do not suffice for a round,
// and evicting the rows that no round in flight uses does not suffice either.
type Shortage string

// The shortage rules. Under every rule rows leave by the replacement policy as
// long as there are some without pins.
const (
	// Evict ends the run with a *ShortageError that says how many slots would do.
	Evict Shortage = "evict"

	// Wait lets the round wait until rounds in flight release their rows: Plan
	// returns a *ShortageError, the caller releases a round and plans again. Only a
	// round that does not fit alone is an error then.
	Wait Shortage = "wait"

	// Bypass leaves rows without a slot, in the memory below, where they are read
	// and updated in this round (FBGEMM's conflict misses).
	Bypass Shortage = "bypass"

	// Split cuts a round that does not fit alone into parts of fewer samples, which
	// are planned and trained one after the other, as pass-based systems split a
	// pass; before that it waits. The caller cuts: Plan returns a *ShortageError.
	Split Shortage = "split"

	// Fail ends the run when the unique rows of a round exceed the slots, and
	// protects the round itself only, so that no other may be in flight
	// (ColossalAI's cached embedding): Plan returns a *ShortageError in both cases,
	// whatever the policy would have admitted.
	Fail Shortage = "fail"
)

// ShortageRules lists the rules in the order of help.
func ShortageRules() []Shortage { return []Shortage{Evict, Wait, Bypass, Split, Fail} }

// Waits reports whether a round that is short of slots is planned again when a
// round in flight has released its rows.
func (s Shortage) Waits() bool { return s == Wait || s == Split }

func (s Shortage) validate() error {
	if s == "" || slices.Contains(ShortageRules(), s) {
		return nil
	}
	var names []string
	for _, r := range ShortageRules() {
		names = append(names, string(r))
	}
	hint := ""
	if near := unit.Nearest(string(s), names); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return fmt.Errorf("unknown shortage rule %q: want one of %s%s", string(s), strings.Join(names, ", "), hint)
}

// rule is the shortage rule in force.
func (c Config) rule() Shortage {
	if c.Shortage == "" {
		return Evict
	}
	return c.Shortage
}

// ShortageError says that the rows of the rounds in flight do not fit into the
// slots together: no eviction can help, because all of them are pinned. Under Fail
// it says that the rows of the round do not, or that another round is in flight.
type ShortageError struct {
	Rule     Shortage // in force: what the caller does now
	Round    int      // the round that could not be planned, from 0
	Unique   int      // its unique rows
	InFlight int      // rounds in flight beside it
	Pinned   int      // slots that they pin
	Need     int      // distinct rows of this round and those in flight: slots that would do
	Slots    int

	// Of a table with sets: one that is short, and its ways. Pinned, Need and Slots
	// are then those of that set.
	Set, Ways int
}

// Waits reports whether, by the rule in force, the round is to be planned again
// when a round in flight has released its rows.
func (e *ShortageError) Waits() bool { return e.Rule.Waits() && e.InFlight > 0 }

func (e *ShortageError) Error() string {
	switch {
	case e.Rule == Fail && e.InFlight > 0:
		return fmt.Sprintf("round %d is planned with %d rounds in flight: shortage = %q protects the rows of one round only: take a look-ahead of 0, or another shortage rule",
			e.Round, e.InFlight, string(Fail))
	case e.Ways > 0 && e.InFlight == 0:
		return fmt.Sprintf("round %d uses %d distinct rows of set %d, which has %d ways: give the table more slots or ways, or take shortage = %q or a smaller batch",
			e.Round, e.Need, e.Set, e.Ways, string(Bypass))
	case e.Ways > 0:
		return fmt.Sprintf("round %d and the %d rounds in flight before it use %d distinct rows of set %d, which has %d ways: give the table more slots or ways, or take shortage = %q, a smaller look-ahead or batch",
			e.Round, e.InFlight, e.Need, e.Set, e.Ways, string(Bypass))
	case e.InFlight == 0:
		return fmt.Sprintf("round %d has %d unique rows, the table %d slots: give it at least %d slots, or take a smaller batch",
			e.Round, e.Unique, e.Slots, e.Need)
	}
	return fmt.Sprintf("round %d and the %d rounds in flight before it use %d distinct rows, the table has %d slots: give it at least %d slots, or take a smaller look-ahead or batch",
		e.Round, e.InFlight, e.Need, e.Slots, e.Need)
}
