package placement

import (
	"fmt"
	"strings"

	"stowage/hw/unit"
)

// Plan is a scheme with everything decided: its stages, their devices, and why
// it does not fit if it does not.
type Plan struct {
	Scheme  Scheme
	Stages  []Stage
	StageOf []int // per layer
	Segment []int // per layer: runs of consecutive layers on one pool
	Fitness Fitness
	Reason  string // why an infeasible scheme is infeasible
}

// Stage is a stage of a plan.
type Stage struct {
	Pool        int // index into the cluster's pools
	First, Last int // layers
	Layers      []int
	Devices     int
	StepTime    float64    // closed-form seconds per step when nothing makes it wait
	Fetch       float64    // seconds in which its slot tables get the rows of a warm round
	Weights     unit.Bytes // dense parameters of one replica at the training precision
	Memory      Memory     // of one device
}

// Memory is the peak memory of one device of a stage by use.
type Memory struct {
	Weights, Gradients, Optimizer, Activations, Tables unit.Bytes
	Capacity                                           unit.Bytes
}

// Total returns the sum of all uses.
func (m Memory) Total() unit.Bytes {
	return m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Tables
}

// Plan evaluates a scheme by the closed form and spells the result out.
func (ev *Evaluator) Plan(s Scheme) *Plan {
	return ev.plan(s, nil)
}

// PlanDevices is Plan with the devices per stage given instead of provisioned.
func (ev *Evaluator) PlanDevices(s Scheme, devices []int) (*Plan, error) {
	if l := ev.merge(s); l < 0 && len(ev.stages) != len(devices) {
		return nil, fmt.Errorf("devices = %v names %d stages; the scheme merges into %d", devices, len(devices), len(ev.stages))
	}
	return ev.plan(s, devices), nil
}

func (ev *Evaluator) plan(s Scheme, devices []int) *Plan {
	p := ev.p
	pl := &Plan{Scheme: append(Scheme(nil), s...)}
	if l := ev.merge(s); l >= 0 {
		pl.Fitness = ev.ClosedForm(s)
		pl.Reason = p.refusals[int(s[l])*p.layers+l]
		return pl
	}
	if devices == nil {
		pl.Fitness = ev.provision()
	} else {
		pl.Fitness = ev.fixed(devices)
	}
	pl.StageOf = append([]int(nil), ev.stageOf...)
	pl.Segment = append([]int(nil), ev.segment...)
	counted := pl.Fitness.Value >= -2 // the ladder was climbed, so ev.best is set
	for i := range ev.stages {
		st := &ev.stages[i]
		k := max(1, ev.memoryFloor(i))
		if counted {
			k = ev.best[i]
		}
		pl.Stages = append(pl.Stages, Stage{
			Pool: st.pool, First: st.first, Last: st.last, Layers: ev.usedLayers(i), Devices: k,
			StepTime: ev.stepTime(i, k), Fetch: ev.fetchTime(i, k), Memory: ev.memoryOf(i, k), Weights: ev.denseBytes(i),
		})
	}
	if !pl.Fitness.Feasible {
		pl.Reason = ev.reason(pl)
	}
	return pl
}

// fixed evaluates given devices per stage.
func (ev *Evaluator) fixed(devices []int) Fitness {
	p := ev.p
	copy(ev.best, devices)
	copy(ev.free, p.count)
	slowest, price, over := 0.0, 0.0, 0.0
	for i := range ev.stages {
		st := &ev.stages[i]
		if floor := ev.memoryFloor(i); floor == 0 || floor > devices[i] {
			return violation(3)
		}
		slowest = max(slowest, ev.stepTime(i, devices[i]))
		price += float64(devices[i]) * p.price[st.pool]
		if ev.free[st.pool] -= devices[i]; ev.free[st.pool] < 0 {
			over++
		}
	}
	if over > 0 {
		return violation(1 + over)
	}
	x := float64(p.Batch) / slowest
	cost := costOf(price, x)
	if x < p.MinThroughput || (p.MaxPrice > 0 && price > p.MaxPrice) || (p.MaxCost > 0 && cost > p.MaxCost) {
		return ev.shortfall(x, cost, price)
	}
	return Fitness{Value: p.value(x, cost), Throughput: x, Price: price, Cost: cost, Feasible: true}
}

// denseBytes returns the bytes of one replica's dense parameters.
func (ev *Evaluator) denseBytes(i int) unit.Bytes {
	var n int64
	for l, s := range ev.stageOf {
		if s == i {
			n += ev.p.Model.Layers[l].Params
		}
	}
	return unit.Bytes(n * int64(elementBytes(ev.p.Precision)))
}

func (ev *Evaluator) memoryOf(i, k int) Memory {
	st := &ev.stages[i]
	weight, gradient, optimizer := ev.p.paramBytes()
	dense := int64(ev.denseBytes(i)) / int64(elementBytes(ev.p.Precision))
	return Memory{
		Weights:     unit.Bytes(dense * int64(weight)),
		Gradients:   unit.Bytes(dense * int64(gradient)),
		Optimizer:   unit.Bytes(dense * int64(optimizer)),
		Activations: unit.Bytes(st.act / float64(k)),
		Tables:      unit.Bytes(st.table / float64(k)),
		Capacity:    unit.Bytes(ev.p.memory[st.pool]),
	}
}

// reason says in words why a plan is infeasible: which stage, need and capacity.
func (ev *Evaluator) reason(pl *Plan) string {
	p := ev.p
	for i := range pl.Stages {
		st := &pl.Stages[i]
		pool := &p.Cluster.Pools[st.Pool]
		if m := st.Memory; m.Total() > m.Capacity {
			return fmt.Sprintf("stage %d (%s) needs %v of memory on each of %d %s, which has %v: weights %v, gradients %v, optimizer %v, activations %v, tables %v",
				i, p.layerRange(st), m.Total(), st.Devices, pool.Device.Name, m.Capacity,
				m.Weights, m.Gradients, m.Optimizer, m.Activations, m.Tables)
		}
	}
	need := make([]int, p.pools)
	for i := range pl.Stages {
		need[pl.Stages[i].Pool] += pl.Stages[i].Devices
	}
	for t, n := range need {
		if n > p.count[t] {
			return fmt.Sprintf("its stages on pool %q need %d devices; the pool has %d", p.Cluster.Pools[t].Name, n, p.count[t])
		}
	}
	var why []string
	f := pl.Fitness
	if p.MinThroughput > 0 && f.Throughput < p.MinThroughput {
		why = append(why, fmt.Sprintf("min_throughput is %.6g samples/s, it reaches %.6g", p.MinThroughput, f.Throughput))
	}
	if p.MaxCost > 0 && f.Cost > p.MaxCost {
		why = append(why, fmt.Sprintf("max_cost is %.6g USD per million samples, it costs %.6g at least", p.MaxCost, f.Cost))
	}
	if p.MaxPrice > 0 {
		why = append(why, fmt.Sprintf("max_price is %.6g USD/h", p.MaxPrice))
	}
	return strings.Join(why, "; ")
}

func (p *Problem) layerRange(st *Stage) string {
	if st.First == st.Last {
		return p.Model.Layers[st.First].Name
	}
	return p.Model.Layers[st.First].Name + " … " + p.Model.Layers[st.Last].Name
}
