package scenarios

import (
	"fmt"
	"slices"
	"time"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/sim/rounds"
	"stowage/sim/slots"
)

// MaxLookahead bounds slots.lookahead, slots.queue, slots.pass and slots.ways.
const MaxLookahead = 1 << 16

// Slots says how the embedding layers' rows get into slots.
type Slots struct {
	Capacity    Amount
	Replacement string
	Lookahead   int
	Table       slots.Config // ways, shortage rule, dirty bit; the rest is each layer's
	Feed        rounds.Spec  // rules and rates; the rest is the plan's
	Read        float64      // samples/s of the input pipeline; 0: it keeps up

	// Host is how much of the rows host memory holds, as a cache of what is below:
	// SSD, or Remote servers; nil: all rows.
	Host                   *Amount
	BelowSlots, BelowHosts rounds.Rule
	SSD                    *ssdFile
	Remote                 *remoteFile
}

func (b *builder) slots() {
	f := b.f.Slots
	at := func(key string) spec.Path { return spec.Path{"slots", key} }
	if !b.doc.Has(at("capacity")) {
		b.missing(at("capacity"), `a share of the rows ("5 %"), memory ("2 GiB") or a number of slots`)
	}
	if c := b.sc.Cluster; c != nil && !slices.ContainsFunc(c.Pools, func(p hw.Pool) bool { return p.Device.Kind.Accelerator() }) {
		b.fail(spec.Path{"slots"}, "no pool of the cluster has accelerators: slot tables are for their memory")
		return
	}
	if f.Replacement == "" {
		f.Replacement = "lru"
	}
	b.oneOf(at("replacement"), f.Replacement, replacementNames())
	for _, v := range []struct {
		key   string
		value int
		unit  string
	}{{"lookahead", f.Lookahead, "rounds"}, {"queue", f.Queue, "rounds"}, {"pass", f.Pass, "rounds"}, {"ways", f.Ways, "slots"}, {"window", f.Window, "rounds"}} {
		if v.value < 0 || v.value > MaxLookahead {
			b.fail(at(v.key), "%d: from 0 to MaxLookahead = %d %s", v.value, MaxLookahead, v.unit)
			return
		}
	}
	s := &Slots{Capacity: f.Capacity, Replacement: f.Replacement, Lookahead: f.Lookahead, Read: f.Read}
	b.sc.Slots = s
	b.sc.Problem.Lookahead = f.Lookahead
	b.rules(s)
	b.tiers(s)
}

// rules reads how rows are shared, released and written back.
func (b *builder) rules(s *Slots) {
	f := b.f.Slots
	s.Table = slots.Config{Ways: f.Ways, Window: f.Window, NoDirtyBit: f.DirtyBit != nil && !*f.DirtyBit}
	s.Table.Shortage = choose(b, "shortage", f.Shortage, slots.ShortageRules())
	s.Feed = rounds.Spec{
		Sequential: f.Overlap != nil && !*f.Overlap, Queue: f.Queue, Pass: f.Pass, Rebuild: f.Rebuild, Lookahead: f.Lookahead,
		Scope:     choose(b, "scope", f.Scope, rounds.Scopes()),
		Release:   choose(b, "release", f.Release, rounds.Releases()),
		WriteBack: choose(b, "write_back", f.WriteBack, rounds.WriteBacks()),
	}
	b.sc.Problem.HostState = choose(b, "state", f.State, []string{"slot", "host"}) == "host"
	if f.Read < 0 {
		b.fail(spec.Path{"slots", "read"}, "%v: samples/s, at least 0", f.Read)
	}
	if f.Unique > 0 {
		s.Feed.Costs.Unique = 1 / float64(f.Unique)
	}
	s.Feed.Exchange = choose(b, "exchange", f.Exchange, rounds.Collectives())
	s.Feed.Replicated, s.Feed.ReadOnly = float64(f.Replicated), b.sc.Problem.Inference
	s.Feed.Costs.Wiring = choose(b, "wiring", f.Wiring, rounds.Wirings())
	if s.Feed.Costs.Wiring == rounds.CubeMesh {
		b.cubeMesh()
	}
	s.Table.Policy = f.Replacement
	if b.sc.Problem.HostState && (b.sc.Problem.Inference || b.sc.Problem.Optimizer.States() == 0) {
		b.fail(spec.Path{"slots", "state"}, "there is no optimizer state to keep on the host: leave it out, or take another optimizer")
	}
	for _, check := range []func(slots.Config) (string, error){s.Feed.CheckRules, s.Feed.CheckEffect} {
		if key, err := check(s.Table); err != nil {
			b.fail(spec.Path{"slots", key}, "%v", err)
			return
		}
	}
}

// cubeMesh complains about nodes that cannot be wired so.
func (b *builder) cubeMesh() {
	if b.sc.Cluster == nil {
		return
	}
	for i := range b.sc.Cluster.Pools {
		if p := &b.sc.Cluster.Pools[i]; p.Device.Kind.Accelerator() && p.Node.Devices != 8 {
			b.fail(spec.Path{"slots", "wiring"}, "a cube mesh connects 8 devices; the nodes of pool %q have %d", p.Name, p.Node.Devices)
		}
	}
}

// choose reads one of a few words; empty means the first that the package takes by
// default.
func choose[T ~string](b *builder, key, value string, known []T) T {
	if value == "" {
		return ""
	}
	var names []string
	for _, k := range known {
		names = append(names, string(k))
	}
	b.oneOf(spec.Path{"slots", key}, value, names)
	return T(value)
}

// tiers reads what lies below the slots.
func (b *builder) tiers(s *Slots) {
	f := b.f.Slots
	at := func(keys ...any) spec.Path { return append(spec.Path{"slots"}, keys...) }
	below := ""
	switch {
	case f.SSD != nil && f.Remote != nil:
		b.fail(at("remote"), "slots.ssd is there as well: host memory caches one of them")
		return
	case f.SSD != nil && f.SSD.Batch < 0:
		b.fail(at("ssd", "batch"), "%d: rows of a read, from 1 on", f.SSD.Batch)
		return
	case f.Remote != nil && f.Remote.Batch < 0:
		b.fail(at("remote", "batch"), "%d: rows of a request, from 1 on", f.Remote.Batch)
		return
	case f.SSD != nil:
		below, s.SSD = "ssd", f.SSD
		s.BelowHosts = rule(b, at("ssd", "rule"), f.SSD.Rule)
	case f.Remote != nil:
		below, s.Remote = "remote", f.Remote
		s.BelowHosts = rule(b, at("remote", "rule"), f.Remote.Rule)
		if f.Remote.Servers < 1 || f.Remote.Servers > MaxLookahead {
			b.fail(at("remote", "servers"), "%d: from 1 to %d parameter servers", f.Remote.Servers, MaxLookahead)
		}
	}
	if f.Host != nil {
		s.BelowSlots = rule(b, at("host", "rule"), f.Host.Rule)
	}
	hosted := f.Host != nil && b.doc.Has(at("host", "capacity"))
	switch {
	case hosted && below == "":
		b.fail(at("host", "capacity"), "host memory for some of the rows needs a tier that holds the others: add slots.ssd or slots.remote")
	case !hosted && below != "":
		b.missing(at("host", "capacity"), `how much of the rows host memory holds, as a cache of slots.`+below+`: "20 %", "64 GiB"`)
	case hosted:
		s.Host = &f.Host.Capacity
	}
}

func rule(b *builder, at spec.Path, value string) rounds.Rule {
	if value != "" {
		b.oneOf(at, value, []string{string(rounds.Inclusive), string(rounds.Exclusive)})
	}
	return rounds.Rule(value)
}

// DefaultGet is the latency of one batched read from flash where a scenario gives
// none: the 0.1 ms of a data-centre NVMe drive under load (estimate).
const DefaultGet = 100 * time.Microsecond

// DefaultRequest is how many rows a parameter server is asked for at a time where a
// scenario gives no figure.
const DefaultRequest = 4096

// store returns the tier below host memory as one node of a pool uses it.
func (s *Slots) store(pool *hw.Pool) (rounds.Tier, error) {
	if s.Remote != nil {
		return s.servers(pool), nil
	}
	ssd := pool.Node.SSD
	if s.SSD.Bandwidth > 0 {
		ssd.Bandwidth = s.SSD.Bandwidth
	}
	if s.SSD.IOPS > 0 {
		ssd.IOPS = s.SSD.IOPS
	}
	if ssd.Bandwidth == 0 || ssd.IOPS == 0 {
		return rounds.Tier{}, fmt.Errorf("the nodes of pool %q have no SSD: give slots.ssd.bandwidth and slots.ssd.iops", pool.Name)
	}
	tier := rounds.SSDTier(ssd, 0, DefaultGet)
	if s.SSD.Latency != nil {
		tier.Latency = time.Duration(*s.SSD.Latency)
	}
	if s.SSD.Batch > 0 {
		tier.Batch = s.SSD.Batch
	}
	return tier, tier.Validate()
}

func (s *Slots) servers(pool *hw.Pool) rounds.Tier {
	g, port, batch := pool.Host.Gather, pool.Node.NIC, DefaultRequest
	if s.Remote.Rows > 0 {
		g.Rows = s.Remote.Rows
	}
	if s.Remote.Bandwidth > 0 {
		g.Bandwidth = s.Remote.Bandwidth
	}
	if s.Remote.Latency != nil {
		port.Latency = time.Duration(*s.Remote.Latency)
	}
	if s.Remote.Batch > 0 {
		batch = s.Remote.Batch
	}
	return rounds.ServerTier(s.Remote.Servers, g, port, batch)
}
