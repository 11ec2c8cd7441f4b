package slots

// counted is a policy that keeps how often each slot is used.
type counted interface {
	use(s int32, n uint32)
	enter(s int32, n uint32)
	makeRoom() int32
}

// replayBy is the replay of policies whose work for a lookup is far more than the
// calls that it takes here.
func (t *Table) replayBy(p counted, keys []uint32) (misses int) {
	for _, k := range keys {
		if s := t.index.get(k); s != none {
			p.use(s, 1)
			continue
		}
		misses++
		var s int32
		if t.used < len(t.keys) {
			s = t.occupy(k)
		} else {
			s = p.makeRoom()
			t.replace(s, k)
		}
		p.enter(s, 1)
	}
	return misses
}
