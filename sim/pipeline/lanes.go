package pipeline

import "time"

// lane is one direction of a channel.
type lane struct {
	queued, arrived int // micro-batches, over all rounds
	busy            bool
	target          int // stage woken by an arrival
	duration        time.Duration
	done            func()

	blocking bool
	source   int             // blocking: stage that waits until it has sent
	since    time.Duration   // blocking: when the transfer that is under way began
	took     []time.Duration // blocking: of those that have arrived and were not taken up
}

// hand sends on what a stage's last operation made, over one channel after the other, as
// far as none blocks, and in the end lets the stage go on.
func (x *Exec) hand(i int) {
	st := &x.stages[i]
	for st.sent < len(st.sends) {
		l := int(st.sends[st.sent])
		x.send(l)
		if x.lanes[l].blocking {
			return
		}
		st.sent++
	}
	st.sends, st.sent = st.sends[:0], 0
	op := st.op
	st.position++
	x.free(st)
	if x.flows() && int(op.Micro) == x.p.Microbatches-1 && (op.Pass == Backward || x.p.ForwardOnly) {
		st.due++
		if !st.syncing {
			x.sync(i)
		}
	}
	x.try(i)
}

// send queues one micro-batch on a lane.
func (x *Exec) send(l int) {
	x.lanes[l].queued++
	if !x.lanes[l].busy {
		x.transfer(l)
	}
}

// transfer begins the next transfer of a lane.
func (x *Exec) transfer(l int) {
	ln := &x.lanes[l]
	ln.queued--
	ln.busy, ln.since = true, x.e.Now()
	if x.h.Transfer != nil {
		x.h.Transfer(l/2, l%2 == 1, ln.done)
		return
	}
	x.e.After(ln.duration, ln.done)
}

// arrive ends the transfer of a lane.
func (x *Exec) arrive(l int) {
	ln := &x.lanes[l]
	ln.busy = false
	ln.arrived++
	if ln.blocking {
		ln.took = append(ln.took, x.e.Now()-ln.since)
		x.stages[ln.source].sent++
		x.hand(ln.source)
	}
	if ln.queued > 0 {
		x.transfer(l)
	}
	x.try(ln.target)
}

// receive returns how long a stage takes to receive what an operation needs over channels
// that block it.
func (x *Exec) receive(op Op) (sum time.Duration) {
	channels, lane := x.in[op.Segment], 0
	switch op.Pass {
	case Backward:
		channels, lane = x.out[op.Segment], 1
	case Weight:
		return 0
	}
	for _, c := range channels {
		ln := &x.lanes[2*int(c)+lane]
		if !ln.blocking {
			continue
		}
		sum += ln.took[0]
		ln.took = ln.took[1:]
	}
	return sum
}
