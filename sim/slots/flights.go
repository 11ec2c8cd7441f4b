package slots

// flights is the queue of the rounds in flight: where the rows of each are. A round
// leaves when it has been both unpinned and committed. Buffers are used again, so
// that a steady run does not allocate.
type flights struct {
	ring []flight // len is a power of two or 0
	head int      // the oldest
	n    int

	free int // of the oldest rounds: those unpinned already
	done int // of the oldest rounds: those committed already
}

type flight struct {
	keys  []uint32
	slots []int32 // of the keys; none: bypassed
}

func (f *flights) pinned() int      { return f.n - f.free }
func (f *flights) uncommitted() int { return f.n - f.done }

// buffer returns memory for the round behind the newest, with its keys copied: the
// caller's may be written over while the round is in flight. It stays free until
// push.
func (f *flights) buffer(keys []uint32) *flight {
	if f.n == len(f.ring) {
		f.grow()
	}
	b := f.at(f.n)
	b.keys = append(b.keys[:0], keys...)
	if cap(b.slots) < len(keys) {
		b.slots = make([]int32, len(keys))
	}
	b.slots = b.slots[:len(keys)]
	return b
}

func (f *flights) at(i int) *flight { return &f.ring[(f.head+i)&(len(f.ring)-1)] }

// push takes the buffer just handed out as the newest round.
func (f *flights) push() { f.n++ }

// unpin and commit return the oldest round that has not been so yet. It is valid
// until the next buffer.
func (f *flights) unpin() *flight {
	b := f.at(f.free)
	f.free++
	f.leave()
	return b
}

func (f *flights) commit() *flight {
	b := f.at(f.done)
	f.done++
	f.leave()
	return b
}

func (f *flights) leave() {
	if f.free > 0 && f.done > 0 {
		f.head = (f.head + 1) & (len(f.ring) - 1)
		f.n--
		f.free--
		f.done--
	}
}

func (f *flights) grow() {
	ring := make([]flight, max(4, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = *f.at(i)
	}
	f.ring, f.head = ring, 0
}
