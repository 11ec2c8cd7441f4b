package rounds

import (
	"errors"

	"stowage/sim/slots"
)

// Replay plans all rounds without a clock and returns what each asked for: a pass
// is counted with its first round. On an error the rounds before it are returned.
func Replay(spec Spec) ([]Work, error) {
	if err := spec.complete(); err != nil {
		return nil, err
	}
	t, err := newTables(&spec)
	if err != nil {
		return nil, err
	}
	work := make([]Work, spec.Rounds)
	first := 0
	for u, end := range t.ends {
		w, err := t.planNow(u)
		if err != nil {
			return work[:first], err
		}
		if spec.dumps() {
			d := t.dump()
			w.add(d)
			w.Dumped = Dump{d.Out, d.HostDown, d.StoreWrites}
		}
		t.addEager(&w, first, end)
		work[first] = w
		first = end
	}
	return work, nil
}

// addEager adds what rounds from first on write back at once after their updates.
func (t *tables) addEager(w *Work, first, end int) {
	if t.spec.WriteBack != Eager || t.spec.ReadOnly {
		return
	}
	for r := first; r < end; r++ {
		_, bytes, n := t.updated(r, w.Counts.Bypasses)
		w.Out += bytes
		w.HostDown += float64(n)
		w.Counts.WriteBacks += n
	}
}

// planNow plans unit u; where it would have to wait for slots, they are released.
func (t *tables) planNow(u int) (Work, error) {
	for {
		w, err := t.plan(u)
		var short *slots.ShortageError
		waits := errors.Is(err, errParts) || errors.As(err, &short) && t.mayWait()
		if err == nil || !waits || t.inFlight() == 0 {
			return w, err
		}
		t.release()
	}
}
