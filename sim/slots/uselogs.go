package slots

import "math/bits"

// useLogs is the state of a replay that keeps keys in several LRU lists: a log for
// each, as useLog is one, in one array. A key's position says in which list it is.
// A hit clears a bit and appends, and a key that moves to another list is appended
// there: of a lookup's time, most goes into reaching memory, and a list of links would
// reach both neighbours of an entry where this reaches the key's position alone. 4
// bytes per key, and 12.4 for each that a list can hold.
type useLogs struct {
	at   []uint32 // per key: position of its last use + 1; 0: in no list
	keys []uint32 // per position
	live []uint64 // a bit per position; those from the end of a log on are set
	logs [maxLists]logOfUses
	n    int // lists
}

// logOfUses is the part of the positions that belongs to one list.
type logOfUses struct {
	start, stop int // of its positions, multiples of 64
	tail        int // word of live: before it no bit of the list is set
	end         int // its next position
	len         int // keys in the list
}

// make takes memory for lists that hold up to so many keys each, of t's.
func (u *useLogs) make(t *Table, most ...int) {
	u.n = len(most)
	spare := 1<<32 - len(most)*(touchAhead+64) // positions are uint32
	for _, n := range most {
		spare -= n
	}
	stop := 0
	for l, n := range most {
		uses := touchAhead + n + min(2*n, spare/len(most))
		log := logOfUses{start: stop, stop: stop + (uses+63)&^63}
		log.tail, log.end = log.start>>6, log.start
		u.logs[l], stop = log, log.stop
	}
	u.at, u.keys, u.live = make([]uint32, t.keySpace()), make([]uint32, stop), make([]uint64, stop/64)
	setAll(u.live)
}

// room makes room for touchAhead further uses in every log.
func (u *useLogs) room() {
	for l := range u.logs[:u.n] {
		if x := &u.logs[l]; x.stop-x.end < touchAhead {
			u.pack(x)
		}
	}
}

// pack moves the last uses of a list to the start of its log.
func (u *useLogs) pack(x *logOfUses) {
	end := x.start
	for g := x.tail; g < x.stop>>6; g++ {
		word := u.live[g]
		if past := x.end - g<<6; past < 64 {
			word &= 1<<max(past, 0) - 1
		}
		for ; word != 0; word &= word - 1 {
			k := u.keys[g<<6|bits.TrailingZeros64(word)]
			u.keys[end] = k
			end++
			u.at[k] = uint32(end)
		}
	}
	setAll(u.live[x.start>>6 : x.stop>>6])
	x.tail, x.end = x.start>>6, end
}

// touch reads where keys are that are about to be looked up: the processor fetches
// their memory at the same time.
func (u *useLogs) touch(keys []uint32, to *[touchAhead]uint32) {
	for i, k := range keys {
		to[i] = u.at[k] // a write, so that the read is made
	}
}

// forget clears the bit of the use before position at.
func (u *useLogs) forget(at uint32) { u.live[(at-1)>>6] &^= 1 << ((at - 1) & 63) }

// push makes k, whose bit is clear, the newest of a list without counting it.
func (u *useLogs) push(x *logOfUses, k uint32) {
	u.keys[x.end] = k
	x.end++
	u.at[k] = uint32(x.end)
}

// oldest returns the position of the oldest key of a list that is not empty.
func (u *useLogs) oldest(x *logOfUses) int {
	for u.live[x.tail] == 0 {
		x.tail++
	}
	return x.tail<<6 | bits.TrailingZeros64(u.live[x.tail])
}

// take takes the oldest key out of a list without counting it.
func (u *useLogs) take(x *logOfUses) uint32 {
	i := u.oldest(x)
	u.live[x.tail] &= u.live[x.tail] - 1
	return u.keys[i]
}

func (u *useLogs) mark(known []uint64) { markKeys(u.at, known) }
