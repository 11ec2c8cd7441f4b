package sim

import (
	"fmt"
	"slices"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/network"
	"stowage/sim/placement"
)

// weakening is links with less than their bandwidth, by time.
type weakening struct {
	e     *engine.Engine
	net   *network.Network
	scope *engine.Scope // of changes to come
	links []weakLink
	syncs []pace // per stage, without a network: of synchronisation among nodes
}

// weakLink is a link and what is left of its bandwidth, as a pace of 1/factor.
type weakLink struct {
	id       network.LinkID
	capacity unit.Rate
	left     pace
}

// newWeakening finds the links of a run's trouble; nil: it is about none. Capacities of
// time 0 are set at once.
func newWeakening(t *training) (*weakening, error) {
	if len(t.job.Trouble.Links) == 0 {
		return nil, nil
	}
	w := &weakening{e: t.e, net: t.wires.net}
	by := map[network.LinkID][]window{}
	add := func(id network.LinkID, l *WeakLink) {
		by[id] = append(by[id], window{from: l.From, until: l.Until, factor: l.Factor})
	}
	for i := range t.job.Trouble.Links {
		l := &t.job.Trouble.Links[i]
		ids, err := t.wires.named(l)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			add(id, l)
		}
	}
	for id := range network.LinkID(t.wires.net.Links()) { // in their order
		if len(by[id]) > 0 {
			w.links = append(w.links, weakLink{id, t.wires.net.Capacity(id), newPace(by[id])})
		}
	}
	for i := range w.links {
		w.set(&w.links[i])
	}
	if t.wires.topology == nil {
		w.syncs = t.wires.weakSyncs()
	}
	return w, nil
}

// start schedules the changes that are to come.
func (w *weakening) start() {
	w.scope = w.e.NewScope()
	defer w.e.Enter(w.e.Enter(w.scope))
	for i := range w.links {
		l := &w.links[i]
		for _, at := range l.left.edges {
			if at > 0 {
				w.e.After(at, func() { w.set(l) })
			}
		}
	}
}

func (w *weakening) set(l *weakLink) {
	w.net.SetCapacity(l.id, l.capacity*unit.Rate(l.left.factor(w.e.Now(), 0)))
}

// sync is the hook for gradients that are synchronised by their time: without a network.
// Between nodes they take as much longer as the slowest of the stage's ports is weaker.
func (w *weakening) sync(stage int, alone time.Duration, done func()) {
	now := w.e.Now()
	w.e.After(w.syncs[stage].takes(float64(alone), now, 0), done)
}

// named returns the links that trouble is about.
func (w *wires) named(l *WeakLink) ([]network.LinkID, error) {
	switch {
	case w.topology != nil && l.Name != "":
		ids := w.topology.graph.Named(l.Name)
		if len(ids) == 0 {
			return nil, fmt.Errorf("trouble: the network has no link %q", l.Name)
		}
		return ids, nil
	case w.topology != nil:
		return w.topology.graph.Ports(l.Pool, l.Node), nil
	case l.Name != "":
		return nil, fmt.Errorf("trouble: link %q: without cluster.network links have no names", l.Name)
	}
	var ids []network.LinkID
	for at, id := range w.ids {
		if at.class == placement.NIC && w.on(at.stage, l) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// on reports whether a stage has a device on the nodes that trouble is about.
func (w *wires) on(stage int, l *WeakLink) bool {
	s := w.seats[stage]
	per := w.job.Problem.Cluster.Pools[s.pool].Node.Devices
	return s.pool == l.Pool && (l.Node < 0 || l.Node*per < s.first+s.devices && (l.Node+1)*per > s.first)
}

// weakSyncs returns how much longer the synchronisation of each stage takes that goes
// over the ports of its nodes.
func (w *wires) weakSyncs() []pace {
	p := w.job.Problem
	paces := make([]pace, len(w.job.Plan.Stages))
	for i := range paces {
		st := &w.job.Plan.Stages[i]
		var windows []window
		for k := range w.job.Trouble.Links {
			l := &w.job.Trouble.Links[k]
			if w.on(i, l) && (p.Sync == placement.Server || st.Devices > p.Cluster.Pools[st.Pool].Node.Devices) {
				windows = append(windows, window{from: l.From, until: l.Until, factor: 1 / l.Factor})
			}
		}
		paces[i] = newPace(windows)
	}
	return paces
}
