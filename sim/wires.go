package sim

import (
	"fmt"

	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// wires are the links of a plan's stages. Unless the cluster has a network, a stage has one link out and one in for
// each class of its ports, which all its transfers share: that is where they
// contend.
type wires struct {
	job       *Job
	net       *network.Network
	transfers []placement.Transfer
	lanes     []lane // per channel
	ids       map[port]network.LinkID
	before    map[port]network.LinkID // those of a job that had other replicas
	topology  *topology               // nil: stages have ports of their own
	seats     []seat
}

type port struct {
	stage int
	class placement.LinkClass
	in    bool
}

// lane is the path of a channel in both directions.
type lane struct{ forward, backward []network.LinkID }

// newWires lays the wires of a job whose stages have their devices at seats. Links of
// before, with which it ran until now, are used again at their new capacities; nil: it
// begins.
func newWires(f *fabric, job *Job, pipe *pipeline.Pipeline, transfers []placement.Transfer, at []seat, before *wires) (w *wires, err error) {
	w = &wires{
		job: job, net: f.net, transfers: transfers,
		lanes: make([]lane, len(transfers)), ids: map[port]network.LinkID{}, seats: at,
	}
	if before != nil {
		w.before = before.ids
	}
	if f.graph != nil {
		if w.topology, err = newTopology(f, job, pipe, at); err != nil {
			return nil, err
		}
	}
	for i, tr := range transfers {
		if tr.Forward.Bytes == 0 && tr.Backward.Bytes == 0 || w.topology != nil {
			continue
		}
		from, to := pipe.Segments[pipe.Channels[i].From].Stage, pipe.Segments[pipe.Channels[i].To].Stage
		w.lanes[i].forward = []network.LinkID{w.between(from, to, tr.Class, false), w.between(to, from, tr.Class, true)}
		w.lanes[i].backward = []network.LinkID{w.between(to, from, tr.Class, false), w.between(from, to, tr.Class, true)}
	}
	return w, nil
}

// between returns the link of a stage towards another.
func (w *wires) between(stage, other int, class placement.LinkClass, in bool) network.LinkID {
	a, b := &w.job.Plan.Stages[stage], &w.job.Plan.Stages[other]
	return w.link(port{stage, class, in}, w.job.Problem.PortRate(a.Pool, b.Pool, a.Replicas))
}

func (w *wires) link(at port, rate float64) network.LinkID {
	if id, ok := w.ids[at]; ok {
		return id
	}
	id, ok := w.before[at]
	if ok {
		w.net.SetCapacity(id, unit.Rate(rate))
	} else {
		id = w.net.Link(fmt.Sprintf("stage %d", at.stage), unit.Rate(rate))
	}
	w.ids[at] = id
	return id
}

// transfer is the pipeline's transfer hook.
func (w *wires) transfer(c int, backward bool, done func()) {
	move, path := w.transfers[c].Forward, w.lanes[c].forward
	if backward {
		move, path = w.transfers[c].Backward, w.lanes[c].backward
	}
	if w.topology != nil && move.Bytes > 0 {
		w.topology.transfer(c, backward, move, done)
		return
	}
	w.net.Transfer(path, move.Bytes, move.Time, done)
}

// host returns the transfer hook of the links between a stage's devices and their
// hosts, which activations may cross as well.
func (w *wires) host(stage int) func(toDevice bool, bytes float64, done func()) {
	if w.topology != nil {
		return w.topology.host(stage)
	}
	st := &w.job.Plan.Stages[stage]
	rate := float64(w.job.Problem.Cluster.Pools[st.Pool].Node.HostLink.Bandwidth) * float64(st.Devices)
	var paths [2][]network.LinkID
	paths[0] = []network.LinkID{w.link(port{stage, placement.HostLink, false}, rate)}
	paths[1] = []network.LinkID{w.link(port{stage, placement.HostLink, true}, rate)}
	return func(toDevice bool, bytes float64, done func()) {
		path := paths[0]
		if toDevice {
			path = paths[1]
		}
		w.net.Transfer(path, bytes, 0, done)
	}
}
