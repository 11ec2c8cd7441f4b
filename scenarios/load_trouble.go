package scenarios

import (
	"fmt"
	"slices"
	"time"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/sim"
	"stowage/sim/network"
)

// Limits of sections trouble and recovery.
const (
	MaxTroubles  = 1 << 12
	MaxSlowdown  = 1000 // factor of a straggler
	MinBandwidth = 1e-6 // share of its bandwidth that a weak link keeps
	MaxNoise     = 10
	MaxMTBFHours = 1e9
	MaxSpares    = 1 << 20
)

// troubleFile is an entry [[trouble]]: something that goes wrong in the simulated run.
type troubleFile struct {
	Kind string `toml:"kind"` // straggler: slow devices; link: one with less bandwidth; loss: of a device

	Pool   string `toml:"pool"`   // the devices of this pool, or the ports of its nodes
	Device int    `toml:"device"` // of the pool: this one alone, from 0
	Node   string `toml:"node"`   // "pool:i": the devices of this node, or its port
	Stage  int    `toml:"stage"`  // the devices of this stage of the target scheme, from 1
	Link   string `toml:"link"`   // link, of a network: "leaf 0 -> spine 0", or "leaf 0 -- spine 0" for both directions

	Factor     float64        `toml:"factor"`      // straggler: how many times as long things take; link: what is left of the bandwidth
	Noise      unit.Ratio     `toml:"noise"`       // straggler: standard deviation of a random multiple, drawn for each operation on each device
	From       *unit.Duration `toml:"from"`        // simulated time; default: the beginning
	Until      *unit.Duration `toml:"until"`       // simulated time; default: the end
	FromRound  int            `toml:"from_round"`  // straggler: first round that is slow
	UntilRound int            `toml:"until_round"` // straggler: first round that is not slow any more

	At        *unit.Duration `toml:"at"`         // loss: simulated time
	MTBFHours float64        `toml:"mtbf_hours"` // loss: mean time between failures of each device, in hours
}

// checkpointFile is section [checkpoint]: when what was learned is saved, and what that takes.
type checkpointFile struct {
	Every      *unit.Duration `toml:"every"`      // from the end of a checkpoint to the next one, which waits for the end of a round
	Rounds     int            `toml:"rounds"`     // rounds between two checkpoints
	Time       *unit.Duration `toml:"time"`       // that one takes
	Bandwidth  unit.Rate      `toml:"bandwidth"`  // of the storage: weights and optimizer state of one replica are written with it
	Background bool           `toml:"background"` // rounds go on while a checkpoint is written
	Pause      *unit.Duration `toml:"pause"`      // background: rounds wait so long for the copy that is written
}

// recoveryFile is section [recovery]: how a job goes on that has lost a device.
type recoveryFile struct {
	Mode        string         `toml:"mode"`        // wait (default): for all devices, to begin from the last checkpoint; shrink: go on with the replicas that are left, which share the batch
	Detect      *unit.Duration `toml:"detect"`      // until a loss is noticed
	Reconfigure *unit.Duration `toml:"reconfigure"` // shrink: until replicas go on without others, or with them again
	Restart     *unit.Duration `toml:"restart"`     // from having all devices to the first operation, from a checkpoint
	Repair      *unit.Duration `toml:"repair"`      // until a lost device is back
	Spares      int            `toml:"spares"`      // devices that stand in for lost ones at once
}

// Trouble is what goes wrong in the run of a scenario.
type Trouble struct {
	sim.Trouble           // without seed
	Storage     unit.Rate // of checkpoints; 0: their time is given
}

// troubleKeys are the keys of each kind, besides kind.
var troubleKeys = map[string][]string{
	"straggler": {"pool", "device", "node", "stage", "factor", "noise", "from", "until", "from_round", "until_round"},
	"link":      {"pool", "node", "link", "factor", "from", "until"},
	"loss":      {"pool", "device", "node", "stage", "at", "mtbf_hours"},
}

// trouble reads the sections trouble, checkpoint and recovery.
func (b *builder) trouble() {
	f := b.f
	if len(f.Trouble) == 0 && f.Checkpoint == nil && f.Recovery == nil {
		return
	}
	if len(f.Trouble) > MaxTroubles {
		b.fail(spec.Path{"trouble", MaxTroubles}, "%d entries: at most MaxTroubles = %d", len(f.Trouble), MaxTroubles)
		return
	}
	t := &Trouble{}
	for i := range f.Trouble {
		b.oneTrouble(t, i)
	}
	b.checkpoint(t)
	b.recovery(t)
	b.sc.Trouble = t
}

// oneTrouble reads an entry [[trouble]].
func (b *builder) oneTrouble(t *Trouble, i int) {
	f := &b.f.Trouble[i]
	at := func(key string) spec.Path { return spec.Path{"trouble", i, key} }
	kinds := []string{"straggler", "link", "loss"}
	if f.Kind == "" {
		b.missing(at("kind"), "what goes wrong: straggler, link or loss")
		return
	}
	if !b.oneOf(at("kind"), f.Kind, kinds) {
		return
	}
	before := len(b.errs)
	for _, key := range []string{"pool", "device", "node", "stage", "link", "factor", "noise", "from", "until", "from_round", "until_round", "at", "mtbf_hours"} {
		if b.doc.Has(at(key)) && !slices.Contains(troubleKeys[f.Kind], key) {
			b.fail(at(key), "kind = %q has no %s", f.Kind, key)
		}
	}
	if len(b.errs) > before {
		return
	}
	switch f.Kind {
	case "straggler":
		t.Stragglers = append(t.Stragglers, b.straggler(f, at))
	case "link":
		t.Links = append(t.Links, b.weakLink(f, at))
	case "loss":
		t.Losses = append(t.Losses, b.loss(f, at))
	}
}

func (b *builder) straggler(f *troubleFile, at func(string) spec.Path) sim.Straggler {
	s := sim.Straggler{Devices: b.devicesOf(f, at), Factor: 1, Noise: float64(f.Noise), FromRound: f.FromRound, UntilRound: f.UntilRound}
	if b.doc.Has(at("factor")) {
		s.Factor = f.Factor
		if !(f.Factor >= 1 && f.Factor <= MaxSlowdown) {
			b.fail(at("factor"), "%v: from 1 to MaxSlowdown = %d; 1.5 for devices on which things take 1.5 times as long", f.Factor, MaxSlowdown)
		}
	}
	if !b.doc.Has(at("factor")) && !b.doc.Has(at("noise")) {
		b.missing(at("factor"), "how many times as long things take, e.g. 1.5 (or noise)")
	}
	if !(f.Noise >= 0 && f.Noise <= MaxNoise) {
		b.fail(at("noise"), `"%v": from 0 to %d %%`, f.Noise, 100*MaxNoise)
	}
	s.From, s.Until = b.span(f, at)
	if f.FromRound < 0 {
		b.fail(at("from_round"), "%d: a round, from 0 on", f.FromRound)
	}
	if b.doc.Has(at("until_round")) && f.UntilRound <= f.FromRound {
		b.fail(at("until_round"), "%d: a round after from_round = %d", f.UntilRound, f.FromRound)
	}
	return s
}

// span reads the keys from and until.
func (b *builder) span(f *troubleFile, at func(string) spec.Path) (from, until time.Duration) {
	if f.From != nil {
		from = time.Duration(*f.From)
	}
	if f.Until != nil {
		if until = time.Duration(*f.Until); until <= from {
			b.fail(at("until"), "%q: a time after from = %q", f.Until.String(), unit.Duration(from).String())
		}
	}
	return from, until
}

// devicesOf reads which devices an entry is about.
func (b *builder) devicesOf(f *troubleFile, at func(string) spec.Path) sim.Devices {
	d := sim.Devices{Stage: -1}
	if b.sc.Cluster == nil || !b.target(at, "pool", "node", "stage") {
		return d
	}
	switch {
	case b.doc.Has(at("stage")):
		if f.Stage < 1 {
			b.fail(at("stage"), "%d: a stage of the target scheme, from 1 on", f.Stage)
		}
		d.Stage = f.Stage - 1
	case b.doc.Has(at("node")):
		pool, node := b.nodeOf(f, at)
		per := b.sc.Cluster.Pools[pool].Node.Devices
		d.Pool, d.From, d.To = pool, node*per, (node+1)*per
	default:
		d.Pool = b.poolOf(f, at)
		d.To = b.sc.Cluster.Pools[d.Pool].Count
		if b.doc.Has(at("device")) {
			if f.Device < 0 || f.Device >= d.To {
				b.fail(at("device"), "%d: pool %q has devices 0 to %d", f.Device, f.Pool, d.To-1)
			}
			d.From, d.To = f.Device, f.Device+1
		}
	}
	return d
}

// target checks that an entry says once what it is about, and device with pool only.
func (b *builder) target(at func(string) spec.Path, keys ...string) bool {
	before, first := len(b.errs), ""
	for _, key := range keys {
		switch {
		case !b.doc.Has(at(key)):
		case first != "":
			b.fail(at(key), "the entry is about its %s already: say %s", first, oneOfWords(keys))
		default:
			first = key
		}
	}
	if first == "" {
		b.missing(at(keys[0]), "what it is about: "+oneOfWords(keys))
	}
	if b.doc.Has(at("device")) && first != "pool" && first != "" {
		b.fail(at("device"), "a device is one of a pool, and the entry is about its %s", first)
	}
	return len(b.errs) == before
}

func oneOfWords(keys []string) string {
	text := "one of "
	for i, k := range keys {
		if i > 0 {
			text += ", "
		}
		text += k
	}
	return text
}

func (b *builder) poolOf(f *troubleFile, at func(string) spec.Path) int {
	var names []string
	for i := range b.sc.Cluster.Pools {
		names = append(names, b.sc.Cluster.Pools[i].Name)
	}
	if !b.oneOf(at("pool"), f.Pool, names) {
		return 0
	}
	return slices.Index(names, f.Pool)
}

func (b *builder) nodeOf(f *troubleFile, at func(string) spec.Path) (pool, node int) {
	pool, node, ok := b.sc.Cluster.NodeName(f.Node)
	switch {
	case !ok:
		b.fail(at("node"), `%q: a node is named by its pool and number, as "%s:0"`, f.Node, b.sc.Cluster.Pools[0].Name)
		return 0, 0
	case b.sc.Cluster.Pools[pool].Inside != "":
		b.fail(at("node"), "%q: the devices of this pool are inside the nodes of %q", f.Node, b.sc.Cluster.Pools[pool].Inside)
	case node < 0 || node >= b.sc.Cluster.Pools[pool].Nodes():
		b.fail(at("node"), "%q: pool %q has nodes 0 to %d", f.Node, b.sc.Cluster.Pools[pool].Name, b.sc.Cluster.Pools[pool].Nodes()-1)
	}
	return pool, max(0, node)
}

func (b *builder) weakLink(f *troubleFile, at func(string) spec.Path) sim.WeakLink {
	l := sim.WeakLink{Name: f.Link, Node: -1, Factor: f.Factor}
	if !b.doc.Has(at("factor")) {
		b.missing(at("factor"), "what is left of the bandwidth, e.g. 0.25")
	} else if !(f.Factor >= MinBandwidth && f.Factor <= 1) {
		b.fail(at("factor"), "%v: from MinBandwidth = %g to 1; 0.25 for a quarter of the bandwidth", f.Factor, MinBandwidth)
	}
	l.From, l.Until = b.span(f, at)
	if b.sc.Cluster == nil || !b.target(at, "link", "node", "pool") {
		return l
	}
	switch {
	case b.doc.Has(at("link")):
		b.linkName(f, at)
	case b.doc.Has(at("node")):
		l.Pool, l.Node = b.nodeOf(f, at)
	default:
		l.Pool = b.poolOf(f, at)
		if inside := b.sc.Cluster.Pools[l.Pool].Inside; inside != "" {
			b.fail(at("pool"), "%q: its devices are inside the nodes of %q, which have the ports", f.Pool, inside)
		}
	}
	return l
}

// linkName checks that the cluster's network has a link of that name.
func (b *builder) linkName(f *troubleFile, at func(string) spec.Path) {
	if b.sc.Cluster.Network.Topology == hw.OwnPorts {
		b.fail(at("link"), "%q: links have names in a [cluster.network]; without one say node or pool for the ports of nodes", f.Link)
		return
	}
	if len(b.graph.Named(f.Link)) > 0 {
		return
	}
	var names []string
	for i := range b.graph.Links() {
		names = append(names, b.graph.LinkName(network.LinkID(i)))
	}
	hint := fmt.Sprintf("; links are named like %q", names[len(names)-1])
	if near := unit.Nearest(f.Link, names); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	b.fail(at("link"), "the network has no link %q%s", f.Link, hint)
}

func (b *builder) loss(f *troubleFile, at func(string) spec.Path) sim.Loss {
	l := sim.Loss{Devices: b.devicesOf(f, at)}
	switch {
	case f.At != nil && b.doc.Has(at("mtbf_hours")):
		b.fail(at("mtbf_hours"), "a loss is at a time, or by chance with mtbf_hours")
	case f.At != nil:
		l.At = time.Duration(*f.At)
	case !b.doc.Has(at("mtbf_hours")):
		b.missing(at("at"), `when the device is lost, e.g. "2 min" (or mtbf_hours = 50000.0)`)
	case !(f.MTBFHours > 0 && f.MTBFHours <= MaxMTBFHours):
		b.fail(at("mtbf_hours"), "%v: above 0 and at most MaxMTBFHours = %g", f.MTBFHours, float64(MaxMTBFHours))
	}
	l.MTBF = f.MTBFHours * 3600
	return l
}

// checkpoint reads section [checkpoint].
func (b *builder) checkpoint(t *Trouble) {
	f := b.f.Checkpoint
	if f == nil {
		return
	}
	at := func(key string) spec.Path { return spec.Path{"checkpoint", key} }
	c := &sim.Checkpoint{Every: duration(f.Every), Rounds: f.Rounds, Write: duration(f.Time), Background: f.Background, Pause: duration(f.Pause)}
	switch {
	case f.Every != nil && b.doc.Has(at("rounds")):
		b.fail(at("rounds"), "checkpoints come every so often, or after so many rounds: give every or rounds")
	case f.Every != nil && *f.Every == 0:
		b.fail(at("every"), "0: a time above 0; rounds = 1 for a checkpoint after each round")
	case f.Every == nil && !b.doc.Has(at("rounds")):
		b.missing(at("every"), `time between two checkpoints, e.g. "10 min" (or rounds = 100)`)
	case f.Every == nil && f.Rounds < 1:
		b.fail(at("rounds"), "%d: at least 1", f.Rounds)
	}
	switch {
	case f.Time != nil && b.doc.Has(at("bandwidth")):
		b.fail(at("bandwidth"), "what a checkpoint takes is given by time, or by bandwidth")
	case f.Time == nil && !b.doc.Has(at("bandwidth")):
		b.missing(at("time"), `what a checkpoint takes, e.g. "20 s" (or bandwidth = "2 GB/s")`)
	case f.Time == nil && !(f.Bandwidth >= unit.Rate(1)):
		b.fail(at("bandwidth"), "%v: at least 1 B/s", f.Bandwidth)
	}
	if f.Pause != nil && !f.Background {
		b.fail(at("pause"), "rounds wait for the whole checkpoint unless background = true")
	}
	t.Checkpoint, t.Storage = c, f.Bandwidth
}

// recovery reads section [recovery].
func (b *builder) recovery(t *Trouble) {
	f := b.f.Recovery
	if f == nil {
		return
	}
	if !slices.ContainsFunc(b.f.Trouble, func(f troubleFile) bool { return f.Kind == "loss" }) {
		b.fail(spec.Path{"recovery"}, `nothing is lost: it goes with a [[trouble]] of kind = "loss"`)
	}
	if f.Spares < 0 || f.Spares > MaxSpares {
		b.fail(spec.Path{"recovery", "spares"}, "%d: from 0 to MaxSpares = %d devices", f.Spares, MaxSpares)
	}
	at := func(key string) spec.Path { return spec.Path{"recovery", key} }
	if f.Mode != "" {
		b.oneOf(at("mode"), f.Mode, sim.RecoveryModes())
	}
	if f.Reconfigure != nil && f.Mode == "" { // who says mode = "wait" compares the two
		b.fail(at("reconfigure"), `a job that waits for its devices begins anew, which takes restart: it goes with mode = %q`, sim.Shrink)
	}
	t.Recovery = sim.Recovery{
		Mode: sim.RecoveryMode(f.Mode), Detect: duration(f.Detect), Reconfigure: duration(f.Reconfigure),
		Restart: duration(f.Restart), Repair: duration(f.Repair), Spares: f.Spares,
	}
}

// duration is a time that may be left out.
func duration(d *unit.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}
