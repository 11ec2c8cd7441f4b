package network

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// A Plan is a collective operation as data: who sends how much to whom, in phases.
// Every collective is a Plan, whatever its algorithm; Run lets it contend with
// what else is on the links, and Idle says what it takes alone.
//
// A rank goes on to its next phase when all that it sends and receives in the
// present one has arrived, and a send waits until both of its ranks are in its phase
// (rendezvous). A pipelined stream of chunks is one Send of all their bytes that
// pays the latencies of all its hops first. The sends of a phase have equal bytes:
// streams that depend on each other go at one speed, and so do equal transfers
// through the link that has most of them. They also begin together, after the
// longest latency of the phase.
type Plan struct {
	Ranks  int
	phases []phase
}

// Send is one transfer of a phase.
type Send struct {
	From, To int
	Bytes    float64
	Hops     int // latencies of the route to be paid
}

// phase holds its sends by rank: those that rank r sends or receives are
// of[first[r]:first[r+1]].
type phase struct {
	sends []Send
	first []int32
	of    []int32
}

func (p *Plan) add(sends []Send) {
	if len(sends) == 0 {
		return
	}
	ph := phase{sends: sends, first: make([]int32, p.Ranks+1), of: make([]int32, 2*len(sends))}
	for _, s := range sends {
		if s.From == s.To || s.From < 0 || s.To < 0 || s.From >= p.Ranks || s.To >= p.Ranks {
			panic(fmt.Sprintf("network: rank %d of %d sends to rank %d", s.From, p.Ranks, s.To))
		}
		if s.Bytes != sends[0].Bytes {
			panic(fmt.Sprintf("network: %g and %g bytes in one phase", s.Bytes, sends[0].Bytes))
		}
		ph.first[s.From+1]++
		ph.first[s.To+1]++
	}
	for r := range p.Ranks {
		ph.first[r+1] += ph.first[r]
	}
	next := slices.Clone(ph.first)
	for i, s := range sends {
		for _, r := range [2]int{s.From, s.To} {
			ph.of[next[r]] = int32(i)
			next[r]++
		}
	}
	p.phases = append(p.phases, ph)
}

// ofRank returns the sends in which a rank takes part.
func (ph *phase) ofRank(r int) []int32 { return ph.of[ph.first[r]:ph.first[r+1]] }

// latency returns the longest latency of a phase's sends.
func (ph *phase) latency(route Router) (longest time.Duration) {
	for _, s := range ph.sends {
		longest = max(longest, time.Duration(s.Hops)*route(s.From, s.To).Latency)
	}
	return longest
}

// Sent returns the bytes that all ranks send.
func (p *Plan) Sent() (sum float64) {
	for i := range p.phases {
		for _, s := range p.phases[i].sends {
			sum += s.Bytes
		}
	}
	return sum
}

// Router says how one rank reaches another.
type Router func(from, to int) *Route

// Between returns the Router of ranks that are at vertices of a graph. Ranks that
// cannot reach each other are a bug of the caller and panic.
func (g *Graph) Between(at []Vertex) Router {
	return func(from, to int) *Route { return g.Way(at[from], at[to]) }
}

// Cost is what a plan takes on idle links: Latency + bytes x PerByte seconds.
type Cost struct {
	Latency float64 // s
	PerByte float64 // s/B
}

// Seconds returns the time for bytes.
func (c Cost) Seconds(bytes float64) float64 { return c.Latency + bytes*c.PerByte }

// Idle returns what a plan takes when nothing else is on the links and all ranks
// are in the same phase: in each, the link that has most to carry is busy all the
// time, after the longest latency. The plan's bytes are for one byte of the buffer
// (Collective.Plan with bytes = 1). With several routers, so many sets of ranks do the
// same at the same time.
func (p *Plan) Idle(g *Graph, routes ...Router) Cost {
	cost, _ := p.Loads(g, routes...)
	return cost
}

// Loads is Idle, and says what every link carries in all for each byte of the buffer.
func (p *Plan) Loads(g *Graph, routes ...Router) (cost Cost, loads []float64) {
	load, loads := make([]float64, len(g.wires)), make([]float64, len(g.wires))
	for i := range p.phases {
		clear(load)
		busiest, latency := 0.0, time.Duration(0)
		for _, route := range routes {
			for _, s := range p.phases[i].sends {
				for _, l := range route(s.From, s.To).Path {
					load[l] += s.Bytes
					busiest = max(busiest, load[l]/float64(g.wires[l].capacity))
				}
			}
			latency = max(latency, p.phases[i].latency(route))
		}
		for l, v := range load {
			loads[l] += v
		}
		cost.Latency += latency.Seconds()
		cost.PerByte += busiest
	}
	return cost, loads
}

// Run executes a plan for a buffer of bytes, the plan being for one byte, and calls
// done when all ranks are through, never from inside Run. Several runs may go on
// at a time.
func (p *Plan) Run(n *Network, route Router, bytes float64, done func()) {
	x := &execution{plan: p, net: n, route: route, bytes: bytes, done: done, left: p.Ranks}
	x.at = make([]int32, p.Ranks)
	x.waits = make([]int32, p.Ranks)
	x.phases = make([]running, len(p.phases))
	for i := range p.phases {
		x.phases[i] = running{latency: p.phases[i].latency(route), met: make([]bool, len(p.phases[i].sends))}
	}
	n.e.After(0, func() {
		for r := range p.Ranks {
			x.enter(r)
		}
		if p.Ranks == 0 {
			done()
		}
	})
}

// execution is a running plan.
type execution struct {
	plan   *Plan
	net    *Network
	route  Router
	bytes  float64
	done   func()
	phases []running
	at     []int32 // phase of each rank
	waits  []int32 // per rank: sends and receipts of its phase to come
	left   int     // ranks that are not through
}

// running is a phase that is being executed.
type running struct {
	latency time.Duration
	met     []bool // by send: one of its ranks is in the phase
}

// enter lets a rank begin its phase, and those after it in which it has nothing to do.
func (x *execution) enter(rank int) {
	for ; int(x.at[rank]) < len(x.plan.phases); x.at[rank]++ {
		i := int(x.at[rank])
		sends := x.plan.phases[i].ofRank(rank)
		x.waits[rank] = int32(len(sends))
		for _, k := range sends {
			if x.phases[i].met[k] {
				x.send(i, int(k))
			}
			x.phases[i].met[k] = true
		}
		if len(sends) > 0 {
			return
		}
	}
	if x.left--; x.left == 0 {
		x.done()
	}
}

func (x *execution) send(phase, k int) {
	s := &x.plan.phases[phase].sends[k]
	x.net.Transfer(x.route(s.From, s.To).Path, s.Bytes*x.bytes, x.phases[phase].latency, func() {
		x.arrived(s.From)
		x.arrived(s.To)
	})
}

func (x *execution) arrived(rank int) {
	if x.waits[rank]--; x.waits[rank] == 0 {
		x.at[rank]++
		x.enter(rank)
	}
}

// log2 returns the greatest k with 2^k <= n, for n >= 1.
func log2(n int) int { return int(math.Ilogb(float64(n))) }
