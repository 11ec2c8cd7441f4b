package rounds

import (
	"errors"
	"fmt"

	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Divisible returns up to how many devices, at most most, can divide the slots of the
// only layer of a spec among themselves, and why one more cannot; 0 if even one cannot
// use them. Each needs a slot, its copies of replicated rows, a whole set where there
// are sets, and room for what the shortage rule asks of the busiest owner. Rows are
// never divided quite evenly: a number of devices beyond which all groups are refused
// is looked for by halving, after the sizes of Foresee.
func Divisible(spec Spec, most int) (devices int, why error, err error) {
	if spec.Costs.PerNode == 0 {
		spec.Costs.PerNode = 1
	}
	spec.Devices, spec.Exchange = 1, NoExchange
	if err := spec.complete(); err != nil {
		return 0, nil, err
	}
	d := newDivision(spec)
	refused := 0
	for _, n := range append([]int{1}, groupSizes(max(2, most))...) {
		if n > most {
			break
		}
		if why = d.refuses(n); why != nil {
			refused = n
			break
		}
		devices = n
	}
	for devices > 0 && refused-devices > 1 {
		middle := (devices + refused) / 2
		if w := d.refuses(middle); w != nil {
			refused, why = middle, w
		} else {
			devices = middle
		}
	}
	return devices, why, nil
}

// division is the lookups of a layer to be divided among devices.
type division struct {
	spec  Spec
	layer *Layer
	units *lookups.Trace
	hot   []uint32
	ahead int // rounds beside its own that a row keeps its slot
	need  int // slots that suffice for all units on one device
}

func newDivision(spec Spec) *division {
	d := &division{spec: spec, layer: &spec.Layers[0], ahead: spec.Lookahead}
	t := tables{spec: &d.spec}
	spec.Devices = 2 // one has no copies
	d.hot = d.layer.hottest(&spec)
	t.hot = [][]uint32{nil}
	d.units = d.layer.Trace.Passes(t.unitEnds())
	if d.layer.Slots.Shortage.Waits() {
		d.ahead = 0
	}
	d.need = slots.MinSlots(d.units, d.ahead)
	return d
}

// refuses says why n devices cannot divide the slots, nil if they can.
func (d *division) refuses(n int) error {
	copies := 0
	if n > 1 {
		copies = len(d.hot)
	}
	if err := d.layer.shares(n, copies); err != nil {
		return err
	}
	least := share(d.layer.Slots.Slots, n-1, n) - copies
	switch rule := d.layer.Slots.Shortage; {
	case n == 1 || rule == slots.Bypass:
		return nil // one: a replay tells; bypassed rows do without a slot
	case rule == slots.Split && d.sample() <= least:
		return nil // parts of a sample fit in any case
	case d.layer.Slots.Ways == 0 && d.need <= least:
		return nil
	case d.layer.Slots.Ways == 0 && d.suffice(n, copies):
		return nil
	}
	spec := d.spec
	spec.Devices = n
	_, err := Replay(spec)
	if short := (*slots.ShortageError)(nil); errors.As(err, &short) {
		return err
	}
	return nil // another fault is not one of the division
}

// sample returns the lookups of a sample.
func (d *division) sample() (n int) {
	for _, lookups := range d.layer.Layout.PerSample {
		n += lookups
	}
	return n
}

// suffice reports whether each owner has slots for its rows of all units that are in
// flight together, counted one by one: more than that it never needs.
func (d *division) suffice(n, copies int) bool {
	held := make([][]int, d.ahead+1) // of the last units
	for i := range held {
		held[i] = make([]int, n)
	}
	sum := make([]int, n)
	for u := range d.units.Rounds() {
		now := held[u%len(held)]
		for w := range now {
			sum[w] -= now[w]
			now[w] = 0
		}
		for _, k := range d.units.Round(u).Keys {
			now[int(d.units.Original(k))%n]++
		}
		for w := range now {
			if sum[w] += now[w]; sum[w] > share(d.layer.Slots.Slots, w, n)-copies {
				return false
			}
		}
	}
	return true
}

// shares says why the slots of a layer cannot be divided among n devices, each of which
// holds some copies of replicated rows, whatever is looked up; nil if they can.
func (l *Layer) shares(n, copies int) error {
	least := share(l.Slots.Slots, n-1, n) - copies
	switch {
	case l.Slots.Slots < n:
		return fmt.Errorf("layer %q has %d slots for %d devices: at least one each", l.Name, l.Slots.Slots, n)
	case least < 1:
		return fmt.Errorf("layer %q: every device holds %d replicated rows, which leaves %d of its %d slots: replicate less, or give more slots",
			l.Name, copies, least, least+copies)
	case l.Slots.Ways > least:
		return fmt.Errorf("layer %q has %d slots, of which each of %d devices has %d for rows of its own: less than a set of ways = %d",
			l.Name, l.Slots.Slots, n, least, l.Slots.Ways)
	}
	return nil
}
