package rounds

import (
	"fmt"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// server serves one after another, in the order in which they come.
type server struct{ free time.Duration }

// take occupies the server for d from now on, or when it is free, and returns the
// end.
func (s *server) take(now, d time.Duration) time.Duration {
	s.free = max(now, s.free) + d
	return s.free
}

// sleep lets a computed time pass. What takes no time leaves no trace in the order
// of events.
func (f *Feed) sleep(p *engine.Process, seconds float64) {
	if d := f.duration(seconds); d > 0 {
		p.Sleep(d)
	}
}

func (f *Feed) duration(seconds float64) time.Duration {
	d, err := unit.Seconds(seconds)
	if err != nil {
		f.fail(fmt.Errorf("%s: embedding rows: %w", f.spec.Name, err))
		return unit.MaxTime // the engine ends there
	}
	return d
}

// move gathers rows in host memory while they cross the links, and returns which of
// the two took longer.
func (f *Feed) move(p *engine.Process, m rowMove, toDevice bool) Cause {
	if m == (rowMove{}) {
		return WaitLink
	}
	f.sleep(p, f.spec.Costs.Link.Latency.Seconds())
	arrived := f.e.Signal(f.spec.Name + ": rows in transit")
	var at time.Duration
	f.transfer(toDevice, m.link, func() {
		at = f.e.Now()
		arrived.Fire()
	})
	gathered := f.host.take(p.Now(), f.duration(m.host))
	if d := gathered - p.Now(); d > 0 {
		p.Sleep(d)
	}
	p.Wait(arrived)
	if at > gathered {
		return WaitLink
	}
	return WaitHost
}

// transfer moves bytes over the links of the group.
func (f *Feed) transfer(toDevice bool, bytes float64, done func()) {
	if f.h.Transfer != nil {
		f.h.Transfer(toDevice, bytes, done)
		return
	}
	link := &f.up
	if toDevice {
		link = &f.down
	}
	d := time.Duration(0)
	if bw := float64(f.spec.Costs.Link.Bandwidth); bw > 0 {
		d = f.duration(bytes / (bw * float64(f.spec.Devices)))
	}
	f.e.After(link.take(f.e.Now(), d)-f.e.Now(), done)
}
