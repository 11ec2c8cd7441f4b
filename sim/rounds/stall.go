package rounds

import (
	"fmt"
	"time"
)

// Cause is what kept rows from being in place.
type Cause int

// The causes of stalls, in the order of the way of a row.
const (
	WaitInput   Cause = iota // samples not read or not made unique yet
	WaitOrder                // rounds before have not released their rows yet
	WaitSlots                // the shortage rule waits for slots
	WaitIndex                // the devices' slot index
	WaitSSD                  // the flash below host memory
	WaitRemote               // parameter servers
	WaitHost                 // gathering rows in host memory
	WaitLink                 // links between hosts and devices
	WaitDevices              // other devices: exchanging rows and gradients
	causes
)

// Causes lists the causes in order.
func Causes() []Cause {
	list := make([]Cause, causes)
	for c := range list {
		list[c] = Cause(c)
	}
	return list
}

var causeNames = [causes]string{"input", "order", "slots", "index", "ssd", "remote", "host", "link", "devices"}

func (c Cause) String() string {
	if c < 0 || c >= causes {
		return fmt.Sprintf("cause %d", int(c))
	}
	return causeNames[c]
}

// Stalls is stall time by cause.
type Stalls [causes]time.Duration

// Total returns the sum over all causes.
func (s Stalls) Total() (sum time.Duration) {
	for _, d := range s {
		sum += d
	}
	return sum
}

// Add returns the sum of both, cause by cause.
func (s Stalls) Add(t Stalls) Stalls {
	for c := range s {
		s[c] += t[c]
	}
	return s
}

// phaseLog is how the rows of a round came into place: phases that follow one another
// from time 0, each with what it was waiting for or using.
type phaseLog []phaseEnd

type phaseEnd struct {
	cause Cause
	end   time.Duration
}

// note ends a phase now. A phase that took no time leaves no entry.
func (l *phaseLog) note(c Cause, now time.Duration) {
	if n := len(*l); n > 0 && (*l)[n-1].end == now {
		return
	}
	*l = append(*l, phaseEnd{c, now})
}

// follow adds the phases of another log that end after some time: what was waited for
// since was doing these.
func (l *phaseLog) follow(other phaseLog, after time.Duration) {
	for _, p := range other {
		if p.end > after {
			l.note(p.cause, p.end)
		}
	}
}

// during adds the time between from and to to the causes of the phases then.
func (l phaseLog) during(from, to time.Duration, s *Stalls) {
	start := time.Duration(0)
	for _, p := range l {
		if d := min(p.end, to) - max(start, from); d > 0 {
			s[p.cause] += d
		}
		start = p.end
	}
}
