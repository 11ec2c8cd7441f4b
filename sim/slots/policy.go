package slots

import (
	"fmt"
	"math"
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
	make func(t *Table) (policy, error)
}

// registered is the list of replacement policies, in the order of help, legends
// and comparisons.
var registered = []entry{
	{Policy{"lru", "evict the row whose last use is longest ago"}, newLRU},
	{Policy{"fifo", "evict the row that was filled first"}, newFIFO},
	{Policy{"lfu", "evict the row with the fewest lookups since it was filled; among equals the one that got there first"}, newLFU},
	{Policy{"lfu-aged", "lfu whose counts start from the age of the table, the count of the last victim (LFU-DA)"}, newLFUAged},
	{Policy{"lfu-admit", "lfu with the lookups of all rows, which admits a row only when it has as many as the one that would leave (FBGEMM)"}, newLFUAdmit},
	{Policy{"clock", "evict in the order of filling, but give a row that was hit another turn"}, newClock},
	{Policy{"sieve", "evict in the order of filling from where the last search ended, and pass rows that were hit since the last pass"}, newSIEVE},
	{Policy{"slru", "four LRU segments: a hit moves a row up one, the oldest row of the lowest leaves"}, newSLRU},
	{Policy{"2q", "a FIFO queue for new rows, an LRU part for those looked up again soon after they left it"}, newTwoQ},
	{Policy{"arc", "LRU lists of rows used once and rows used again, whose sizes adapt to the keys missed lately"}, newARC},
	{Policy{"lirs", "keep rows whose last two uses were close together, by recency; 1 % of the slots for the others"}, newLIRS},
	{Policy{"s3-fifo", "a small queue for new rows, a main queue for those used there or missed soon after; no movement on hits"}, newS3FIFO},
	{Policy{"w-tinylfu", "a small LRU window before a segmented LRU that admits a row only when it was used more lately than its victim"}, newWTinyLFU},
	{Policy{"gdsf", "evict the row with the fewest lookups, counted from a floor that rises with every eviction (rows of a table have one size)"}, newGDSF},
	{Policy{"lru-lfu", "an LRU list of half the slots; rows that leave it go to an LFU list, and leave that"}, newLRULFU},
	{Policy{"static", "a hot set chosen before the run stays; no other row is admitted"}, newStatic},
	{Policy{"lookahead", "evict a row that the next rounds do not use, by last use, else the one used farthest ahead (needs the future)"}, newLookahead},
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

// policy orders the occupied slots of one table for replacement. It is made for
// its Table and may read the table's keys and pins; it trusts the table: every
// slot is filled before it is hit, and gone after it was a victim.
//
// In a round the table first announces it (begin), then tells all hits in the
// order of the round's keys, then goes through the misses in that order: while
// a slot is free it is filled; else victim makes room and its slot is filled. So
// a round of one key is a replayed lookup. Pins are only added between begin and
// the round's last fill, so a policy may remember until the next begin which of
// its oldest rows it has found pinned.
type policy interface {
	// begin announces a round, before its hits and fills. The round's slices are
	// valid until its last fill. An error leaves the policy as it was.
	begin(r lookups.Round) error

	// hit says that key i of the round was found in slot.
	hit(slot int32, i int)

	// victim takes a slot whose pins are zero out of the order, to make room for
	// key i of the round, which missed. It returns none when the policy would
	// rather not admit the key, which is then served from the host in this round;
	// a policy that admits every key always returns a slot. The slot still holds
	// its key. There is at least one slot without pins.
	victim(i int) int32

	// fill says that key i of the round has been written into slot, which was
	// free.
	fill(slot int32, i int)

	// replay runs single lookups on the table and returns the misses. Each key
	// is looked up once: a round of one key without pins.
	replay(keys []uint32) int
}

// rememberer is a policy that remembers keys that are in no slot, and behaves
// differently when one of them is looked up. A key that is neither in a slot nor
// remembered is new to it: its number may be given to another.
type rememberer interface {
	// remembers reports whether k is remembered.
	remembers(k uint32) bool

	// ghosts is the most keys that are ever remembered at a time; everyKey: it
	// never forgets one.
	ghosts() int
}

// everyKey is what ghosts returns when every key that was looked up is remembered,
// though remembers may deny it for a key in a slot.
const everyKey = math.MaxInt

// preloader is a policy that fills the slots of an empty table before its first
// round.
type preloader interface{ preload() }

// newPolicy makes the policy that t's configuration names.
func newPolicy(t *Table) (policy, error) {
	names := make([]string, len(registered))
	for i, e := range registered {
		if e.Name == t.cfg.Policy {
			return e.make(t)
		}
		names[i] = e.Name
	}
	hint := ""
	if near := unit.Nearest(t.cfg.Policy, names); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return nil, fmt.Errorf("unknown replacement policy %q: want one of %s%s", t.cfg.Policy, strings.Join(names, ", "), hint)
}
