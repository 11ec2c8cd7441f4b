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
	syncs []weakSync // per stage, without a network
}

// weakLink is a link and how much longer bytes take on it.
type weakLink struct {
	id       network.LinkID
	capacity unit.Rate // when it is whole
	slow     pace
}

// weakSync is how much longer the bytes of a stage's synchronisation among nodes take,
// behind its latency.
type weakSync struct {
	latency time.Duration
	slow    pace
}

// newWeakening finds the links of a run's trouble; nil: it is about none. Capacities of
// time 0 are set at once.
func newWeakening(t *training) (*weakening, error) {
	if len(t.job.Trouble.Links) == 0 {
		return nil, nil
	}
	w := &weakening{e: t.e, net: t.wires.net}
	slow, err := t.wires.weak()
	if err != nil {
		return nil, err
	}
	for id := range network.LinkID(t.wires.net.Links()) { // in their order
		if p, ok := slow[id]; ok {
			w.links = append(w.links, weakLink{id, t.wires.net.Capacity(id), p})
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
		for _, at := range l.slow.edges {
			if at > 0 {
				w.e.After(at, func() { w.set(l) })
			}
		}
	}
}

// regroup heeds that the job has other replicas, and wires of new capacities for them:
// the ports of nodes on which none takes part hold nobody up. In a network its links
// stay as they are.
func (w *weakening) regroup(wires *wires) {
	if wires.topology != nil {
		return
	}
	slow, err := wires.weak()
	if err != nil {
		panic(err) // it was none when the run began
	}
	w.syncs = wires.weakSyncs()
	for i := range w.links {
		l := &w.links[i]
		l.capacity, l.slow = w.net.Capacity(l.id), slow[l.id]
		w.set(l)
	}
}

func (w *weakening) set(l *weakLink) {
	w.net.SetCapacity(l.id, l.capacity/unit.Rate(l.slow.factor(w.e.Now(), 0)))
}

// sync is the hook for gradients that are synchronised by their time: without a network.
// Between nodes their bytes take as much longer as the slowest of the stage's ports is
// weaker.
func (w *weakening) sync(stage int, alone time.Duration, done func()) {
	s := &w.syncs[stage]
	latency := min(alone, s.latency)
	w.e.After(latency+s.slow.takes(float64(alone-latency), w.e.Now()+latency, 0), done)
}

// weak returns the links that trouble is about.
func (w *wires) weak() (map[network.LinkID]pace, error) {
	slow := map[network.LinkID]pace{}
	if w.topology == nil {
		for i := range w.job.Trouble.Links {
			if name := w.job.Trouble.Links[i].Name; name != "" {
				return nil, fmt.Errorf("trouble: link %q: without cluster.network links have no names", name)
			}
		}
		for at, id := range w.ids {
			if p := w.ports(at.stage); at.class == placement.NIC && len(p.sets) > 0 {
				slow[id] = p
			}
		}
		return slow, nil
	}
	by := map[network.LinkID][]window{}
	for i := range w.job.Trouble.Links {
		l := &w.job.Trouble.Links[i]
		ids := w.topology.graph.Named(l.Name)
		if l.Name == "" {
			ids = w.topology.graph.Ports(l.Pool, l.Node)
		} else if len(ids) == 0 {
			return nil, fmt.Errorf("trouble: the network has no link %q", l.Name)
		}
		for _, id := range ids {
			by[id] = append(by[id], l.window())
			slow[id] = newPace(by[id])
		}
	}
	return slow, nil
}

func (l *WeakLink) window() window {
	return window{from: l.From, until: l.Until, factor: 1 / l.Factor}
}

// ports returns how much longer bytes take on the ports of a stage's nodes, without a
// network: every node carries its part of them, and the slowest one counts.
func (w *wires) ports(stage int) pace {
	s := &w.seats[stage]
	per := w.job.Problem.Cluster.Pools[s.pool].Node.Devices
	on := func(node int) bool {
		return s.counts(max(0, node*per-s.first), min(s.devices, (node+1)*per-s.first)) > 0
	}
	var nodes []int // that differ: each that an entry is about, and one that none is
	for i := range w.job.Trouble.Links {
		if l := &w.job.Trouble.Links[i]; l.Pool == s.pool && l.Node >= 0 && on(l.Node) {
			nodes = append(nodes, l.Node)
		}
	}
	slices.Sort(nodes)
	var sets [][]window
	for _, node := range append(slices.Compact(nodes), -1) {
		var windows []window
		for i := range w.job.Trouble.Links {
			if l := &w.job.Trouble.Links[i]; l.Pool == s.pool && (l.Node < 0 || l.Node == node) {
				windows = append(windows, l.window())
			}
		}
		sets = append(sets, windows)
	}
	return newPace(sets...)
}

// weakSyncs returns how much longer the synchronisation of each stage takes that goes
// over the ports of its nodes.
func (w *wires) weakSyncs() []weakSync {
	p := w.job.Problem
	syncs := make([]weakSync, len(w.job.Plan.Stages))
	for i := range syncs {
		st := &w.job.Plan.Stages[i]
		if p.Sync == placement.Server || st.Devices > p.Cluster.Pools[st.Pool].Node.Devices {
			syncs[i] = weakSync{p.SyncLatency(st), w.ports(i)}
		}
	}
	return syncs
}
