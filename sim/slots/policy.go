package slots

import (
	"fmt"
	"strings"

	"stowage/hw/unit"
	"stowage/workloads/lookups"
)

// Policy names a replacement policy.
type Policy struct {
	Name    string
	Summary string // one line for help and lists
}

// entry is a line of the list of policies.
type entry struct {
	Policy
	make func(cfg Config) (policy, error)
}

// registered is the list of replacement policies, in the order of help, legends
// and comparisons.
var registered = []entry{
	{Policy{"lru", "evict the row whose last use is longest ago"}, newLRU},
	{Policy{"fifo", "evict the row that was filled first"}, newFIFO},
	{Policy{"lfu", "evict the row with the fewest lookups since it was filled; among equals the one that got there first"}, newLFU},
	{Policy{"clock", "evict in the order of filling, but give a row that was hit another turn"}, newClock},
	{Policy{"min", "evict the row whose next use is farthest (Belady's optimum; needs the future)"}, newMIN},
}

// Policies returns the replacement policies in the order of help and legends.
func Policies() []Policy {
	list := make([]Policy, len(registered))
	for i, e := range registered {
		list[i] = e.Policy
	}
	return list
}

// policy orders the occupied slots for replacement. It knows slots, not keys, and
// trusts its Table: every slot is filled before it is hit, and gone after it was
// a victim.
type policy interface {
	// begin announces a round, before its hits and fills. An error leaves the
	// policy as it was.
	begin(r lookups.Round) error

	// hit says that key i of the round was found in slot.
	hit(slot int32, i int)

	// fill says that key i of the round has been written into slot, which was
	// free.
	fill(slot int32, i int)

	// victims takes n slots whose pins are zero out of the order, first victim
	// first, and appends them to dst. There are at least n such slots.
	victims(n int, pins []uint32, dst []int32) []int32

	// replay runs single lookups on t, which has this policy, and returns the
	// misses. Each key is looked up once: a round of one key without pins.
	replay(t *Table, keys []uint32) int
}

// newPolicy makes the policy that cfg names.
func newPolicy(cfg Config) (policy, error) {
	names := make([]string, len(registered))
	for i, e := range registered {
		if e.Name == cfg.Policy {
			return e.make(cfg)
		}
		names[i] = e.Name
	}
	hint := ""
	if near := unit.Nearest(cfg.Policy, names); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return nil, fmt.Errorf("unknown replacement policy %q: want one of %s%s", cfg.Policy, strings.Join(names, ", "), hint)
}
