package hw

import (
	"fmt"
	"time"

	"stowage/hw/spec"
	"stowage/hw/unit"
)

// AllReduce is an all-reduce among the devices of one node, as it was measured: a
// formula fitted to a table of times.
type AllReduce struct {
	Name, Title string
	Device      string      // device type name
	Base        float64     // seconds, whatever the ranks and the bytes
	Step        float64     // seconds of each of the 2(n-1) steps of a ring
	Bandwidth   []unit.Rate // of the ring: of all counts of ranks, or by count from 2 on
	Local       unit.Rate   // at which a rank handles its buffer, once; 0: at no cost
	Fitted      string      // which of these numbers to what
	Source      string
}

// Ranks returns the counts of ranks that were measured, from 2 to it. 0: the formula
// holds for any.
func (a *AllReduce) Ranks() int {
	if len(a.Bandwidth) > 1 {
		return len(a.Bandwidth) + 1
	}
	return 0
}

// Seconds returns how long n ranks take to sum buffers of bytes. It is false for counts
// of ranks that were not measured where the formula has none for others.
func (a *AllReduce) Seconds(bytes float64, n int) (seconds float64, ok bool) {
	if n < 2 {
		return 0, n == 1
	}
	at := 0
	if len(a.Bandwidth) > 1 {
		at = n - 2
	}
	if at >= len(a.Bandwidth) {
		return 0, false
	}
	steps := float64(2 * (n - 1))
	seconds = a.Base + steps*a.Step + steps/float64(n)*bytes/float64(a.Bandwidth[at])
	if a.Local > 0 {
		seconds += bytes / float64(a.Local)
	}
	return seconds, true
}

func (c *catalog) loadCollectives() error {
	var f struct {
		Collective []struct {
			Name      string        `toml:"name"`
			Title     string        `toml:"title"`
			Device    string        `toml:"device"`
			Base      unit.Duration `toml:"base"`
			Step      unit.Duration `toml:"step"`
			Bandwidth []unit.Rate   `toml:"bandwidth"`
			Local     unit.Rate     `toml:"local"`
			Fitted    string        `toml:"fitted"`
			Source    string        `toml:"source"`
		} `toml:"collective"`
	}
	doc, err := spec.Decode("collectives.toml", read("collectives.toml"), &f)
	if err != nil {
		return err
	}
	for i, x := range f.Collective {
		if find(c.devices, x.Device, func(d *Device) string { return d.Name }) == nil {
			return doc.Errorf(spec.Path{"collective", i, "device"}, "unknown device %q", x.Device)
		}
		if len(x.Bandwidth) == 0 {
			return doc.Missing(spec.Path{"collective", i, "bandwidth"}, `e.g. ["298 GB/s"]`)
		}
		c.collectives = append(c.collectives, &AllReduce{
			Name: x.Name, Title: x.Title, Device: x.Device, Base: time.Duration(x.Base).Seconds(), Step: time.Duration(x.Step).Seconds(),
			Bandwidth: x.Bandwidth, Local: x.Local, Fitted: x.Fitted, Source: x.Source,
		})
	}
	return nil
}

// AllReduceOf returns the measured all-reduce of a device type.
func AllReduceOf(device string) (*AllReduce, error) {
	for _, a := range load().collectives {
		if a.Device == device {
			return a, nil
		}
	}
	return nil, fmt.Errorf("no measured all-reduce of device %q is shipped", device)
}
