package scenarios

import (
	"strings"
	"time"

	"stowage/hw/spec"
	"stowage/sim/network"
	"stowage/sim/placement"
)

// MaxTensorParallel bounds the devices of a replica.
const MaxTensorParallel = 1 << 10

// DefaultEager is what one device sends at once, in bytes, without blocking anybody:
// NCCL copies as much into its own buffers (NCCL_BUFFSIZE, 4194304 if not set: NVIDIA, NCCL
// user guide, environment variables).
const DefaultEager = 4 << 20

// inParts reads how the devices of a stage share it.
func (b *builder) inParts(at func(key string) spec.Path) {
	t, p := &b.f.Training, &b.sc.Problem
	if t.Zero < 0 || t.Zero > 3 {
		b.fail(at("zero"), "%d: 1 for the optimizer's state, 2 for gradients too, 3 for parameters too; 0 for none", t.Zero)
	}
	b.oneOf(at("recompute"), t.Recompute, placement.Recomputes())
	b.oneOf(at("shares"), t.Shares, placement.SharesNames())
	b.reserved(at("reserved_memory"))
	b.oneOf(at("transfers"), t.Transfers, placement.TransfersNames())
	if b.doc.Has(at("eager")) && t.Transfers != placement.BlockingTransfers {
		b.fail(at("eager"), "transfers = %q block nobody, whatever their size: it goes with transfers = %q", t.Transfers, placement.BlockingTransfers)
	}
	eager := float64(DefaultEager)
	if t.Eager != nil {
		if eager = float64(*t.Eager); eager < 0 {
			b.fail(at("eager"), "%v: 0 or more", *t.Eager)
		}
	}
	overhead := 0.0
	if t.StepOverhead != nil {
		if overhead = time.Duration(*t.StepOverhead).Seconds(); t.Inference {
			b.fail(at("step_overhead"), "with inference = true there are no steps: leave it out")
		}
	}
	b.oneOf(at("collective_times"), t.CollectiveTimes, []string{"links", "measured"})
	if b.doc.Has(at("replica_batch")) {
		if micro := t.Batch / max(1, t.Microbatches); t.ReplicaBatch < 1 || t.ReplicaBatch > micro || micro%t.ReplicaBatch != 0 {
			b.fail(at("replica_batch"), "%d: a divisor of the %d samples of a micro-batch, which is batch / microbatches", t.ReplicaBatch, micro)
		}
	}
	if t.TensorParallel < 1 || t.TensorParallel > MaxTensorParallel {
		b.fail(at("tensor_parallel"), "%d: from 1 to MaxTensorParallel = %d devices", t.TensorParallel, MaxTensorParallel)
	}
	p.Inside = placement.Inside{
		SequenceParallel: t.SequenceParallel, Recompute: placement.Recompute(t.Recompute), Zero: t.Zero,
		OverlapSync: t.OverlapSync, ReplicaBatch: t.ReplicaBatch, Calibrated: t.CollectiveTimes == "measured", Shares: placement.Shares(t.Shares),
		Blocking: t.Transfers == placement.BlockingTransfers, Eager: eager, StepOverhead: overhead, ReservedMemory: t.ReservedMemory,
	}
	if t.TensorParallel >= 1 {
		b.teams(at)
	}
	b.trained(at)
}

// reserved checks that accelerators have more memory than is reserved.
func (b *builder) reserved(path spec.Path) {
	n := b.f.Training.ReservedMemory
	if n < 0 {
		b.fail(path, "%v: 0 or more", n)
	}
	if n <= 0 || b.sc.Cluster == nil {
		return
	}
	for i := range b.sc.Cluster.Pools {
		if pool := &b.sc.Cluster.Pools[i]; pool.Device.Kind.Accelerator() && pool.LeastMemory() <= n {
			b.fail(path, "%v: devices of pool %q have %v", n, pool.Name, pool.LeastMemory())
		}
	}
}

// trained checks what goes with some ways of training only.
func (b *builder) trained(at func(key string) spec.Path) {
	t, p := &b.f.Training, &b.sc.Problem
	for _, c := range []struct {
		key string
		set bool
	}{{"recompute", t.Recompute != string(placement.KeepAll)}, {"zero", t.Zero > 0}, {"overlap_sync", t.OverlapSync}} {
		if c.set && t.Inference {
			b.fail(at(c.key), "with inference = true there are no backward passes: leave it out")
		}
	}
	if t.Zero > 0 && t.Sync != string(placement.Ring) {
		b.fail(at("zero"), "%d: replicas that divide memory synchronise by collectives, sync = %q, not %q", t.Zero, placement.Ring, t.Sync)
	}
	if t.Zero == 3 && t.Collective == string(network.TreeAlgorithm) {
		b.fail(at("collective"), "%q: trees sum up whole buffers; with zero = 3 replicas need parts: take another collective", t.Collective)
	}
	if p.Blocking && p.Schedule.Staleness > 0 {
		b.fail(at("transfers"), "%q: schedule %q does not flush, and is not modelled with transfers that block: take another schedule", t.Transfers, t.Schedule)
	}
	if p.Blocking && b.f.Slots != nil {
		b.fail(at("transfers"), "%q: they are not modelled beside rows in slots: leave the section slots out, or transfers", t.Transfers)
	}
	if t.Recompute != string(placement.KeepAll) && p.Schedule.Delay != nil {
		b.fail(at("recompute"), "%q: schedule %q puts off gradients of weights, which would keep what was computed again: take another schedule", t.Recompute, t.Schedule)
	}
}

// teams says how many devices of each pool compute a replica's layers together.
func (b *builder) teams(at func(key string) spec.Path) {
	c := b.sc.Cluster
	if c == nil {
		return // it has been complained about
	}
	most, complained := 1, false // about the training's key, which is that of several pools
	teams := make([]int, len(c.Pools))
	for i := range c.Pools {
		path, own := at("tensor_parallel"), spec.Path{"cluster", "pool", i, "tensor_parallel"}
		teams[i] = 1
		if c.Pools[i].Device.Kind.Accelerator() {
			teams[i] = b.f.Training.TensorParallel
		}
		if b.doc.Has(own) {
			path, teams[i] = own, b.f.Cluster.Pool[i].TensorParallel
		}
		if err := placement.CheckTeam(&c.Pools[i], teams[i], b.sc.Problem.Sync); err != nil {
			if b.doc.Has(own) || !complained {
				b.fail(path, "%v", err)
			}
			complained = complained || !b.doc.Has(own)
		} else if err := placement.CheckGroup(&c.Pools[i], teams[i], b.sc.Problem.Sync); err != nil {
			key, text, _ := strings.Cut(err.Error(), ": ")
			b.fail(spec.Path{"cluster", "pool", i, key}, "%s", text)
		}
		most = max(most, teams[i])
	}
	if most > 1 {
		b.sc.Problem.Tensor = teams
	} else if b.f.Training.SequenceParallel {
		b.fail(at("sequence_parallel"), "it divides what tensor parallelism leaves whole: say tensor_parallel, from 2 devices on")
	}
}
