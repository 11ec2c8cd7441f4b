package placement

import (
	"fmt"
	"math"
	"strings"

	"stowage/hw"
	"stowage/workloads"
)

// layerTime returns the forward and backward seconds of one layer for one
// micro-batch on one replica of a pool, of team devices: a measured profile wins, else
// the roofline, with the rows of its tables gathered beside it. Backward is a
// multiple of forward's work; the overhead is paid once in each direction. What was
// measured on so many devices is taken as it is; what was measured on one takes as much
// less on several as each has less to do. Unlike devices wait for each other after every
// layer.
func (p *Problem) layerTime(l *workloads.Layer, t int) (forward, backward float64, err error) {
	chunk := p.chunk()
	for _, m := range p.workers(t) { // a group is done when its last device is
		if m.samples == 0 {
			continue
		}
		f, b, err := p.chunkTime(l, m.pool, p.Team(t), m.samples)
		if err != nil {
			return 0, 0, err
		}
		forward, backward = max(forward, f), max(backward, b)
	}
	if chunk != p.micro {
		forward, backward = forward*p.micro/chunk, backward*p.micro/chunk
	}
	return forward, backward, err
}

// chunkTime is layerTime for so many samples.
func (p *Problem) chunkTime(l *workloads.Layer, pool *hw.Pool, team int, samples float64) (forward, backward float64, err error) {
	own := p.own(l, team)
	if prof := profileOf(l, pool.Device, team); prof != nil {
		forward, backward = p.profileTime(l, pool, prof, samples)
		if prof.Degree() < team && l.FLOPs > 0 {
			forward, backward = forward*own.FLOPs/l.FLOPs, backward*own.FLOPs/l.FLOPs
		}
		return forward, backward, nil
	}
	if l.OnlyProfiled {
		return 0, 0, unmeasured(l, pool.Device, team)
	}
	if l.Calls != nil {
		return p.callsTime(l, pool, team, samples)
	}
	bytes := float64(elementBytes(p.Precision)) * (own.Traffic*samples + own.Params)
	forward, err = pool.Device.Compute(own.FLOPs*samples, bytes, p.Precision)
	if err != nil {
		return 0, 0, err
	}
	if l.Sparse() {
		forward += p.gatherSeconds(l, pool, samples)
	}
	if !p.Inference && l.Backward > 0 {
		overhead := pool.Device.Overhead.Seconds()
		backward = overhead + (forward-overhead)*l.Backward
	}
	return forward, backward, nil
}

// callsTime is chunkTime for a layer whose operations run one after the other, each as
// long as its roofline says. The host launches them meanwhile: computing takes no less
// than that does.
func (p *Problem) callsTime(l *workloads.Layer, pool *hw.Pool, team int, samples float64) (forward, backward float64, err error) {
	for i := range l.Calls {
		c := &l.Calls[i]
		seconds, err := p.callTime(l, c, pool, team, samples)
		if err != nil {
			return 0, 0, err
		}
		forward += seconds
		if c.Backward > 0 {
			overhead := pool.Device.Overhead.Seconds()
			backward += overhead + (seconds-overhead)*c.Backward
		}
	}
	launch := float64(len(l.Calls)) * pool.Device.Launch.Seconds()
	if forward = max(forward, launch); p.Inference || backward == 0 {
		return forward, 0, nil
	}
	return forward, max(backward, launch), nil
}

// callTime returns the seconds of one operation of a layer, forwards.
func (p *Problem) callTime(l *workloads.Layer, c *workloads.Call, pool *hw.Pool, team int, samples float64) (float64, error) {
	rest := p.SequenceParallel && l.Divided()
	moved := part(c.Traffic, c.Split.Traffic, team, rest)*samples + part(c.Params, c.Split.Params, team, false)
	return pool.Device.Compute(part(c.FLOPs, c.Split.FLOPs, team, rest)*samples, moved*float64(elementBytes(p.Precision)), p.Precision)
}

// weightShare returns which part of a layer's backward pass computes gradients of its
// parameters. Those of a dense layer take as many products as the gradient of its
// input (Qi et al., Zero Bubble Pipeline Parallelism, ICLR 2024, table 1, without
// attention); embedding tables have no input to send a gradient to, and layers without
// parameters have nothing else.
func weightShare(l *workloads.Layer) float64 {
	switch {
	case l.Params > 0:
		return 0.5
	case l.Sparse():
		return 1
	}
	return 0
}

// gatherSeconds returns the seconds in which one device reads the rows that so many
// samples look up in the tables of a layer, in its own memory.
func (p *Problem) gatherSeconds(l *workloads.Layer, pool *hw.Pool, samples float64) float64 {
	rows, bytes := 0.0, 0.0
	for _, t := range l.Tables {
		rows += float64(t.Lookups) * samples
		bytes += float64(t.Lookups) * samples * float64(4*t.Dim)
	}
	return pool.Device.Gather.Seconds(rows, bytes)
}

// profileOf returns what was measured for a layer on so many devices together or, if that
// is nothing, on one of them, from which the others' part can be told where the layer has
// FLOPs; nil: neither was.
func profileOf(l *workloads.Layer, d *hw.Device, team int) *workloads.Profile {
	if prof := l.Profile(d.Name, team); prof != nil || l.OnlyProfiled {
		return prof
	}
	return l.Profile(d.Name, 1)
}

// together reports whether a layer was measured on as many devices together as a replica
// on pool t has, on all device types that share its samples: what they sum up among
// themselves is then in its times.
func (p *Problem) together(l *workloads.Layer, t int) bool {
	for _, m := range p.workers(t) {
		if l.Profile(m.pool.Device.Name, p.Team(t)) == nil {
			return false
		}
	}
	return true
}

// profileTime returns what was measured, for so many samples.
func (p *Problem) profileTime(l *workloads.Layer, pool *hw.Pool, prof *workloads.Profile, samples float64) (forward, backward float64) {
	batch := int(math.Round(samples))
	forward, backward, inside := prof.At(batch)
	if !inside {
		p.warn("layer %q on %s: micro-batch %d is outside the measured batches %d to %d; times are scaled in proportion",
			l.Name, pool.Device.Name, batch, prof.Points[0].Batch, prof.Points[len(prof.Points)-1].Batch)
	}
	if p.Inference {
		backward = 0
	}
	return forward, backward
}

// updateSeconds returns the seconds in which the optimizer updates what one device of a
// replica on pool t has of a layer's parameters: as measured, or as much less of what one
// device took as it has fewer; 0 where it was not measured. Unlike devices are all done
// with the slowest.
func (p *Problem) updateSeconds(l *workloads.Layer, t int) (seconds float64) {
	if p.Inference {
		return 0
	}
	team := p.Team(t)
	for _, m := range p.workers(t) {
		prof := profileOf(l, m.pool.Device, team)
		if prof == nil {
			continue
		}
		own := prof.Update(int(math.Round(m.samples)))
		if prof.Degree() < team && l.Params > 0 {
			own *= p.own(l, team).Params / float64(l.Params)
		}
		seconds = max(seconds, own)
	}
	return seconds
}

// unmeasured says on what a layer that has nothing for a roofline was measured.
func unmeasured(l *workloads.Layer, d *hw.Device, team int) error {
	if degrees := l.Degrees(d.Name); len(degrees) > 0 {
		return fmt.Errorf("it was measured with tensor_parallel = %v on %s, not %d, and has no FLOPs for a roofline", degrees, d.Name, team)
	}
	return fmt.Errorf("it was measured on %s only, and has no FLOPs for a roofline", profiled(l))
}

// profiled lists the device types on which a layer was measured.
func profiled(l *workloads.Layer) string {
	var names []string
	for i := range l.Profiles {
		if i == 0 || l.Profiles[i].Device != l.Profiles[i-1].Device {
			names = append(names, l.Profiles[i].Device)
		}
	}
	return strings.Join(names, ", ")
}

// MaxWarnings bounds Problem.Warnings.
const MaxWarnings = 3

func (p *Problem) warn(format string, args ...any) {
	if len(p.Warnings) < MaxWarnings {
		p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
	} else if len(p.Warnings) == MaxWarnings {
		p.Warnings = append(p.Warnings, "more of the same")
	}
}
