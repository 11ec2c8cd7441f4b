package placement

import (
	"math"

	"stowage/hw"
	"stowage/hw/unit"
)

// Memory is the peak memory of one device of a stage by use.
type Memory struct {
	Weights, Gradients, Optimizer, Activations, Tables unit.Bytes
	Capacity                                           unit.Bytes
}

// Total returns the sum of all uses.
func (m Memory) Total() unit.Bytes {
	return m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Tables
}

// memoryLeft returns the bytes of one device of a pool that training can have.
func (s *Spec) memoryLeft(pool *hw.Pool) float64 {
	if !pool.Device.Kind.Accelerator() {
		return float64(pool.DeviceMemory())
	}
	return float64(pool.DeviceMemory() - s.ReservedMemory)
}

// need returns the bytes that stage i asks of each device of k replicas: dense
// parameters are replicated unless ZeRO has them divided, activations and tables are
// shared, in whole bytes. It never rises with k.
func (p *Problem) need(st *stage, k int) float64 {
	if p.members[st.pool] != nil {
		_, need := p.tightest(st, k)
		return need
	}
	return st.weights + st.gathered + math.Ceil((st.act+st.scratch)/float64(k)) + math.Ceil(st.table/float64(k)) +
		math.Ceil((st.sharded-st.gathered)/float64(k))
}

// memoryFloor returns the smallest number of devices on which stage i fits, or 0
// when no number does. Above the pool's count it is a lower bound.
func (ev *Evaluator) memoryFloor(i int) int {
	k := ev.deviceFloor(i)
	if k == 0 {
		return 0
	}
	return max(k, ev.hostFloor(i))
}

// roomy reports that one device is surely enough for a stage. It asks less than need:
// rounding up to bytes adds less than one to each of three parts.
func (p *Problem) roomy(st *stage) bool {
	return st.weights+st.act+st.scratch+st.table+st.sharded+3 <= p.memory[st.pool]*(1-slack) &&
		st.backing == 0 && p.members[st.pool] == nil
}

// hostFloor returns the fewest devices whose hosts can hold the rows behind the
// slot tables of stage i. Above the pool's count it is a lower bound.
func (ev *Evaluator) hostFloor(i int) int {
	p, st := ev.p, &ev.stages[i]
	if st.backing == 0 || p.dram[st.pool] == 0 {
		return 1
	}
	nodes := math.Ceil(min(st.backing/p.dram[st.pool], math.MaxInt32/2))
	return int(min((nodes-1)*float64(p.perNode[st.pool])+1, math.MaxInt32))
}

// deviceFloor is memoryFloor by the devices' own memory.
func (ev *Evaluator) deviceFloor(i int) int {
	st := &ev.stages[i]
	capacity := ev.p.memory[st.pool]
	if ev.p.need(st, 1) <= capacity {
		return 1
	}
	weights := st.weights + st.gathered
	least := (st.table + st.act + st.scratch + st.sharded - st.gathered) / (capacity - weights) // before rounding up to bytes
	count := ev.p.count[st.pool]
	if ev.p.members[st.pool] != nil {
		least = 0 // devices of a group differ
	}
	if weights >= capacity || ev.p.need(st, math.MaxInt32) > capacity {
		return 0
	}
	if least > float64(count) {
		return int(min(math.Ceil(least), math.MaxInt32))
	}
	for k := max(1, int(least)); k <= count; k++ {
		if ev.p.need(st, k) <= capacity {
			return k
		}
	}
	return count + 1
}

// memoryOf returns the memory of each device of k replicas of stage i.
func (ev *Evaluator) memoryOf(i, k int) Memory {
	st := &ev.stages[i]
	share, capacity, n := 1.0, ev.p.memory[st.pool], float64(k)
	if ev.p.members[st.pool] != nil { // of the device that has the least left
		at, _ := ev.p.tightest(st, k)
		share, capacity, n = at.share, capacity-at.lacks, float64(k*len(ev.p.members[st.pool]))
	}
	m := Memory{
		Activations: wholeBytes((st.act + st.scratch) * share / float64(k)),
		Tables:      wholeBytes(st.table / n),
		Capacity:    wholeBytes(capacity),
	}
	weight, gradient, optimizer := ev.p.paramBytes()
	params := ev.params(i)
	uses := [...]struct {
		bytes *unit.Bytes
		each  int
	}{{&m.Optimizer, optimizer}, {&m.Gradients, gradient}, {&m.Weights, weight}}
	for _, u := range uses[ev.p.Zero:] {
		*u.bytes = wholeBytes(params * float64(u.each))
	}
	// What is divided is rounded up to bytes together, as in need.
	sum, so := 0.0, unit.Bytes(0)
	for i, u := range uses[:ev.p.Zero] {
		if sum += params * float64(u.each) / n; i == ev.p.Zero-1 {
			sum = (st.sharded - st.gathered) / n
		}
		*u.bytes = wholeBytes(sum) - so
		so += *u.bytes
	}
	m.Weights += wholeBytes(st.gathered)
	return m
}

// params returns the dense parameters that a device of stage i works with.
func (ev *Evaluator) params(i int) float64 {
	weight, gradient, optimizer := ev.p.paramBytes()
	return (ev.stages[i].weights + ev.stages[i].sharded) / float64(weight+gradient+optimizer)
}

// wholeBytes rounds up. Amounts beyond 1 EiB, which no machine has, stay there,
// so that sums of them do not overflow.
func wholeBytes(v float64) unit.Bytes {
	return unit.Bytes(math.Ceil(min(v, 1<<60)))
}

// Kept returns the bytes of activations that each device of a plan's stages keeps of
// one micro-batch, by segment: until its backward pass, or while it passes the largest
// layer in inference. Again are those that are there only while it is under way,
// computed again.
func (p *Problem) Kept(pl *Plan) (kept, again []float64) {
	kept = make([]float64, pl.Segment[len(pl.Segment)-1]+1)
	again = make([]float64, len(kept))
	for l, t := range pl.Scheme {
		replicas := float64(pl.Stages[pl.StageOf[l]].Replicas) / pl.Stages[pl.StageOf[l]].Share
		act := p.work[int(t)*p.layers+l].act / replicas
		g := pl.Segment[l]
		again[g] = max(again[g], p.costs[int(t)*p.layers+l].scratch/replicas)
		if p.Inference {
			kept[g] = max(kept[g], act)
		} else {
			kept[g] += act
		}
	}
	return kept, again
}

// CheckpointBytes returns what a checkpoint of a plan holds: weights and optimizer state
// of one replica of every stage, and the embedding rows with their state, wherever they
// are; slot tables are copies. What tensor parallelism does not divide is saved by each
// of the devices that work together.
func (p *Problem) CheckpointBytes(pl *Plan) (bytes float64) {
	weight, _, optimizer := p.paramBytes()
	for i := range pl.Stages {
		st := &pl.Stages[i]
		bytes += float64(st.Weights) * float64(st.Tensor) / float64(weight) * float64(weight+optimizer)
		if st.HostRows > 0 {
			bytes += float64(st.HostRows)
		} else {
			bytes += float64(st.Memory.Tables) * float64(st.Replicas)
		}
	}
	return bytes
}
