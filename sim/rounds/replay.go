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
			w.add(t.dump())
		}
		work[first] = w
		first = end
	}
	return work, nil
}

// planNow plans unit u; where it would have to wait for slots, they are released.
func (t *tables) planNow(u int) (Work, error) {
	for {
		w, err := t.plan(u)
		var short *slots.ShortageError
		if err == nil || !errors.As(err, &short) || t.inFlight() == 0 || !t.mayWait() {
			return w, err
		}
		t.release()
	}
}
