package pipeline

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/network"
)

// drawPipeline draws a valid pipeline: a plain chain, or any graph; one segment on
// each stage in any order, or several; the schedules of the list, or any windows
// that do not grow.
func drawPipeline(t *rapid.T) *Pipeline {
	p := &Pipeline{
		Stages:       rapid.IntRange(1, 8).Draw(t, "stages"),
		Microbatches: rapid.IntRange(1, 20).Draw(t, "microbatches"),
		ForwardOnly:  rapid.Bool().Draw(t, "forward only"),
	}
	duration := rapid.OneOf(rapid.Just(time.Duration(0)), rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, 5).Draw(t, "few ns"))
	}), rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "ns"))
	}))
	stages := make([]int, p.Stages)
	for i := range stages {
		stages[i] = i
	}
	stages = rapid.Permutation(stages).Draw(t, "stage of segment")
	p.Schedule = rapid.SampledFrom(append(Schedules, Schedule{Name: "drawn"})).Draw(t, "schedule")
	switch {
	case p.Schedule.Staleness > 0:
		p.Schedule.Staleness = rapid.IntRange(1, 3).Draw(t, "staleness")
	case p.Schedule.Chunked && rapid.Bool().Draw(t, "in rotation"):
		for chunk := range rapid.IntRange(0, 3).Draw(t, "more chunks") * p.Stages {
			stages = append(stages, stages[chunk])
		}
	case rapid.Bool().Draw(t, "by type"):
		stages = append(stages, rapid.SliceOfN(rapid.IntRange(0, p.Stages-1), 0, 4).Draw(t, "further segments")...)
		stages = rapid.Permutation(stages).Draw(t, "stage of segment")
	}
	for _, stage := range stages {
		s := Segment{Stage: stage, Forward: duration.Draw(t, "forward"), Weight: duration.Draw(t, "weight")}
		s.Backward = s.Weight + duration.Draw(t, "backward")
		p.Segments = append(p.Segments, s)
		p.Sync = append(p.Sync, duration.Draw(t, "sync"))
	}
	p.Sync = p.Sync[:p.Stages]
	n := len(p.Segments)
	blocking := rapid.IntRange(0, 2).Draw(t, "blocking at all") == 0
	channel := func(from, to int) {
		ch := Channel{From: from, To: to, Forward: duration.Draw(t, "down"), Backward: duration.Draw(t, "up")}
		ch.Blocking = blocking && p.Schedule.Staleness == 0 && rapid.Bool().Draw(t, "blocking")
		p.Channels = append(p.Channels, ch)
	}
	switch {
	case rapid.Bool().Draw(t, "chain"):
		for to := 1; to < n; to++ {
			channel(to-1, to)
		}
	case n > 1:
		for range rapid.IntRange(0, 2*n).Draw(t, "channels") {
			to := rapid.IntRange(1, n-1).Draw(t, "to")
			channel(rapid.IntRange(0, to-1).Draw(t, "from"), to)
		}
	}
	if p.Schedule.Window == nil {
		windows := rapid.SliceOfN(rapid.IntRange(-1, 25), n, n).Draw(t, "windows")
		slices.SortFunc(windows, func(a, b int) int { return b - a })
		p.Schedule.Window = func(s, _, _ int) int { return windows[s] }
		if rapid.Bool().Draw(t, "split") {
			delays := rapid.SliceOfN(rapid.IntRange(0, p.Microbatches-1), n, n).Draw(t, "delays")
			slices.Sort(delays)
			p.Schedule.Delay = func(s, _, _ int) int { return delays[s] }
		}
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

// drawLeads has synchronisation begin before stages have ended their last passes.
func drawLeads(t *rapid.T, p *Pipeline) {
	if p.ForwardOnly || p.Schedule.Staleness > 0 || !rapid.Bool().Draw(t, "leads") {
		return
	}
	p.Lead = make([]time.Duration, p.Stages)
	for i := range p.Lead {
		p.Lead[i] = -1
	}
	for _, s := range p.Segments {
		d := s.Backward
		if p.split() {
			d = s.Weight
		}
		if at := &p.Lead[s.Stage]; *at < 0 || *at > d {
			*at = d
		}
	}
	for i := range p.Lead {
		p.Lead[i] = time.Duration(rapid.Int64Range(0, int64(p.Lead[i])).Draw(t, "lead"))
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
}

// drawUpdates has optimizers take time.
func drawUpdates(t *rapid.T, p *Pipeline) {
	if !rapid.Bool().Draw(t, "updates") {
		return
	}
	for range p.Stages {
		p.Update = append(p.Update, time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "update")))
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
}

// node is one thing that takes time in the graph of a run.
type node struct {
	round int
	what  string // a pass on segment at, "down" and "up" over channel at, "sync" and update of stage at
	at    int
	micro int
}

// twin is the meaning of a pipeline written down as a graph whose nodes end at
// the latest end of their predecessors plus their own time, evaluated from the
// end by memory and recursion. gates may be nil.
type twin struct {
	p     *Pipeline
	order [][]node // per stage: the operations of a round
	gates [][]time.Duration
	ends  map[node]time.Duration
	stall []time.Duration // per stage
}

// newTwin gives each stage its operations in order.
func newTwin(p *Pipeline, gates [][]time.Duration, rounds int) *twin {
	w := &twin{p: p, order: make([][]node, p.Stages), gates: gates, ends: map[node]time.Duration{}, stall: make([]time.Duration, p.Stages)}
	if p.Schedule.Staleness > 0 { // one long step, cut into rounds
		long := *p
		long.Microbatches *= rounds
		for s, seg := range p.Segments {
			for _, op := range segmentOrder(&long, s, min(len(p.Segments)-s, p.Schedule.Staleness*p.Microbatches+1)) {
				op.round, op.micro = op.micro/p.Microbatches, op.micro%p.Microbatches
				w.order[seg.Stage] = append(w.order[seg.Stage], op)
			}
		}
		return w
	}
	if w.interleaved() {
		return w
	}
	for s, seg := range p.Segments {
		window := max(1, p.Schedule.Window(s, len(p.Segments), p.Microbatches))
		w.order[seg.Stage] = append(w.order[seg.Stage], segmentOrder(p, s, window)...)
	}
	if len(p.Segments) == p.Stages {
		return w
	}
	// Stages that share segments take operations as they would end if each segment
	// had a stage of its own and each operation took one unit; ties go by column,
	// forward first, then towards the loss, a gradient of weights right after the
	// backward pass that it waited for, and in the end by segment.
	unit := *p
	unit.Stages = len(p.Segments)
	unit.Segments, unit.Channels = nil, nil
	for s := range p.Segments {
		g := Segment{Stage: s, Forward: 1, Backward: 1}
		if p.Schedule.Delay != nil {
			g.Backward, g.Weight = 2, 1
		}
		unit.Segments = append(unit.Segments, g)
	}
	for _, c := range p.Channels {
		unit.Channels = append(unit.Channels, Channel{From: c.From, To: c.To})
	}
	unit.Schedule.Chunked = false
	alone := newTwin(&unit, nil, 1)
	column := func(op node) (int, int, int, int) {
		late := p.windows()[op.at] - 1
		switch op.what {
		case "backward":
			return op.micro + late, 1, -op.at, 0
		case "weight":
			last := op.micro + p.Schedule.Delay(op.at, len(p.Segments), p.Microbatches)
			if last >= p.Microbatches {
				return math.MaxInt, 0, op.at, op.micro
			}
			return last + late, 1, -op.at, 1
		}
		return op.micro, 0, op.at, 0
	}
	for _, ops := range w.order {
		slices.SortFunc(ops, func(a, b node) int {
			ac, ab, as, aw := column(a)
			bc, bb, bs, bw := column(b)
			return cmp.Or(cmp.Compare(alone.end(a), alone.end(b)), cmp.Compare(ac, bc), cmp.Compare(ab, bb), cmp.Compare(as, bs), cmp.Compare(aw, bw))
		})
	}
	return w
}

// interleaved gives stages whose segments come in rotation the operations of
// Megatron-LM's schedule, as its source has them (schedules.py,
// forward_backward_pipelining_with_interleaving), and reports whether it did.
func (w *twin) interleaved() bool {
	p := w.p
	ranks := p.Stages
	chunks := len(p.Segments) / ranks
	if !p.Schedule.Chunked || chunks < 2 || len(p.Segments)%ranks != 0 {
		return false
	}
	for g := range p.Segments {
		if p.Segments[g].Stage != p.Segments[g%ranks].Stage {
			return false
		}
	}
	// The order of virtual micro-batches: groups of ranks micro-batches, chunk by chunk;
	// what is too few for a group is in the first.
	type virtual struct{ micro, chunk int }
	var table []virtual
	group := ranks + p.Microbatches%ranks
	for first := 0; first < p.Microbatches; {
		if first > 0 {
			group = ranks
		}
		group = min(group, p.Microbatches)
		for chunk := range chunks {
			for m := first; m < first+group; m++ {
				table = append(table, virtual{m, chunk})
			}
		}
		first += group
	}
	for rank := range ranks {
		order := &w.order[p.Segments[rank].Stage]
		forward := func(k int) {
			*order = append(*order, node{0, "forward", table[k].chunk*ranks + rank, table[k].micro})
		}
		backward := func(k int) {
			*order = append(*order, node{0, "backward", (chunks-1-table[k].chunk)*ranks + rank, table[k].micro})
		}
		warmup := min(len(table), (ranks-rank-1)*2+(chunks-1)*min(p.Microbatches, ranks+p.Microbatches%ranks))
		if p.ForwardOnly {
			warmup = len(table)
		}
		for k := range warmup {
			forward(k)
		}
		for k := warmup; k < len(table); k++ {
			forward(k)
			backward(k - warmup)
		}
		for k := len(table) - warmup; k < len(table) && !p.ForwardOnly; k++ {
			backward(k)
		}
	}
	return true
}

// segmentOrder is the rule of a schedule, word for word: forward passes while the
// segment may hold more micro-batches, then one backward and one forward in turn. A
// gradient of weights follows as soon as more than the delay are due, or in the end.
func segmentOrder(p *Pipeline, segment, window int) []node {
	var ops []node
	split := p.Schedule.Delay != nil
	weights := 0
	for forward, backward := 0, 0; backward < p.Microbatches; {
		switch {
		case forward < p.Microbatches && (p.ForwardOnly || forward-backward < window):
			ops = append(ops, node{0, "forward", segment, forward})
			forward++
		case p.ForwardOnly:
			return ops
		default:
			ops = append(ops, node{0, "backward", segment, backward})
			backward++
			if split && backward-weights > p.Schedule.Delay(segment, len(p.Segments), p.Microbatches) {
				ops = append(ops, node{0, "weight", segment, weights})
				weights++
			}
		}
	}
	for ; split && weights < p.Microbatches; weights++ {
		ops = append(ops, node{0, "weight", segment, weights})
	}
	return ops
}

// end returns when a node ends.
func (w *twin) end(n node) time.Duration {
	if n.round < 0 {
		return 0
	}
	if t, ok := w.ends[n]; ok {
		return t
	}
	var t time.Duration
	switch n.what {
	case "sync":
		order := w.order[n.at]
		last := order[len(order)-1]
		if w.p.Schedule.Staleness > 0 {
			last.micro = w.p.Microbatches - 1
			t = w.end(node{n.round - 1, "sync", n.at, 0})
		}
		last.round = n.round
		if lead := w.p.lead(n.at); lead > 0 {
			t = max(w.free(last), w.end(last)+w.p.Sync[n.at]-lead)
		} else {
			t = max(t, w.free(last)) + w.p.Sync[n.at]
		}
		t += w.p.update(n.at)
	case "down":
		t = max(w.sent(node{n.round, "forward", w.p.Channels[n.at].From, n.micro}, n.at), w.end(w.before(n))) + w.p.Channels[n.at].Forward
	case "up":
		t = max(w.sent(node{n.round, "backward", w.p.Channels[n.at].To, n.micro}, n.at), w.end(w.before(n))) + w.p.Channels[n.at].Backward
	default:
		t = w.operation(n)
	}
	w.ends[n] = t
	return t
}

// sent returns when a stage has ended an operation and sent what that made over those of
// its channels before one that block it.
func (w *twin) sent(op node, before int) time.Duration {
	t := w.end(op)
	for c, ch := range w.p.Channels[:before] {
		switch {
		case !ch.Blocking:
		case op.what == "forward" && ch.From == op.at:
			t = w.end(node{op.round, "down", c, op.micro})
		case op.what == "backward" && ch.To == op.at:
			t = w.end(node{op.round, "up", c, op.micro})
		}
	}
	return t
}

// free returns when a stage is free after an operation.
func (w *twin) free(op node) time.Duration { return w.sent(op, len(w.p.Channels)) }

// before returns the transfer that the channel has to finish before n.
func (w *twin) before(n node) node {
	if n.micro--; n.micro < 0 {
		n.round, n.micro = n.round-1, w.p.Microbatches-1
	}
	return n
}

// previous returns when the stage is free for an operation, and whether that is the
// first of its round.
func (w *twin) previous(n node, stage int) (t time.Duration, first bool) {
	order := w.order[stage]
	if w.p.Schedule.Staleness > 0 {
		if i := slices.Index(order, n); i > 0 {
			t = w.free(order[i-1])
		}
		return t, n.what == "forward" && n.micro == 0
	}
	i := slices.Index(order, node{0, n.what, n.at, n.micro})
	if i == 0 {
		return w.end(node{n.round - 1, "sync", stage, 0}), true
	}
	last := order[i-1]
	last.round = n.round
	return w.free(last), false
}

// operation returns when a pass ends.
func (w *twin) operation(n node) time.Duration {
	seg := w.p.Segments[n.at]
	t, first := w.previous(n, seg.Stage)
	var arrived time.Duration
	for c, ch := range w.p.Channels {
		var took time.Duration
		switch {
		case n.what == "forward" && ch.To == n.at:
			arrived, took = max(arrived, w.end(node{n.round, "down", c, n.micro})), ch.Forward
		case n.what == "backward" && ch.From == n.at:
			arrived, took = max(arrived, w.end(node{n.round, "up", c, n.micro})), ch.Backward
		}
		if ch.Blocking {
			t += took
		}
	}
	t = max(t, arrived)
	if first && w.p.Schedule.Staleness > 0 {
		t = max(t, w.end(node{n.round - 1 - w.p.Schedule.Staleness, "sync", seg.Stage, 0}))
	}
	if first && w.gates != nil {
		gate := w.gates[seg.Stage][n.round]
		w.stall[seg.Stage] += max(0, gate-t)
		t = max(t, gate)
	}
	switch {
	case n.what == "forward":
		return t + seg.Forward
	case n.what == "weight":
		return t + seg.Weight
	case w.p.Schedule.Delay != nil:
		return t + seg.Backward - seg.Weight
	}
	return t + seg.Backward
}

// rounds returns the end of every round.
func (w *twin) rounds(count int) []time.Duration {
	ends := make([]time.Duration, count)
	for r := range ends {
		for stage := range w.p.Stages {
			ends[r] = max(ends[r], w.end(node{r, "sync", stage, 0}))
		}
	}
	return ends
}

// drawGates draws when the rows of every stage and round are in place, or nil.
func drawGates(t *rapid.T, stages, rounds int) [][]time.Duration {
	if !rapid.Bool().Draw(t, "gated") {
		return nil
	}
	gates := make([][]time.Duration, stages)
	for i := range gates {
		for range rounds {
			gates[i] = append(gates[i], time.Duration(rapid.Int64Range(0, 1e7).Draw(t, "ready")))
		}
		slices.Sort(gates[i])
	}
	return gates
}

// The recurrence, the events and the graph agree to the nanosecond in every
// round, and no time is lost.
func TestThreeTwins(t *testing.T) {
	kinds := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		drawLeads(t, p)
		drawUpdates(t, p)
		rounds := rapid.IntRange(1, 4).Draw(t, "rounds")
		var gates [][]time.Duration
		if !p.blocks() {
			gates = drawGates(t, p.Stages, rounds)
		}
		graph := newTwin(p, gates, rounds)
		want := graph.rounds(rounds)
		if got := recurrence(p, rounds, gates); !slices.Equal(got, want) {
			t.Fatalf("%s: the recurrence ends rounds at %v, the graph at %v", kind(p), got, want)
		}
		got, usage := events(t, p, rounds, gates, nil)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: the events end rounds at %v, the graph at %v", kind(p), got, want)
		}
		checkUsage(t, p, rounds, usage, got[rounds-1])
		for i, u := range usage {
			if u.Stall != graph.stall[i] {
				t.Fatalf("stage %d stalled for %v, in the graph for %v", i, u.Stall, graph.stall[i])
			}
		}
		kinds[kind(p)]++
	})
	for _, k := range []string{"chain", "columns", "split", "flow", "turns", "by units"} {
		if kinds[k] == 0 && !testing.Short() { // in short runs rapid draws too few
			t.Errorf("no pipeline was drawn that takes the path %q", k)
		}
	}
}

// kind names the path that the recurrence takes.
func kind(p *Pipeline) string {
	_, rotates := p.Schedule.rotation(p.stageOf())
	switch r := NewRecurrence(p); {
	case r.flow != nil:
		return "flow"
	case r.chain != nil:
		return "chain"
	case rotates:
		return "turns"
	case r.order != nil:
		return "by units"
	case r.d != nil:
		return "split"
	}
	return "columns"
}

// checkUsage checks that the stages did what there was to do, and within the time.
func checkUsage(t *rapid.T, p *Pipeline, rounds int, usage []Usage, elapsed time.Duration) {
	busy := make([]time.Duration, p.Stages)
	for _, s := range p.Segments {
		d := s.Forward
		if !p.ForwardOnly {
			d += s.Backward
		}
		busy[s.Stage] += time.Duration(p.Microbatches*rounds) * d
	}
	for i, u := range usage {
		if p.Schedule.Staleness > 0 { // what it waited for synchronisation, if it did
			if most := time.Duration(rounds) * (p.Sync[i] + p.update(i)); u.Busy != busy[i] || u.Sync > most {
				t.Fatalf("stage %d was busy for %v and waited %v, want %v and at most %v", i, u.Busy, u.Sync, busy[i], most)
			}
		} else if p.blocks() && p.lead(i) > 0 { // sending hides it, too
			if least, most := p.update(i), p.Sync[i]-p.lead(i)+p.update(i); u.Busy != busy[i] || u.Sync < time.Duration(rounds)*least || u.Sync > time.Duration(rounds)*max(least, most) {
				t.Fatalf("stage %d was busy for %v and synchronised for %v, want %v and %v to %v in each round", i, u.Busy, u.Sync, busy[i], least, most)
			}
		} else if seen := max(0, p.Sync[i]-p.lead(i)) + p.update(i); u.Busy != busy[i] || u.Sync != time.Duration(rounds)*seen {
			t.Fatalf("stage %d was busy for %v and synchronised for %v, want %v and %v", i, u.Busy, u.Sync, busy[i], time.Duration(rounds)*seen)
		}
		if u.Busy+u.Sync+u.Stall > elapsed {
			t.Fatalf("stage %d spent %v + %v + %v in %v", i, u.Busy, u.Sync, u.Stall, elapsed)
		}
	}
}

// A reset recurrence starts anew.
func TestReset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		r := NewRecurrence(p)
		first := []time.Duration{r.Step(), r.Step(), r.Step()}
		r.Free(0, time.Hour)
		r.Reset()
		if again := []time.Duration{r.Step(), r.Step(), r.Step()}; !slices.Equal(first, again) {
			t.Fatalf("%s: rounds end at %v, after a reset at %v", kind(p), first, again)
		}
	})
}

// load is what a lane of a drawn network moves.
type load struct {
	bytes   float64
	latency time.Duration
}

// drawLoads draws what each lane moves, and over which of the links.
func drawLoads(t *rapid.T, lanes, links int) (loads []load, on []int) {
	for range lanes {
		loads = append(loads, load{
			float64(rapid.IntRange(0, 1e6).Draw(t, "bytes")),
			time.Duration(rapid.IntRange(0, 1000).Draw(t, "latency")),
		})
		on = append(on, rapid.IntRange(0, links-1).Draw(t, "link"))
	}
	return loads, on
}

// overNetwork makes the hook that moves each lane's load over its link.
func overNetwork(loads []load, on []int, rates []unit.Rate) func(e *engine.Engine) func(int, bool, func()) {
	return func(e *engine.Engine) func(int, bool, func()) {
		net := network.New(e)
		var links []network.LinkID
		for i, rate := range rates {
			links = append(links, net.Link(fmt.Sprint("link ", i), rate))
		}
		return func(c int, backward bool, done func()) {
			lane := 2 * c
			if backward {
				lane++
			}
			net.Transfer(links[on[lane]:on[lane]+1], loads[lane].bytes, loads[lane].latency, done)
		}
	}
}

// timeChannels gives the channels of p the times of the lanes on links of their own.
func timeChannels(t *rapid.T, p *Pipeline, loads []load, on []int, rates []unit.Rate) {
	alone := func(lane int) time.Duration {
		d, err := unit.Seconds(loads[lane].bytes / float64(rates[on[lane]]))
		if err != nil {
			t.Fatal(err)
		}
		return loads[lane].latency + d
	}
	for c := range p.Channels {
		p.Channels[c].Forward, p.Channels[c].Backward = alone(2*c), alone(2*c+1)
	}
}

var linkRates = []unit.Rate{1e9, 3e9, 7e8, 12.5e9}

// Over a network in which every lane has a link of its own, the events agree
// with the recurrence to the nanosecond.
func TestPrivateLinksAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		lanes := 2 * len(p.Channels)
		loads, on := drawLoads(t, lanes, 1)
		var rates []unit.Rate
		for i := range lanes {
			on[i] = i
			rates = append(rates, rapid.SampledFrom(linkRates).Draw(t, "rate"))
		}
		timeChannels(t, p, loads, on, rates)
		want := recurrence(p, 2, nil)
		if got, _ := events(t, p, 2, nil, overNetwork(loads, on, rates)); !slices.Equal(got, want) {
			t.Fatalf("over private links rounds end at %v, the recurrence says %v", got, want)
		}
	})
}

// Lanes that share links are never faster than the recurrence. Each transfer
// may be half a nanosecond off for rounding.
func TestContentionIsNeverFaster(t *testing.T) {
	slower := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		lanes := 2 * len(p.Channels)
		loads, on := drawLoads(t, lanes, 2)
		timeChannels(t, p, loads, on, linkRates)
		want := recurrence(p, 2, nil)
		got, _ := events(t, p, 2, nil, overNetwork(loads, on, linkRates))
		for r := range want {
			if got[r] < want[r]-time.Duration(lanes*p.Microbatches) {
				t.Fatalf("with contention round %d ends at %v, without at %v", r, got[r], want[r])
			}
		}
		if got[1] > want[1]+time.Duration(lanes*p.Microbatches) {
			slower++
		}
	})
	if slower == 0 {
		t.Error("no drawn pipeline had any contention")
	}
}
