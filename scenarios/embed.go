package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stowage/sim"
	"stowage/sim/placement"
	"stowage/sim/rounds"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// stores returns the tier below host memory as one node of each pool uses it, nil
// when host memory holds all rows, and lets the placement reckon with it.
func (s *Scenario) stores(spec *placement.Spec) ([]rounds.Tier, error) {
	if s.Slots == nil || s.Slots.Host == nil {
		return nil, nil
	}
	tiers := make([]rounds.Tier, len(s.Cluster.Pools))
	for t := range s.Cluster.Pools {
		pool := &s.Cluster.Pools[t]
		if !pool.Device.Kind.Accelerator() {
			continue
		}
		tier, err := s.Slots.store(pool)
		if err != nil {
			return nil, err
		}
		tiers[t] = tier
	}
	spec.Store = func(pool int, rows, bytes float64) float64 { return tiers[pool].Seconds(rows, bytes) }
	return tiers, nil
}

// feed returns the rules by which rows get into place, with the rates of the input
// pipeline.
func (s *Scenario) feed() rounds.Spec {
	f := s.Slots.Feed
	if s.Slots.Read > 0 {
		f.Costs.Read = 1 / s.Slots.Read
	}
	f.Costs.Remote = s.Slots.Remote != nil
	return f
}

// lookupsPerSample returns the lookups of one sample in all embedding layers.
func (s *Scenario) lookupsPerSample() (n int) {
	for _, l := range sparseLayers(s.Model) {
		n += lookupsPerSample(&s.Model.Layers[l])
	}
	return n
}

// embed records the lookups of every embedding layer when there are slot tables,
// and fills in what a warm round costs them (placement.Spec.Lookups).
func (s *Scenario) embed(ctx context.Context, spec *placement.Spec) ([]sim.Embedding, error) {
	if s.Slots == nil || s.Lookups == nil {
		return nil, nil
	}
	var drawn []recorded
	for _, l := range sparseLayers(s.Model) {
		r, err := s.draw(ctx, l)
		if err != nil {
			return nil, err
		}
		drawn = append(drawn, r)
	}
	return s.reckon(ctx, spec, drawn)
}

// recorded are the lookups of a layer, renumbered to those that occur.
type recorded struct {
	trace   *lookups.Trace
	profile *lookups.Trace // drawn apart, says which rows are hot; nil: none
}

// draw records the lookups of a layer and, where something asks which rows are hot,
// as many rounds before the run: from them one can know. A trace file has no other
// lookups: there the run's own say it.
func (s *Scenario) draw(ctx context.Context, l int) (recorded, error) {
	trace, err := s.record(ctx, l, 0)
	if err != nil {
		return recorded{}, err
	}
	if !s.needsProfile() || s.Lookups.Generator == lookups.Traced {
		return recorded{trace: trace.Compact()}, nil
	}
	profile, err := s.record(ctx, l, profileStream)
	if err != nil {
		return recorded{}, err
	}
	both := lookups.CompactTogether(trace, profile)
	return recorded{both[0], both[1]}, nil
}

// profileStream sets the stream ids of profiles apart from those of layers.
const profileStream = 1 << 32

// needsProfile reports whether something asks which rows are hot before the run.
func (s *Scenario) needsProfile() bool {
	return s.Slots.Replacement == "static" || s.Slots.Feed.Replicated > 0 ||
		s.Sweep != nil && slices.Contains(s.Sweep.Replacements, "static")
}

// reckon is embed with the lookups recorded.
func (s *Scenario) reckon(ctx context.Context, spec *placement.Spec, drawn []recorded) ([]sim.Embedding, error) {
	spec.Sequential = s.Slots.Feed.Sequential
	if s.Slots.Read > 0 {
		spec.Input = float64(spec.Batch) / s.Slots.Read
	}
	unique := s.Slots.Feed.Costs.Unique * float64(spec.Batch*s.lookupsPerSample())
	if spec.Sequential {
		spec.Input += unique
	} else {
		spec.Input = max(spec.Input, unique)
	}
	out := s.embeddings(spec)
	spec.Lookups = make([]placement.LayerLookups, len(s.Model.Layers))
	for i := range out {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		em := &out[i]
		em.Trace, em.Profile = drawn[i].trace, drawn[i].profile
		em.Slots.Rows, em.Slots.Future, em.Slots.Profile = em.Trace.Rows(), em.Trace, em.Profile
		lk, err := s.warmRound(em)
		if err != nil {
			return nil, err
		}
		spec.Lookups[em.Layer] = lk
	}
	if spec.Trade != nil { // a sweep: what is exchanged does not depend on slots
		return out, nil
	}
	var err error
	spec.Trade, err = s.trades(ctx, out)
	return out, err
}

// embeddings lists the embedding layers with the shares of slots and host memory
// that each gets.
func (s *Scenario) embeddings(spec *placement.Spec) []sim.Embedding {
	layers := sparseLayers(s.Model)
	rows, out := make([]int64, len(layers)), make([]sim.Embedding, len(layers))
	for i, l := range layers {
		layer := &s.Model.Layers[l]
		rows[i] = layer.Rows()
		out[i] = sim.Embedding{
			Layer: l, Rows: rows[i], Layout: lookups.NewLayout(layer.Tables, spec.Batch), Slots: s.Slots.Table,
			RowBytes: spec.RowBytes(layer), OutBytes: placement.ValueBytes(layer), StateBytes: spec.StateBytes(layer),
			BelowSlots: s.Slots.BelowSlots, BelowHosts: s.Slots.BelowHosts,
		}
		out[i].Slots.Policy, out[i].Slots.ReadOnly = s.Slots.Replacement, spec.Inference
	}
	bytes := rowBytes(out)
	for i, n := range s.Slots.Capacity.Slots(rows, bytes) {
		out[i].Slots.Slots = n
	}
	if s.Slots.Host != nil {
		for i := range bytes { // the hosts hold the optimizer's state in any case
			bytes[i] += out[i].StateBytes
		}
		for i, n := range s.Slots.Host.Slots(rows, bytes) {
			if int64(n) < rows[i] {
				out[i].Hosted = int64(n)
			}
		}
	}
	return out
}

// record draws the lookups of all rounds of a layer from the stream of its id and
// more. They are kept sample by sample where several devices may share them, or rounds
// be split.
func (s *Scenario) record(ctx context.Context, l int, more uint64) (*lookups.Trace, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	layer := &s.Model.Layers[l]
	drawn, err := lookups.NewStream(layer.Tables, *s.Lookups, s.Problem.Batch, uint64(s.Seed), uint64(l)+more)
	if err != nil {
		return nil, fmt.Errorf("lookups of layer %q: %w", layer.Name, err)
	}
	stream := interruptible{drawn, ctx}
	record := func() (*lookups.Trace, error) { return lookups.Record(stream, s.Rounds, s.TraceKeys) }
	if s.needsRaw() {
		record = func() (*lookups.Trace, error) {
			return lookups.RecordRaw(stream, s.Rounds, s.TraceKeys, s.RawLookups)
		}
	}
	trace, err := record()
	var limit *lookups.LimitError
	if errors.As(err, &limit) {
		key := "trace_lookups"
		if limit.Limit == s.TraceKeys || s.TraceKeys == 0 && limit.Limit == lookups.DefaultTraceKeys {
			key = "trace_keys"
		}
		return nil, fmt.Errorf("lookups of layer %q: limits.%s = %d did not suffice: %w", layer.Name, key, limit.Limit, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lookups of layer %q: %w", layer.Name, err)
	}
	whole := trace.Rounds()
	if trace.Round(whole-1).Lookups < s.Problem.Batch*lookupsPerSample(layer) {
		whole-- // a trace file ended in the middle of a round
	}
	if whole < s.Rounds {
		return nil, fmt.Errorf("the lookups of layer %q end after %d whole rounds of training.rounds = %d: set lookups.wrap = true, or fewer rounds",
			layer.Name, whole, s.Rounds)
	}
	return trace, nil
}

// needsRaw reports whether rounds may be divided by samples.
func (s *Scenario) needsRaw() bool {
	if s.Slots.Table.Shortage == slots.Split {
		return true
	}
	for i := range s.Cluster.Pools {
		if p := &s.Cluster.Pools[i]; p.Device.Kind.Accelerator() && p.Count > 1 {
			return s.Slots.Feed.Exchange != rounds.NoExchange
		}
	}
	return false
}

// interruptible is a stream that ends with its context.
type interruptible struct {
	lookups.Stream
	ctx context.Context
}

func (s interruptible) Next(dst []uint32) ([]uint32, error) {
	if err := s.ctx.Err(); err != nil {
		return dst, err
	}
	return s.Stream.Next(dst)
}

// warmRound replays the lookups of a layer through one table of all slots and
// returns what a round costs when it is warm: means over the rounds after the first
// quarter. A table that cannot serve the lookups refuses the layer. With replicated rows
// there is a table for each device that can be had.
func (s *Scenario) warmRound(em *sim.Embedding) (placement.LayerLookups, error) {
	lk := placement.LayerLookups{Slots: em.Slots.Slots, Hosted: em.Hosted}
	most := s.accelerators()
	divisible, why, err := rounds.Divisible(s.feedOf(em), most)
	if err != nil {
		return lk, err
	}
	if divisible == 0 {
		lk.Refused = why.Error()
		return lk, nil
	}
	if divisible < most {
		lk.Most, lk.MostWhy = divisible, why.Error()
	}
	owners := 1
	if s.Slots.Feed.Replicated > 0 { // copies take slots: as many as all devices have
		owners = divisible
	}
	work, err := s.replay(em, owners)
	var short *slots.ShortageError
	if errors.As(err, &short) {
		lk.Refused = err.Error()
		return lk, nil
	}
	if err != nil {
		return lk, err
	}
	cold := s.coldRounds()
	n := float64(s.Rounds - cold)
	for _, w := range work[cold:] {
		lk.Unique += float64(w.Counts.Unique) / n
		s.reckonRows(&lk, &w, em, n)
	}
	return lk, nil
}

// reckonRows adds the rows that one of n rounds moves. Bytes count them, not the
// tables' counters: without uniqueness a row crosses once for each lookup, and clean
// rows leave too where the tier below has no copy.
func (s *Scenario) reckonRows(lk *placement.LayerLookups, w *rounds.Work, em *sim.Embedding, n float64) {
	in, out, dumped := w.In/float64(em.RowBytes), w.Out/float64(em.RowBytes), w.Dumped.Out/float64(em.RowBytes)
	bypasses := w.Counts.Bypasses
	if s.Slots.Feed.Scope == rounds.NoUnique {
		bypasses = w.Counts.BypassLookups
	}
	lk.Misses += in / n
	lk.Bypasses += float64(bypasses) / n
	lk.WriteBacks += (out - dumped) / n
	lk.Dumped += dumped / n
	lk.StagedUp += (w.HostUp - in) / n
	lk.StagedDown += (w.HostDown - w.Dumped.HostDown - out + dumped) / n
	lk.StagedDump += (w.Dumped.HostDown - dumped) / n
	lk.StoreReads += float64(w.StoreReads) / n
	lk.StoreWrites += float64(w.StoreWrites-w.Dumped.StoreWrites) / n
	lk.StoreDumps += float64(w.Dumped.StoreWrites) / n
}

// replay plans all rounds of a layer on the tables of some owners, without a clock, and
// without what they exchange.
func (s *Scenario) replay(em *sim.Embedding, owners int) ([]rounds.Work, error) {
	feed := s.feedOf(em)
	feed.Devices, feed.Exchange = owners, rounds.NoExchange
	return rounds.Replay(feed)
}

// feedOf is the feed of one layer on one device, without hardware.
func (s *Scenario) feedOf(em *sim.Embedding) rounds.Spec {
	feed := s.feed()
	feed.Rounds, feed.Devices, feed.Costs.PerNode = s.Rounds, 1, 1
	feed.Lookahead, feed.ReadOnly = s.Slots.Lookahead, s.Problem.Inference
	feed.Layers = []rounds.Layer{em.RoundsLayer(s.Model.Layers[em.Layer].Name, 0)}
	return feed
}

// accelerators returns the most devices that a pool of accelerators has.
func (s *Scenario) accelerators() (most int) {
	for i := range s.Cluster.Pools {
		if p := &s.Cluster.Pools[i]; p.Device.Kind.Accelerator() {
			most = max(most, p.Count)
		}
	}
	return most
}

// coldRounds is how many rounds are left out of figures of warm tables: the first
// quarter, in whole passes; none where that is all of them.
func (s *Scenario) coldRounds() int {
	pass := max(1, s.Slots.Feed.Pass)
	cold := (s.Rounds/4 + pass - 1) / pass * pass
	if cold >= s.Rounds {
		return 0
	}
	return cold
}
