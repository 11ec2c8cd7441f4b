package scenarios

import (
	"fmt"
	"strings"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/sim/placement"
)

// MaxEvaluations bounds placement.evaluations.
const MaxEvaluations = 1 << 30

func (b *builder) placement() {
	f, p, o := &b.f.Placement, &b.sc.Problem, &b.sc.Search
	at := func(key string) spec.Path { return spec.Path{"placement", key} }
	b.oneOf(at("policy"), f.Policy, placement.PolicyNames())
	b.sc.Policy, _ = placement.LookupPolicy(f.Policy)
	b.oneOf(at("fitness"), f.Fitness, []string{string(placement.ClosedForm), string(placement.Recurrence)})
	b.oneOf(at("merge"), f.Merge, placement.Merges())
	b.oneOf(at("communication"), f.Communication, placement.Communications())
	if f.Communication == string(placement.Added) && f.Fitness == string(placement.Recurrence) {
		b.fail(at("communication"), `"added" goes with fitness = %q only: %s`, placement.ClosedForm, placement.OnlyClosedForm)
	}
	b.oneOf(at("objective"), f.Objective, []string{string(placement.Throughput), string(placement.Cost), string(placement.Time)})
	p.Merge, p.Objective = placement.Merge(f.Merge), placement.Objective(f.Objective)
	p.Communication = placement.Communication(f.Communication)
	b.servers()
	b.routes()
	if f.MinThroughput < 0 {
		b.fail(at("min_throughput"), "%v: samples/s, at least 0", f.MinThroughput)
	}
	if f.MaxCost < 0 {
		b.fail(at("max_cost"), "%v: USD per million samples, at least 0", f.MaxCost)
	}
	p.MinThroughput, p.MaxCost = f.MinThroughput, f.MaxCost
	if f.MaxPrice != nil {
		p.MaxPrice = float64(*f.MaxPrice)
	}
	if b.doc.Has(at("evaluations")) && f.Evaluations < 1 || f.Evaluations > MaxEvaluations {
		b.fail(at("evaluations"), "%d: from 1 to MaxEvaluations = %d", f.Evaluations, MaxEvaluations)
	}
	*o = placement.Options{Seed: b.sc.Seed, Fidelity: placement.Fidelity(f.Fitness), Budget: placement.Budget{Evaluations: f.Evaluations}, Knobs: b.knobs()}
	if f.Finalists < 0 || f.Finalists > MaxFinalists {
		b.fail(at("finalists"), "%d: from 0 to MaxFinalists = %d schemes", f.Finalists, MaxFinalists)
	}
	o.Keep = f.Finalists
	switch {
	case f.Improve < 0 || f.Improve > MaxImprove:
		b.fail(at("improve"), "%d: from 0 to MaxImprove = %d simulations", f.Improve, MaxImprove)
	case f.Improve > 0 && f.Finalists == 0:
		b.fail(at("improve"), "there is nothing to improve: say how many finalists, e.g. finalists = 8")
	}
	b.sc.Improve = f.Improve
	b.fixed()
}

// routes reads whether searches see the cluster's network.
func (b *builder) routes() {
	if b.f.Placement.Routes == nil {
		return
	}
	at := spec.Path{"placement", "routes"}
	switch {
	case b.sc.Cluster != nil && b.sc.Cluster.Network.Topology == hw.OwnPorts:
		b.fail(at, "there is no [cluster.network] whose links transfers could share")
	case b.f.Placement.Communication == string(placement.Added) && *b.f.Placement.Routes:
		b.fail(at, `communication = "added" is a model of host links alone: leave one of them out`)
	}
	b.sc.Problem.Unrouted = !*b.f.Placement.Routes
}

// servers reads the pool whose devices are the parameter servers.
func (b *builder) servers() {
	name, at := b.f.Placement.Servers, spec.Path{"placement", "servers"}
	if !b.doc.Has(at) {
		return
	}
	if t := &b.f.Training; t.Sync != string(placement.Server) || t.Inference {
		b.fail(at, `parameter servers need training with sync = %q`, placement.Server)
		return
	}
	if b.sc.Cluster != nil {
		b.sc.Problem.Servers = 1 + b.poolNamed(at, name)
	}
}

// knobs checks the sections [placement.genetic] and so on, whichever the policy
// is: another one may be asked for on the command line.
func (b *builder) knobs() placement.Knobs {
	k := b.f.Placement.Knobs
	for _, c := range k.Check() {
		key, message, _ := strings.Cut(c.Err.Error(), " = ")
		b.fail(spec.Path{"placement", c.Section, key}, "%s", message)
	}
	return k
}

// fixed reads the scheme of the placement policy `fixed`: a pool for every
// layer, and devices for every stage if wanted.
func (b *builder) fixed() {
	f := &b.f.Placement
	at := func(path ...any) spec.Path { return append(spec.Path{"placement"}, path...) }
	if f.Policy != "fixed" {
		for _, key := range []string{"scheme", "devices"} {
			if b.doc.Has(at(key)) {
				b.fail(at(key), `it goes with policy = "fixed" only`)
			}
		}
		return
	}
	for i, k := range f.Devices {
		if k < 1 || k > MaxDevices {
			b.fail(at("devices", i), "%d: from 1 to MaxDevices = %d devices", k, MaxDevices)
		}
	}
	b.sc.Search.Devices = f.Devices
	if b.sc.Model == nil || b.sc.Cluster == nil {
		return
	}
	if len(f.Scheme) == 0 {
		b.missing(at("scheme"), fmt.Sprintf("a pool for each of the %d layers of %s", len(b.sc.Model.Layers), b.sc.Model.Name))
		return
	}
	if len(f.Scheme) != len(b.sc.Model.Layers) {
		b.fail(at("scheme"), "%d pools for the %d layers of %s", len(f.Scheme), len(b.sc.Model.Layers), b.sc.Model.Name)
		return
	}
	var names []string
	index := map[string]int{}
	for i := range b.sc.Cluster.Pools {
		names = append(names, b.sc.Cluster.Pools[i].Name)
		index[names[i]] = i
	}
	for l, name := range f.Scheme {
		t, ok := index[name]
		if !ok {
			b.fail(at("scheme", l), "unknown pool %q%s", name, accepted(name, names))
			continue
		}
		b.sc.Search.Scheme = append(b.sc.Search.Scheme, uint8(t))
	}
}
