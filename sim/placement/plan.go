package placement

import (
	"fmt"
	"math"
	"strings"

	"stowage/hw"
	"stowage/hw/unit"
)

// Plan is a scheme with everything decided: its stages, their devices, and why
// it does not fit if it does not. A scheme with a layer that its pool cannot run
// has no stages.
type Plan struct {
	Scheme  Scheme
	Stages  []Stage
	StageOf []int     // per layer
	Segment []int     // per layer: runs of consecutive layers on one pool
	Gathers []float64 // per segment: Stage.Gather of one micro-batch
	Servers int       // parameter servers, devices of the problem's pool for them; 0: none are provisioned
	Fitness Fitness
	Reason  string // why an infeasible scheme is infeasible
}

// Stage is a stage of a plan.
type Stage struct {
	Pool        int // index into the cluster's pools
	First, Last int // layers
	Layers      []int
	Devices     int
	Replicas    int        // of Devices / Tensor devices each
	Tensor      int        // devices that compute every layer of a replica together
	Share       float64    // of a replica's samples that the device has whose Memory is given
	Samples     []int      // per device of a group of unlike ones: of what a replica takes at a time; nil: they are alike
	StepTime    float64    // closed-form seconds per step when nothing makes it wait
	Fetch       float64    // seconds in which its slot tables get the rows of a warm round
	Cycle       float64    // seconds in which the slowest phase of that is through with a round
	Extract     float64    // seconds before computing in which its devices get rows from each other, and past the slots
	Update      float64    // seconds after computing in which they give gradients, rows and optimizer state back
	Gather      float64    // seconds of a round's forward passes in which its devices read rows behind slot tables in their own memory
	Weights     unit.Bytes // dense parameters that each device works with, at the training precision
	Memory      Memory     // of one device
	HostRows    unit.Bytes // embedding rows in host memory, behind slot tables

	Most, MostOf int // devices that can divide its slots, and the layer that says so; 0: any number
}

// Plan evaluates a scheme by the closed form and spells the result out.
func (ev *Evaluator) Plan(s Scheme) *Plan {
	if pl := ev.refusedPlan(s); pl != nil {
		return pl
	}
	f := ev.provision()
	if !f.provisioned() { // show what memory asks for
		for i := range ev.stages {
			ev.best[i] = max(1, ev.memoryFloor(i))
		}
	}
	return ev.spell(s, f)
}

// PlanDevices is Plan with the devices per stage given instead of provisioned.
// It errs unless every stage is given at least one, and whole replicas.
func (ev *Evaluator) PlanDevices(s Scheme, devices []int) (*Plan, error) {
	for _, k := range devices {
		if k < 1 {
			return nil, fmt.Errorf("devices = %v: every stage needs at least 1", devices)
		}
	}
	if pl := ev.refusedPlan(s); pl != nil {
		return pl, nil
	}
	if len(ev.stages) != len(devices) {
		return nil, fmt.Errorf("devices = %v names %d stages; the scheme merges into %d", devices, len(devices), len(ev.stages))
	}
	for i, k := range devices {
		unit := ev.p.unit(ev.stages[i].pool)
		if k%unit != 0 {
			return nil, fmt.Errorf("devices = %v: stage %d is on pool %q, where a replica has %d devices; %d is no multiple of that",
				devices, i+1, ev.p.Cluster.Pools[ev.stages[i].pool].Name, unit, k)
		}
		ev.best[i] = k / unit
	}
	f := ev.given()
	if ev.routed != nil && f.provisioned() {
		f = ev.route(f)
	}
	return ev.spell(s, f), nil
}

// refusedPlan merges a scheme and returns its plan if a pool cannot run a layer,
// else nil.
func (ev *Evaluator) refusedPlan(s Scheme) *Plan {
	n, l := ev.merge(s)
	if n == 0 {
		return nil
	}
	reason := ev.p.refusals[int(s[l])*ev.p.layers+l]
	if n > 1 {
		reason = fmt.Sprintf("%s (and %d more layers)", reason, n-1)
	}
	return &Plan{Scheme: append(Scheme(nil), s...), Fitness: infeasible(refused, float64(n)), Reason: reason}
}

// given evaluates the devices in ev.best.
func (ev *Evaluator) given() Fitness {
	p := ev.p
	if p.Merge == Convex {
		if n := ev.disorder(); n > 0 {
			return infeasible(disordered, float64(n))
		}
	}
	copy(ev.free, p.count)
	seconds, over := 0.0, 0.0
	for i := range ev.stages {
		st, k := &ev.stages[i], ev.best[i]
		if need := p.need(st, k); need > p.memory[st.pool] {
			return infeasible(memory, need/p.memory[st.pool])
		}
		if least := ev.hostFloor(i); k < least {
			return infeasible(memory, float64(least)/float64(k))
		}
		if st.most > 0 && k > st.most {
			return infeasible(memory, float64(k)/float64(st.most))
		}
		seconds = max(seconds, ev.stepTime(i, k))
		if ev.free[st.pool] -= k; ev.free[st.pool] < 0 {
			over += float64(-ev.free[st.pool]) / float64(p.count[st.pool])
		}
	}
	if ev.reserve(); p.servers >= 0 && ev.free[p.servers] < 0 {
		over += 1 / float64(p.count[p.servers])
	}
	switch {
	case over > 0:
		return infeasible(devices, over)
	case !positive(seconds):
		return infeasible(timeless, 1)
	}
	seconds = ev.serve(seconds)
	return p.fitness(seconds, ev.priceOf(ev.best)+ev.serversPrice(ev.servers))
}

// spell makes the plan of the merged scheme with the devices in ev.best.
func (ev *Evaluator) spell(s Scheme, f Fitness) *Plan {
	p, n := ev.p, len(ev.stages)
	pl := &Plan{
		Scheme: append(Scheme(nil), s...), Fitness: f, Stages: make([]Stage, n),
		StageOf: append([]int(nil), ev.stageOf...), Segment: append([]int(nil), ev.segment...),
	}
	if p.servers >= 0 {
		pl.Servers = max(1, ev.servers)
	}
	for i := range pl.Stages {
		st, k := &ev.stages[i], ev.best[i]
		pl.Stages[i] = Stage{
			Pool: st.pool, First: st.first, Last: st.last, Devices: k * p.unit(st.pool), Replicas: k, Tensor: p.Team(st.pool),
			StepTime: ev.stepTime(i, k), Gather: ev.gatherTime(i, k),
			Memory: ev.memoryOf(i, k), Weights: ev.denseBytes(i),
			HostRows: wholeBytes(st.backing), Most: st.most, MostOf: st.mostOf,
		}
		pl.Stages[i].Share, pl.Stages[i].Samples = p.sharesOf(st, k)
		pl.Stages[i].Fetch, pl.Stages[i].Cycle = ev.fetchTimes(i, k)
		pl.Stages[i].Extract, pl.Stages[i].Update = ev.besideTimes(i, k)
	}
	pl.Gathers = make([]float64, ev.segments)
	for l, i := range pl.StageOf {
		st := &pl.Stages[i]
		st.Layers = append(st.Layers, l)
		serial, parallel := p.costs[st.Pool*p.layers+l].gatherParts()
		pl.Gathers[pl.Segment[l]] += serial + parallel*p.share(st.Pool, st.Replicas).device
	}
	if !f.Feasible {
		pl.Reason = p.reason(pl)
	}
	return pl
}

// denseBytes returns the bytes of dense parameters that each device of a stage works with.
func (ev *Evaluator) denseBytes(i int) unit.Bytes {
	return wholeBytes(ev.params(i) * float64(elementBytes(ev.p.Precision)))
}

// reason says in words why a plan is infeasible: which stage, need and capacity.
func (p *Problem) reason(pl *Plan) string {
	if p.Merge == Convex {
		if why := p.cycle(pl); why != "" {
			return why
		}
	}
	need := make([]int, p.pools)
	for i := range pl.Stages {
		st := &pl.Stages[i]
		pool := &p.Cluster.Pools[st.Pool]
		if m := st.Memory; m.Total() > m.Capacity {
			return fmt.Sprintf("stage %d (%s) needs %v of memory on each of %d %s, which has %v: weights %v, gradients %v, optimizer %v, activations %v, tables %v",
				i+1, p.layerRange(st), m.Total(), st.Devices, pool.Device.Name, m.Capacity,
				m.Weights, m.Gradients, m.Optimizer, m.Activations, m.Tables)
		}
		if n := p.ports(st.Pool, st.Replicas); p.dram[st.Pool] > 0 && float64(st.HostRows) > float64(n)*p.dram[st.Pool] {
			return fmt.Sprintf("stage %d (%s) keeps %v of embedding rows in host memory behind its slot tables: the %d nodes of its %d devices have %v each",
				i+1, p.layerRange(st), st.HostRows, n, st.Devices, pool.Node.DRAM.Capacity)
		}
		if n, has := p.ports(st.Pool, st.Replicas), p.ports(st.Pool, p.count[st.Pool]); n > has && p.dram[st.Pool] > 0 && float64(st.HostRows) > float64(n-1)*p.dram[st.Pool] {
			return fmt.Sprintf("stage %d (%s) keeps %v of embedding rows in host memory behind its slot tables: that takes %d nodes of pool %q, which have %v each; %s",
				i+1, p.layerRange(st), st.HostRows, n, pool.Name, pool.Node.DRAM.Capacity, p.nodesLeft(st.Pool, has))
		}
		if st.Most > 0 && st.Devices > st.Most {
			return fmt.Sprintf("stage %d (%s) needs %d of %s; the slots of layer %q can be divided among %d at most: %s",
				i+1, p.layerRange(st), st.Devices, pool.Device.Name, p.Model.Layers[st.MostOf].Name, st.Most, p.Lookups[st.MostOf].MostWhy)
		}
		need[st.Pool] += st.Devices
	}
	for t, n := range need {
		if t == p.servers && n == p.count[t] {
			return fmt.Sprintf("its stages on pool %q need all of its %d devices%s, and the parameter servers at least one", p.Cluster.Pools[t].Name, n, p.besidesOthers(t))
		}
		if has := p.Cluster.Pools[t].Count; n > p.count[t]*p.unit(t) {
			return fmt.Sprintf("its stages on pool %q need %d devices; the pool has %d%s", p.Cluster.Pools[t].Name, n, has, p.lessOthers(t))
		}
	}
	if !pl.Fitness.provisioned() {
		return "a step takes no time, or longer than any number: there is nothing to compare"
	}
	return p.shortfall(pl.Fitness)
}

// shortfall says which floor or cap a result misses.
func (p *Problem) shortfall(f Fitness) string {
	var why []string
	if p.MinThroughput > 0 && f.Throughput < p.MinThroughput {
		why = append(why, fmt.Sprintf("min_throughput is %s samples/s, it reaches %s", figure(p.MinThroughput), figure(f.Throughput)))
	}
	if p.MaxCost > 0 && f.Cost > p.MaxCost {
		why = append(why, fmt.Sprintf("max_cost is %s USD per million samples, it costs %s", figure(p.MaxCost), figure(f.Cost)))
	}
	if !p.affords(f.Price) {
		why = append(why, fmt.Sprintf("max_price is %s USD/h, its devices cost %s", figure(p.MaxPrice), figure(f.Price)))
	}
	return strings.Join(why, "; ")
}

func (p *Problem) layerRange(st *Stage) string {
	if st.First == st.Last {
		return p.Model.Layers[st.First].Name
	}
	return p.Model.Layers[st.First].Name + " … " + p.Model.Layers[st.Last].Name
}

// Notes lists what a person should know before trusting a plan's numbers.
func (p *Problem) Notes(pl *Plan) []string {
	notes := p.Warnings[:len(p.Warnings):len(p.Warnings)]
	if p.added {
		notes = append(notes, `communication = "added" chose the scheme; recurrence and simulation send from stage to stage, beside computing, and so may differ from it either way`)
	}
	for i := range pl.Stages {
		for _, note := range []func(i int, st *Stage) string{p.idleNote, p.amdahlNote, p.formatNote, p.exchangeNote} {
			if text := note(i, &pl.Stages[i]); text != "" {
				notes = append(notes, text)
			}
		}
	}
	return notes
}

// idleNote says that a stage has more devices than samples for them.
func (p *Problem) idleNote(i int, st *Stage) string {
	switch {
	case float64(st.Replicas) <= p.splits:
		return ""
	case p.ReplicaBatch > 0:
		return fmt.Sprintf("stage %d (%s) has %d replicas for micro-batches of %d samples, which they take %d at a time: some have nothing to do; use fewer micro-batches, or a smaller replica_batch",
			i+1, p.layerRange(st), st.Replicas, int(p.micro), p.ReplicaBatch)
	}
	return fmt.Sprintf("stage %d (%s) shares micro-batches of %.4g samples among %d devices: a sample cannot be split, so some have nothing to do; use fewer micro-batches",
		i+1, p.layerRange(st), p.micro, st.Replicas)
}

// manyReplicas is beyond how many Amdahl's law says little of data parallelism: with a
// device type's 98 %, 50 replicas are 25 times as fast as one.
const manyReplicas = 16

// amdahlNote says that a stage's time comes from a law that is too pessimistic for so many
// replicas.
func (p *Problem) amdahlNote(i int, st *Stage) string {
	if st.Replicas <= manyReplicas || p.ReplicaBatch > 0 {
		return ""
	}
	alpha := p.Cluster.Pools[st.Pool].Device.Parallel
	for _, l := range st.Layers {
		if p.Model.Layers[l].Parallel < 0 && alpha < 1 {
			return fmt.Sprintf("stage %d (%s): of what its %d replicas do, %.4g %% is divided among them (Amdahl's law, an estimate for %s): with replica_batch, the samples that one takes at a time, each is timed by itself",
				i+1, p.layerRange(st), st.Replicas, 100*alpha, p.Cluster.Pools[st.Pool].Device.Name)
		}
	}
	return ""
}

// formatNote says that a stage's devices do not compute in the precision that is asked
// for. Fp32 in the place of tf32 is what frameworks take without being told.
func (p *Problem) formatNote(i int, st *Stage) string {
	d := p.Cluster.Pools[st.Pool].Device
	if format, err := d.Format(p.Precision); err == nil && format != p.Precision && p.Precision != hw.TF32 {
		return fmt.Sprintf("stage %d (%s): %s does not compute in %s; its times are those of %s", i+1, p.layerRange(st), d.Name, p.Precision, format)
	}
	return ""
}

// exchangeNote says that a stage's devices hold parts of embedding tables, and that what
// they would send each other of them is left out.
func (p *Problem) exchangeNote(i int, st *Stage) string {
	if p.Lookups != nil || st.Replicas < 2 || !p.Cluster.Pools[st.Pool].Device.Kind.Accelerator() {
		return ""
	}
	for _, l := range st.Layers {
		if layer := &p.Model.Layers[l]; layer.Sparse() {
			return fmt.Sprintf(`stage %d (%s): its devices divide the tables of layer %q, but without a section slots nothing is counted of the rows that they exchange; with capacity = "100 %%" in it, and a section lookups, it is`,
				i+1, p.layerRange(st), layer.Name)
		}
	}
	return ""
}

// splits returns into how many parts a micro-batch can be divided among devices:
// into what replicas take at a time, or else its samples, unless times are those of measured units of work, of which
// nobody knows what they hold.
func (s *Spec) splits(micro float64) float64 {
	if s.ReplicaBatch > 0 {
		return micro / float64(s.ReplicaBatch)
	}
	for i := range s.Model.Layers {
		if s.Model.Layers[i].OnlyProfiled {
			return math.Inf(1)
		}
	}
	return max(1, micro)
}
