package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"stowage/sim"
	"stowage/sim/placement"
)

// thinNetwork is a problem of which the links decide what a scheme is worth.
type thinNetwork struct {
	name, model, pools, network, training, placement string
	beside                                           string // another job's model and what follows the cluster; "": none
}

func poolText(name, device, node string, count int, more string) string {
	return fmt.Sprintf("[[cluster.pool]]\nname = %q\ndevice = %q\nnode = %q\ncount = %d\n%s\n", name, device, node, count, more)
}

func leavesText(perLeaf, spines int, over float64) string {
	return fmt.Sprintf("topology = \"leaf-spine\"\nnodes_per_leaf = %d\nspines = %d\noversubscription = %.1f\n", perLeaf, spines, over)
}

// cablesText lists cables, each as from, to and GB/s.
func cablesText(cables ...string) string {
	s := "topology = \"links\"\n"
	for _, c := range cables {
		f := strings.Fields(c)
		s += fmt.Sprintf("[[cluster.network.link]]\nfrom = %q\nto = %q\nbandwidth = \"%s GB/s\"\n", f[0], f[1], f[2])
	}
	return s
}

func trainingText(batch, microbatches, rounds int, more string) string {
	return fmt.Sprintf("[training]\nbatch = %d\nmicrobatches = %d\nrounds = %d\nprecision = \"bf16\"\noptimizer = \"adam\"\n%s\n", batch, microbatches, rounds, more)
}

const (
	gpt, bert, vgg = "gpt-3-1.3b", "bert-large", "vgg-16"
	eth            = "nic = \"eth-100\""
)

var (
	gptTraining  = trainingText(128, 16, 6, "")
	bertTraining = trainingText(512, 16, 6, "")
	twins        = poolText("left", "a100-80", "dgx-a100-80", 16, eth) + poolText("right", "a100-80", "dgx-a100-80", 16, eth)
	mixed        = poolText("a", "a100-80", "dgx-a100-80", 16, eth) + poolText("v", "v100-32", "dgx1-v100-32", 16, "")
	three        = poolText("near", "a100-80", "dgx-a100-80", 8, eth) + poolText("far", "a100-80", "dgx-a100-80", 8, eth) + poolText("old", "v100-32", "dgx1-v100-32", 8, "")
	workstations = poolText("w", "rtx-3090", "ws-3090", 16, "") + poolText("v", "v100-32", "dgx1-v100-32", 8, "")
	splitHalves  = "scheme = [" + strings.Repeat(`"left", `, 14) + strings.Repeat(`"right", `, 14) + "]\ndevices = [8, 8]\n"
)

var thinNetworks = []thinNetwork{
	{"leaf-spine 1:8, data parallel across it", bert, twins, leavesText(1, 1, 8), bertTraining, "", ""},
	{"two pools behind a thin cable", gpt, twins, cablesText("left:0 s 11", "left:1 s 11", "right:0 t 11", "right:1 t 11", "s t 0.5"), gptTraining, "", ""},
	{"data parallel over a thin cable", vgg, twins, cablesText("left:0 right:0 11", "left:1 right:1 11", "left:0 left:1 0.6"), trainingText(1024, 8, 6, ""), "", ""},
	{"beside a fixed job", gpt, twins, leavesText(2, 1, 4), gptTraining, "", bert + "\n" + trainingText(512, 16, 40, "") + "[placement]\npolicy = \"fixed\"\n" + splitHalves},
	{"leaf-spine 1:4, two leaves", gpt, mixed, leavesText(2, 1, 4), gptTraining, "", ""},
	{"leaf-spine 1:8, hierarchical", bert, mixed, leavesText(1, 2, 8), trainingText(512, 16, 6, "collective = \"hierarchical\""), "", ""},
	{"fat tree 1:4", gpt, three, "topology = \"fat-tree\"\noversubscription = 4.0\n", gptTraining, "", ""},
	{"links, one of them thin", bert, three, cablesText("near:0 s 11", "old:0 s 5", "far:0 t 11", "s t 1"), bertTraining, "", ""},
	{"rails and PCIe switches", bert, workstations, "topology = \"rail\"\nrails = 2\nnodes_per_leaf = 1\noversubscription = 4.0\n", bertTraining, "", ""},
	{"half duplex", "resnet-50", mixed, "topology = \"switch\"\nduplex = \"half\"\n", trainingText(2048, 8, 6, ""), "", ""},
	{"parameter servers", vgg, twins, leavesText(1, 1, 8), trainingText(1024, 8, 6, "sync = \"ps\""), "", ""},
	{"beside a searched job", bert, twins, leavesText(1, 1, 8), bertTraining, "", gpt + "\n" + trainingText(128, 16, 8, "") + "[placement]\npolicy = \"exact\"\nmax_price = \"30 USD/h\"\n"},
	{"by type", bert, three, leavesText(1, 1, 8), bertTraining, "merge = \"by-type\"\n", ""},
}

// load writes the problem as scenarios and loads it.
func (n *thinNetwork) load(t testing.TB) *Scenario {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cluster := n.pools + "[cluster.network]\n" + n.network
	text := fmt.Sprintf("[model]\nuse = %q\n%s%s[placement]\npolicy = \"genetic\"\n%s", n.model, cluster, n.training, n.placement)
	if model, rest, ok := strings.Cut(n.beside, "\n"); ok {
		write("other.toml", fmt.Sprintf("[model]\nuse = %q\n%s%s", model, cluster, rest))
		text += "[[job]]\nscenario = \"other.toml\"\n"
	}
	s, err := Load(write("x.toml", text))
	if err != nil {
		t.Fatalf("%s: %v", n.name, err)
	}
	return s
}

// shippedNetwork is a shipped scenario with a fixed scheme, which is searched instead, in
// fewer rounds and without trouble.
func shippedNetwork(t testing.TB, path string) *Scenario {
	t.Helper()
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Policy, _ = placement.LookupPolicy("genetic")
	s.Search.Scheme, s.Search.Devices, s.Trouble = nil, nil, nil
	s.Rounds = 6
	for _, other := range s.Jobs {
		other.Rounds = 20
	}
	return s
}

// rig simulates schemes of a problem, each once.
type rig struct {
	t    testing.TB
	s    *Scenario
	set  *prepared
	ev   *placement.Evaluator
	seen map[string]float64
	most float64 // the best
}

func newRig(t testing.TB, s *Scenario) *rig {
	t.Helper()
	set, err := s.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, s: s, set: set, ev: placement.NewEvaluator(set.problem), seen: map[string]float64{}}
}

// throughput simulates a plan: samples/s over all rounds; 0: it is infeasible.
func (g *rig) throughput(pl *placement.Plan) float64 {
	g.t.Helper()
	if pl == nil || !pl.Fitness.Feasible {
		return 0
	}
	key := fmt.Sprint(pl.Scheme, devicesOf(pl))
	if v, ok := g.seen[key]; ok {
		return v
	}
	run, err := g.set.train(g.t.Context(), g.s.job(g.set, pl))
	if err != nil {
		g.t.Fatal(err)
	}
	v := float64(len(run.Rounds)) * float64(g.set.problem.Batch) / run.End.Seconds()
	g.seen[key], g.most = v, max(g.most, v)
	return v
}

func devicesOf(pl *placement.Plan) (k []int) {
	for i := range pl.Stages {
		k = append(k, pl.Stages[i].Devices)
	}
	return k
}

// search is the plan that the scenario's policy finds, blind to the network or not.
func (g *rig) search(fidelity placement.Fidelity, blind bool) *placement.Plan {
	g.t.Helper()
	spec := g.set.problem.Spec
	spec.Unrouted = blind
	p, err := placement.NewProblem(spec)
	if err != nil {
		g.t.Fatal(err)
	}
	out, err := g.s.Policy.Search(g.t.Context(), p, placement.Options{Fidelity: fidelity, Seed: 1})
	if err != nil {
		g.t.Fatal(err)
	}
	return out.Plan
}

// improved is the plan that eight finalists of a search by closed form are improved to.
func (g *rig) improved(simulations int) *placement.Plan {
	g.t.Helper()
	s := *g.s
	s.Improve = simulations
	opt := s.Search
	opt.Keep, opt.Seed = 8, 1
	out, err := s.Policy.Search(g.t.Context(), g.set.problem, opt)
	if err != nil {
		g.t.Fatal(err)
	}
	chosen, err := s.decide(g.t.Context(), g.set, out, func(ctx context.Context, plan *placement.Plan) (*sim.Run, error) {
		return g.set.train(ctx, s.job(g.set, plan))
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return chosen.plan
}

// drawn is a scheme of at most 5 runs of layers.
func drawn(r *rand.Rand, p *placement.Problem) placement.Scheme {
	cuts := []int{0, p.Layers()}
	for range r.IntN(5) {
		cuts = append(cuts, r.IntN(p.Layers()))
	}
	slices.Sort(cuts)
	sc := make(placement.Scheme, p.Layers())
	for i, from := range cuts[:len(cuts)-1] {
		pool := uint8(r.IntN(p.Pools()))
		for l := from; l < cuts[i+1]; l++ {
			sc[l] = pool
		}
	}
	return sc
}

// climb simulates some random schemes, and then random changes of the best few: of their
// layers, and of their devices. It knows nothing but the simulation.
func (g *rig) climb(simulations int, starts ...*placement.Plan) {
	r, p := rand.New(rand.NewPCG(5, 6)), g.set.problem
	type candidate struct {
		pl    *placement.Plan
		value float64
	}
	var best []candidate
	for range simulations / 4 {
		starts = append(starts, g.ev.Plan(drawn(r, p)))
	}
	for _, pl := range starts {
		best = append(best, candidate{pl, g.throughput(pl)})
	}
	slices.SortStableFunc(best, func(a, b candidate) int { return int(1e9 * (b.value/g.most - a.value/g.most)) })
	best = best[:min(len(best), 6)]
	for tries := 0; len(g.seen) < simulations && tries < 20*simulations; tries++ {
		at := &best[r.IntN(len(best))]
		pl := g.changed(r, at.pl)
		if v := g.throughput(pl); v > at.value {
			*at = candidate{pl, v}
		}
	}
}

// changed is a plan with a few layers elsewhere, or with other devices; nil: with more
// than there are.
func (g *rig) changed(r *rand.Rand, pl *placement.Plan) *placement.Plan {
	sc, p := slices.Clone(pl.Scheme), g.set.problem
	if k := devicesOf(pl); r.IntN(2) == 0 && len(k) > 0 {
		for range 1 + r.IntN(2) {
			k[r.IntN(len(k))] = 1 + r.IntN(16)
		}
		other, _ := g.ev.PlanDevices(sc, k) // no multiple of what a replica has: no plan
		return other
	}
	from := r.IntN(len(sc))
	to, pool := from+1+r.IntN(len(sc)-from), uint8(r.IntN(p.Pools()))
	if near := sc[max(0, from-1)]; r.IntN(2) == 0 {
		to, pool = min(to, from+3), near // a boundary moves
	}
	for l := from; l < to; l++ {
		sc[l] = pool
	}
	return g.ev.Plan(sc)
}

// agreement draws schemes and returns Kendall's tau between each fidelity and the
// simulation, and the median of how many times as much it promises.
func (g *rig) agreement(schemes int) (tau [2]float64, promise [2]float64) {
	r := rand.New(rand.NewPCG(7, 8))
	l := &sim.Levels{}
	var ratio [2][]float64
	for tries := 0; len(l.Finalists) < schemes && tries < 20*schemes; tries++ {
		pl := g.ev.Plan(drawn(r, g.set.problem))
		if !pl.Fitness.Feasible {
			continue
		}
		rec, err := g.set.problem.RecurrenceOf(pl)
		if err != nil {
			g.t.Fatal(err)
		}
		v := g.throughput(pl)
		ratio[0], ratio[1] = append(ratio[0], pl.Fitness.Throughput/v), append(ratio[1], rec.Throughput/v)
		l.Finalists = append(l.Finalists, sim.Finalist{
			ClosedForm: &sim.Level{Fitness: pl.Fitness.Throughput}, Recurrence: &sim.Level{Fitness: rec.Throughput}, Simulated: &sim.Level{Fitness: v},
		})
	}
	l.Rank()
	for _, a := range l.Agreement {
		if a.B == "simulated" {
			tau[map[string]int{"closed-form": 0, "recurrence": 1}[a.A]] = a.Tau
		}
	}
	for i := range ratio {
		slices.Sort(ratio[i])
		promise[i] = ratio[i][len(ratio[i])/2]
	}
	return tau, promise
}

// TestSearchesSeeTheNetwork: what the finalists of a search are improved to is within 3 %
// of the best simulated scheme that any method here finds, on networks where a search that
// takes them for a switch finds a fraction of it. -long has all networks and looks longer.
func TestSearchesSeeTheNetwork(t *testing.T) {
	networks, simulations, names := thinNetworks[:2], 60, []string{"shared.toml"}
	if *long {
		networks, simulations, names = thinNetworks, 2000, []string{"shared.toml", "trouble.toml"}
	} else if testing.Short() {
		networks, names = networks[:1], nil
	}
	problems := map[string]func() *Scenario{}
	for _, path := range names {
		problems[path] = func() *Scenario { return shippedNetwork(t, path) }
	}
	for _, n := range networks {
		names = append(names, n.name)
		problems[n.name] = func() *Scenario { return n.load(t) }
	}
	worst := 1.0
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, problems[name]())
			var found []*placement.Plan
			var reached []float64
			for _, blind := range []bool{true, false} {
				for _, f := range []placement.Fidelity{placement.ClosedForm, placement.Recurrence} {
					pl := g.search(f, blind)
					found = append(found, g.ev.Plan(pl.Scheme), pl)
					reached = append(reached, g.throughput(pl))
				}
			}
			improved := g.improved(64)
			g.climb(simulations, append(found, improved)...)
			best := g.most
			t.Logf("best %.5g; of it blind searches by closed form and recurrence %.3f %.3f, those that see routes %.3f %.3f, improved %.3f",
				best, reached[0]/best, reached[1]/best, reached[2]/best, reached[3]/best, g.throughput(improved)/best)
			if got := g.throughput(improved); got < 0.97*best {
				t.Errorf("finalists of the closed form are improved to %g samples/s, there is a scheme of %g", got, best)
			}
			worst = min(worst, reached[0]/best)
			if *long {
				tau, promise := g.agreement(100)
				t.Logf("Kendall's tau with the simulation %.2f and %.2f; promised %.3f and %.3f times as much", tau[0], tau[1], promise[0], promise[1])
			}
		})
	}
	if worst > 0.5 {
		t.Errorf("a search that is blind to the network finds %.2f of the best at least: these networks show nothing", worst)
	}
}

// TestFinalistsAreImproved: on a network whose finalists by closed form are not the best,
// local search by simulation finds a better scheme within its simulations, the same on one
// processor and on many, and says so; the result is that of its run.
func TestFinalistsAreImproved(t *testing.T) {
	result := func(keys string) *sim.Result {
		n := thinNetworks[3]
		n.beside, n.placement = "", "evaluations = 300\n"+keys
		return run(t, n.load(t))
	}
	plain, improved := result("finalists = 4\n"), result("finalists = 4\nimprove = 24\n")
	was, is := metric(t, plain, "warm_throughput"), metric(t, improved, "warm_throughput")
	l := improved.Levels
	at := l.Target()
	if is <= was || l.Simulations < 1 || l.Simulations > 24 || !l.Finalists[at].Improved || l.Searched() != 4 || at != 4 {
		t.Errorf("%d finalists reach %v, improved in %d simulations %v; the target is number %d: %+v", l.Searched(), was, l.Simulations, is, at, l.Finalists[at])
	}
	if v := l.Finalists[at].Simulated.Value; v != is {
		t.Errorf("the target is simulated at %v in the search, at %v in the result", v, is)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := result("finalists = 4\nimprove = 24\n"); jsonOf(t, unresolved(again)) != jsonOf(t, unresolved(improved)) {
		t.Error("on one processor it is improved to something else")
	}
}
