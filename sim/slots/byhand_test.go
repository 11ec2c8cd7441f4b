package slots

import (
	"fmt"
	"strings"
	"testing"

	"stowage/workloads/lookups"
)

// byHand are short traces worked out by hand: "a" is a lookup that misses and
// takes a free slot, "a!" one that hits, "a>b" one that misses and takes the slot of
// b, and "a-" one that misses and is not admitted.
var byHand = []struct {
	name, policy string
	slots        int
	steps        string
}{
	{
		// At d the hand takes a's bit, evicts b and stays on c; a keeps its place, so
		// that its new bit is not looked at before the hand comes round again.
		"the hand stays, the spared keep their place", "sieve", 3,
		"a b c a! d>b e>c a! f>d g>e",
	},
	{
		// Keys: a 3, b 1. b leaves, the age is 1, c starts at 2 and leaves; the age is
		// 2, d starts at 3, where a has been for longer.
		"the age overtakes old counts", "lfu-aged", 2,
		"a a! a! b c>b d>c e>a",
	},
	{
		// c has as many lookups as b, then b has more than c. c's second makes two, as
		// many as a, which got there first. d has none, then one, then two.
		"lookups count without a slot, too few do not get one", "lfu-admit", 2,
		"a a! b c>b b>c c>a d- d>b",
	},
	{
		// Small holds a..j. At k it is a's turn, which was used twice and goes to main,
		// then b's, which was used once and leaves. b is remembered, so it returns into
		// main, and c makes room. Then small is d..k and main a, b: l pushes d out; d
		// returns over e, and so on.
		"used twice goes to main, used once leaves and returns to main", "s3-fifo", 10,
		"a b c d e f g h i j a! a! b! k>b b>c l>d d>e",
	},
	{
		// Small has one slot of ten, main nine. a to j all go to main at k, because
		// each was used twice; small is then empty but for the row being filled, and
		// main holds more than nine: a, the oldest with counter 0, leaves and is not
		// remembered. At l the small queue holds k alone, main nine: k leaves, is
		// remembered, and returns into main at the cost of l.
		"rows that leave main are forgotten", "s3-fifo", 10,
		"a b c d e f g h i j " + strings.Repeat("a! b! c! d! e! f! g! h! i! j! ", 2) + "k>a l>k a>l k>a",
	},
	{
		// The FIFO part is to hold one of four slots, the ghosts are two. e pushes a
		// out, which is remembered and returns into the LRU part over b. The hit on c
		// moves nothing: c is next. Then d, and b is no longer remembered (c and d
		// are), so it enters the FIFO part over e.
		"only remembered rows enter the LRU part", "2q", 4,
		"a b c d e>a a>b c! f>c g>d b>e a! c>f",
	},
	{
		// T1 = a b; a moves to T2. c: T1 = b is longer than the target 0, b goes to B1.
		// b in B1: target 1, T1 = c is not longer, a leaves T2 for B2. a in B2: target 0,
		// c leaves for B1. d: T1 is empty, the oldest of T2 = b a leaves.
		"the target goes up and down", "arc", 2,
		"a b a! c>b b>a a>c d>b",
	},
	{
		// T1 fills all slots and B1 is empty: rows leave without being remembered, so
		// a is new again and d leaves T1, not T2.
		"a scan is forgotten", "arc", 3,
		"a b c d>a e>b a>c b>d",
	},
	{
		// Segments of two. Rows enter the lowest with room: a b below, c d e f and g h
		// above. Without a hit, a leaves.
		"rows fill up from the lowest segment", "slru", 8,
		"a b c d e f g h i>a j>b k>i",
	},
	{
		// Segments of one: a, b, c, d from the lowest. a moves up and b down: b, a, c, d.
		// Again: b, c, a, d. e takes the place of b, and moves up to c's: c, e, a, d.
		"a hit moves up, the oldest above moves down", "slru", 4,
		"a b c d a! a! e>b e! f>c",
	},
	{
		// Three LIR rows and one HIR. Stack a b c d, d in the queue. e: d leaves the
		// queue and is remembered in the stack: a b c D e. d is in the stack: it becomes
		// LIR, e leaves, and a at the bottom becomes HIR, in the queue: b c E d. f: a is not
		// in the stack and is forgotten: b c E d f. a is new: f leaves. The hit on b lets c
		// become the bottom: c E d F a b. f was remembered: a leaves, c becomes HIR.
		"two uses close together make a row LIR", "lirs", 4,
		"a b c d e>d d>e f>a a>f b! f>a g>c b! d!",
	},
	{
		// Two LIR rows, one HIR. c is hit in the stack a b c: it becomes LIR, a becomes HIR
		// and leaves at d. The stack is b c d: the hit on b leaves c d b, and d, hit in the
		// stack, makes c HIR.
		"a HIR row hit in the stack takes the place of the lowest LIR row", "lirs", 3,
		"a b c c! d>a b! d! e>c",
	},
	{
		// One slot of window. b, c, d enter over a, b, c, which are on probation. a is hit
		// and protected. e: d of the window and b were used once each, the victim stays:
		// d leaves. d again: used twice, but it is e's turn, which leaves; e again: d was
		// used twice, b once: b leaves and d is on probation.
		"the candidate must have been used more than the victim", "w-tinylfu", 4,
		"a b c d a! e>d d>e e>b d!",
	},
	{
		// d: all have priority 1 and a has had it longest; L becomes 1. b is hit: 1 + 2.
		// d came in at 1 + 1. e: c (1) leaves, e has 1 + 1; f: d (2, before e's) leaves, L = 2,
		// f has 3, later than b's 3; g: e leaves; h: b, used twice but long ago, leaves.
		"what was hot once ages", "gdsf", 3,
		"a b c d>a b! e>c f>d g>e h>b",
	},
	{
		// The last two rows looked up are recent: c d, then d a. e: of b and c, in the LFU
		// list in this order and used once each, b leaves; f: c. g: f g are recent, and
		// of d, used once, and a, used twice, d leaves; h: e leaves, which was used after
		// a.
		"a row leaves by its count once it is not recent", "lru-lfu", 4,
		"a b c d a! e>b f>c g>d h>e",
	},
}

func TestByHand(t *testing.T) {
	for _, test := range byHand {
		t.Run(test.policy+"/"+test.name, func(t *testing.T) {
			var keys []uint32
			for _, step := range strings.Fields(test.steps) {
				keys = append(keys, uint32(step[0]-'a'))
			}
			cfg := Config{Slots: test.slots, Rows: 26, Policy: test.policy}
			if got := replaySteps(t, cfg, keys); got != strings.Join(strings.Fields(test.steps), " ") {
				t.Errorf("replay:\n got %s\nwant %s", got, test.steps)
			}
			if got := planSteps(t, cfg, keys); got != strings.Join(strings.Fields(test.steps), " ") {
				t.Errorf("rounds:\n got %s\nwant %s", got, test.steps)
			}
		})
	}
}

// step is how byHand writes a lookup of k that turned what was held into what is.
func step(k uint32, before, after map[uint32]bool) string {
	name := string(rune('a' + k))
	if before[k] {
		return name + "!"
	}
	for old := range before {
		if !after[old] {
			return name + ">" + string(rune('a'+old))
		}
	}
	if !after[k] {
		return name + "-"
	}
	return name
}

// held returns the rows that are in the table, rounds or replay.
func held(table *Table) map[uint32]bool {
	rows := map[uint32]bool{}
	p, ok := table.policy.(keyed)
	known := make([]uint64, (table.cfg.Rows+63)/64)
	if ok && table.single {
		p.mark(known)
	}
	for k := range uint32(table.cfg.Rows) {
		if _, ok := table.Slot(k); ok || known[k/64]>>(k%64)&1 != 0 {
			rows[k] = true
		}
	}
	return rows
}

// replaySteps replays the keys one call each.
func replaySteps(t *testing.T, cfg Config, keys []uint32) string {
	table := newTable(t, cfg)
	var steps []string
	for i, k := range keys {
		before := held(table)
		misses := table.Replay(keys[i : i+1])
		if (misses == 0) != before[k] {
			t.Fatalf("lookup %d: %d misses, in a slot: %v", i, misses, before[k])
		}
		steps = append(steps, step(k, before, held(table)))
	}
	return strings.Join(steps, " ")
}

// planSteps plans the keys as rounds of one.
func planSteps(t *testing.T, cfg Config, keys []uint32) string {
	table := newTable(t, cfg)
	var steps []string
	for _, k := range keys {
		before := held(table)
		if _, err := table.Plan(lookups.Round{Lookups: 1, Keys: []uint32{k}, Counts: []uint32{1}}); err != nil {
			t.Fatal(err)
		}
		table.Release()
		steps = append(steps, step(k, before, held(table)))
	}
	return strings.Join(steps, " ")
}

// TestPinnedByHand: rounds of several rows with the round before in flight.
// Rounds are letters; what leaves is written behind each.
func TestPinnedByHand(t *testing.T) {
	for _, test := range []struct {
		policy string
		slots  int
		steps  string
	}{
		// a is the oldest, but the round before uses it: b leaves.
		{"2q", 4, "a b c ad e>b"},
		{"s3-fifo", 4, "a b c ad e>b"},
		// e takes the place of a in the lowest segment and is pinned there: b, in the
		// next one, makes room for f.
		{"slru", 4, "a b c d ef>ab"},
		// d, the only HIR row, is pinned: a and b, at the bottom of the stack, become HIR
		// and leave.
		{"lirs", 4, "a b c d ef>ab"},
		// d in the window is pinned and does not compete.
		{"w-tinylfu", 4, "a b c d ef>ab"},
		// All of T1 = b c is pinned: the oldest of T2 leaves.
		{"arc", 3, "a a bc d>a"},
		// The oldest two are pinned: the third leaves.
		{"2q", 4, "c d ab cd e>a"},
		{"s3-fifo", 4, "c d ab cd e>a"},
	} {
		t.Run(test.policy, func(t *testing.T) {
			table := newTable(t, Config{Slots: test.slots, Rows: 26, Policy: test.policy})
			u := lookups.NewUniquer(26)
			var got []string
			for _, step := range strings.Fields(test.steps) {
				name, _, _ := strings.Cut(step, ">")
				var keys []uint32
				for _, c := range name {
					keys = append(keys, uint32(c-'a'))
				}
				for table.InFlight() > 1 {
					table.Release()
				}
				if _, err := table.Plan(u.Unique(keys)); err != nil {
					t.Fatal(err)
				}
				for i, m := range table.Evictions() {
					if i == 0 {
						name += ">"
					}
					name += fmt.Sprint(string(rune('a' + m.Key)))
				}
				got = append(got, name)
			}
			if s := strings.Join(got, " "); s != test.steps {
				t.Errorf("got %s, want %s", s, test.steps)
			}
		})
	}
}
