package slots

// directory is the state of a replay under a policy that keeps keys, in slots and
// remembered, in several lists: one entry per key, found through one array. A key
// that leaves its slot and is remembered changes its list and nothing else, where a
// table of slots would change its mapping and an index of ghosts: of a lookup's
// time, most goes into reaching such arrays in memory. 16 bytes per entry, 4 per key.
type directory struct {
	at      []int32     // per key: its entry + 1; 0: none
	entries []listEntry // then the heads of the lists, which are entries too
	heads   int32       // the first of them
	lens    [maxLists]int
	fresh   int32 // entries from it on have never been used
	free    int32 // of those that have been: the first free one, linked by next; none
	touched int32 // see touch
}

type listEntry struct {
	prev, next int32
	key        uint32
	list       int32
}

const maxLists = 4

// make takes memory for n keys of t, in so many lists. One more may be in a list
// while it takes the place of another.
func (d *directory) make(t *Table, n, lists int) {
	n = int(min(int64(n), t.keySpace())) + 1
	d.at, d.entries = make([]int32, t.keySpace()), make([]listEntry, n+lists)
	d.heads, d.free = int32(n), none
	for l := range lists {
		h := d.heads + int32(l)
		d.entries[h] = listEntry{prev: h, next: h}
	}
}

// touch reads where keys are that are about to be looked up: the processor fetches
// their memory at the same time.
func (d *directory) touch(keys []uint32) {
	sum := int32(0)
	for _, k := range keys {
		sum ^= d.at[k]
	}
	d.touched = sum // so that the reads are made
}

// find returns the entry of k, or none.
func (d *directory) find(k uint32) int32 { return d.at[k] - 1 }

// enter makes k, which has no entry, the newest of list l.
func (d *directory) enter(k uint32, l int32) {
	e := d.free
	if e == none {
		e = d.fresh
		d.fresh++
	} else {
		d.free = d.entries[e].next
	}
	d.at[k] = e + 1
	d.entries[e].key = k
	d.link(e, l)
}

func (d *directory) link(e, l int32) {
	h := d.heads + l
	last := d.entries[h].prev
	x := &d.entries[e]
	x.prev, x.next, x.list = last, h, l
	d.entries[last].next = e
	d.entries[h].prev = e
	d.lens[l]++
}

func (d *directory) unlink(e int32) {
	x := &d.entries[e]
	d.entries[x.prev].next = x.next
	d.entries[x.next].prev = x.prev
	d.lens[x.list]--
}

// move makes entry e the newest of list l.
func (d *directory) move(e, l int32) {
	d.unlink(e)
	d.link(e, l)
}

// oldest returns the oldest entry of list l, which is not empty.
func (d *directory) oldest(l int32) int32 { return d.entries[d.heads+l].next }

// drop forgets entry e.
func (d *directory) drop(e int32) {
	d.unlink(e)
	x := &d.entries[e]
	d.at[x.key] = 0
	x.next, d.free = d.free, e
}

// mark sets the bits of the keys in list l.
func (d *directory) mark(known []uint64, l int32) {
	if d.at == nil {
		return
	}
	h := d.heads + l
	for e := d.entries[h].next; e != h; e = d.entries[e].next {
		k := d.entries[e].key
		known[k>>6] |= 1 << (k & 63)
	}
}
