package rounds

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Scope says among which lookups duplicates are dropped before rows move.
type Scope string

// The scopes of uniqueness.
const (
	// NoUnique moves a row once for each lookup, also of the same round (Paddle's
	// CUDA pull_sparse).
	NoUnique Scope = "none"
	// PerDevice makes each device's share of the batch unique: a row that several
	// devices look up is asked of its owner by each.
	PerDevice Scope = "device"
	// PerBatch makes the global batch unique, before it is divided among the owners.
	PerBatch Scope = "batch"
	// PerPass makes all rounds of a pass unique at once (Paddle GPUPS, HugeCTR's
	// embedding training cache).
	PerPass Scope = "pass"
)

// Scopes lists the scopes in the order of help.
func Scopes() []Scope { return []Scope{NoUnique, PerDevice, PerBatch, PerPass} }

// Release says when the rows of a round need no pins any more.
type Release string

// The release points.
const (
	AfterUpdate    Release = "after-update"
	BeforeBackward Release = "before-backward" // FBGEMM's lock counters
)

// Releases lists the release points in the order of help.
func Releases() []Release { return []Release{AfterUpdate, BeforeBackward} }

// WriteBack says when updated rows return to the memory below.
type WriteBack string

// The write-back rules.
const (
	OnEvict   WriteBack = "on-evict"    // when they leave their slots
	Eager     WriteBack = "eager"       // after each round's update
	EndOfPass WriteBack = "end-of-pass" // when they leave, and all of them after each pass
)

// WriteBacks lists the rules in the order of help.
func WriteBacks() []WriteBack { return []WriteBack{OnEvict, Eager, EndOfPass} }

// Spec describes how the embedding rows of one group of accelerators get into
// place. It is plain data and never changes.
type Spec struct {
	Name   string // for error messages, e.g. "stage 1"
	Layers []Layer
	Rounds int
	Batch  int // samples of a round, for Costs.Read

	// Devices own the rows together: key mod Devices, each with its share of the
	// slots.
	Devices int

	// Lookahead is how many rounds (passes) may be planned and fetched beyond the
	// one that computes.
	Lookahead int

	// Sequential turns overlap off: a round is not even read before the one before
	// it has ended. Lookahead must be 0.
	Sequential bool

	// Queue bounds the rounds between two of the phases read, unique and plan; 0: 2.
	Queue int

	Scope     Scope     // "": PerDevice
	Release   Release   // "": AfterUpdate
	WriteBack WriteBack // "": OnEvict

	// Pass is the number of rounds whose rows are planned, fetched and pinned
	// together; 0: 1, every round for itself. Beyond 1 the scope is PerPass.
	Pass int

	// Rebuild empties the tables after each pass, once its rows are written back,
	// and fills them anew for the next: nothing is reused between passes. Lookahead
	// must be 0. The samples of the next pass are read and made unique while this one
	// computes, and the dump, the pull and the index of the next follow one another
	// (Paddle GPUPS, ps_gpu_wrapper.cc), so that a pass takes
	//
	//	max(read + unique of the next, computing) + dump + index + fill of the next
	Rebuild bool

	Exchange Collective // among the devices; "": AllToAll
	Crossing bool       // Hooks.Exchange moves what an all-to-all sends between nodes

	// Replicated is the share of each layer's rows, those with the most lookups,
	// that every device holds for good in slots of its own; the others have one
	// owner each (UGache).
	Replicated float64

	// ReadOnly: inference. No gradients, no updates, nothing is written back.
	ReadOnly bool

	Costs Costs
}

// Layer is an embedding layer behind slot tables.
type Layer struct {
	Name  string
	Trace *lookups.Trace // at least Rounds rounds
	Rows  int64          // of the layer; a compact trace has fewer

	// Profile is a trace of the same keys that says which rows are hot, for
	// Spec.Replicated and the replacement policy static; nil: the trace itself.
	Profile *lookups.Trace

	// Layout of the trace's raw lookups, where it has them: what each device looks
	// up, and for splitting rounds.
	Layout lookups.Layout

	// Slots is the table of all devices together; each gets its share of the
	// slots. Rows and Future are the trace's.
	Slots slots.Config

	// RowBytes is what a slot holds and a fill moves; OutBytes is what a device gets
	// of a row that another owns (the row's value, without optimizer state), and
	// sends back as its gradient.
	RowBytes, OutBytes unit.Bytes

	// Hosted is how many rows of the layer the hosts hold, all together, as a cache
	// over the store; 0: all rows, and the store is not used. BelowSlots and
	// BelowHosts say whether a row that moves up leaves the tier below.
	Hosted                 int64
	BelowSlots, BelowHosts Rule

	// StateBytes of optimizer state stay on the host for each row: an update reads
	// and writes them there. 0 when the state is in the slot.
	StateBytes unit.Bytes
}

// Costs are the rates of what a group of devices uses. Zero rates cost nothing.
type Costs struct {
	Read   float64 // seconds to read a sample, all that belongs to it
	Unique float64 // seconds per lookup of the layers to make them unique

	Index   unit.RowRate // keys/s that one device's index finds or places
	Host    hw.Gather    // of one host socket
	Sockets float64      // host sockets per node that serve the group
	PerNode int          // devices of the group per node, at least 1
	Link    hw.Link      // one device <-> its host

	Store  Tier // below the hosts' memory, as one node uses it
	Remote bool // it is parameter servers, not flash: for the cause of stalls

	// Local is the seconds in which a device reads the rows of a round out of its own
	// memory, one for each lookup. It is part of computing; reads of bypassed rows in
	// host memory go on beside it (Feed.Ahead).
	Local float64

	Peer   hw.Link // one device <-> the others of its node, over all its links
	Wiring Wiring  // of these links; "": Switched
	NIC    hw.Link // one node <-> the others
}

// free makes what has no rate take no time.
func (c *Costs) free() {
	c.Host.Rows = orDefault(c.Host.Rows, unit.RowRate(math.Inf(1)))
	for _, rate := range []*unit.Rate{&c.Host.Bandwidth, &c.Peer.Bandwidth, &c.NIC.Bandwidth} {
		*rate = orDefault(*rate, unit.Rate(math.Inf(1)))
	}
}

// complete checks the spec and puts defaults where it says nothing.
func (s *Spec) complete() error {
	if s.Pass > 1 {
		s.Scope = orDefault(s.Scope, PerPass)
	}
	s.Scope = orDefault(s.Scope, PerDevice)
	s.Exchange = orDefault(s.Exchange, AllToAll)
	s.Release = orDefault(s.Release, AfterUpdate)
	s.WriteBack = orDefault(s.WriteBack, OnEvict)
	s.Queue = orDefault(s.Queue, 2)
	s.Pass = orDefault(s.Pass, 1)
	s.Costs.free()
	switch {
	case s.Rounds < 1:
		return fmt.Errorf("rounds = %d: at least 1", s.Rounds)
	case s.Devices < 1 || s.Costs.PerNode < 1:
		return fmt.Errorf("devices = %d, %d per node: at least 1", s.Devices, s.Costs.PerNode)
	case len(s.Layers) == 0:
		return fmt.Errorf("no embedding layers")
	}
	if err := s.checkWords(); err != nil {
		return err
	}
	return s.checkLayers()
}

// checkWords checks the rules that are words.
func (s *Spec) checkWords() error {
	if err := oneOf("scope", s.Scope, Scopes()); err != nil {
		return err
	}
	if err := oneOf("release", s.Release, Releases()); err != nil {
		return err
	}
	if err := oneOf("exchange", s.Exchange, Collectives()); err != nil {
		return err
	}
	return oneOf("write-back", s.WriteBack, WriteBacks())
}

// CheckRules returns which rules do not go together, with each other or with the
// tables', and the key of the one to change: lookahead, pass, …
func (s *Spec) CheckRules(table slots.Config) (key string, err error) {
	switch {
	case s.Lookahead < 0:
		return "lookahead", fmt.Errorf("lookahead = %d: at least 0", s.Lookahead)
	case s.Queue < 0:
		return "queue", fmt.Errorf("queue = %d: at least 1", s.Queue)
	case !(s.Replicated >= 0 && s.Replicated < 1):
		return "replicated", fmt.Errorf("replicated = %v: want a share of the rows from 0 to below 1", s.Replicated)
	case s.Pass < 0:
		return "pass", fmt.Errorf("pass = %d: at least 1 round", s.Pass)
	case s.Scope == PerPass && s.Pass < 2:
		return "pass", fmt.Errorf("pass = %d: the scope %s wants the rounds of a pass, at least 2", s.Pass, PerPass)
	case s.Pass > 1 && s.Scope != "" && s.Scope != PerPass:
		return "scope", fmt.Errorf("the rows of a pass of %d rounds are made unique together: want the scope %s, not %s", s.Pass, PerPass, s.Scope)
	case s.Sequential && s.Lookahead > 0:
		return "lookahead", fmt.Errorf("lookahead = %d: without overlap nothing is done ahead: want 0", s.Lookahead)
	case s.dumps() && s.Lookahead > 0:
		return "lookahead", fmt.Errorf("lookahead = %d: a table that is written back as a whole after each pass cannot be filled ahead: want 0", s.Lookahead)
	case table.Shortage == slots.Fail && s.Lookahead > 0:
		return "lookahead", fmt.Errorf("lookahead = %d: the shortage rule %s protects one round only: want 0", s.Lookahead, slots.Fail)
	case table.Shortage == slots.Bypass && s.Pass > 1:
		return "shortage", fmt.Errorf("the shortage rule %s serves single rounds, not passes: take another one, e.g. %s", slots.Bypass, slots.Split)
	case table.Shortage == slots.Split && table.Ways != 0:
		return "shortage", fmt.Errorf("the shortage rule %s knows slots, not sets: take ways = 0, or the rule %s", slots.Split, slots.Bypass)
	case table.Ways > 0 && table.Policy != "" && !slices.Contains(slots.SetPolicies(), table.Policy):
		return "replacement", fmt.Errorf("%s has no form with sets of ways: want one of %s, or ways = 0", table.Policy, strings.Join(slots.SetPolicies(), ", "))
	case table.Shortage == slots.Split && (table.Policy == "min" || table.Policy == "lookahead"):
		return "replacement", fmt.Errorf("%s knows the future of whole rounds: the shortage rule %s does not go with it", table.Policy, slots.Split)
	}
	return "", nil
}

// CheckEffect returns which rule would have no effect, and its key. Rules that are not
// given are empty here, so it is asked before they get their defaults.
func (s *Spec) CheckEffect(table slots.Config) (key string, err error) {
	switch {
	case s.Sequential && s.Queue > 0:
		return "queue", fmt.Errorf("queue = %d: without overlap nothing waits in a queue: leave it out", s.Queue)
	case s.Scope == NoUnique && s.Costs.Unique > 0:
		return "unique", fmt.Errorf("nothing is made unique with the scope %s: leave it out", NoUnique)
	case s.ReadOnly && s.WriteBack != "":
		return "write_back", fmt.Errorf("in inference nothing is written back: leave it out")
	case s.ReadOnly && s.Release != "":
		return "release", fmt.Errorf("in inference there is no backward pass and no update: leave it out")
	case s.ReadOnly && table.NoDirtyBit:
		return "dirty_bit", fmt.Errorf("in inference no row becomes dirty: leave it out")
	case s.Rebuild && s.WriteBack == EndOfPass:
		return "write_back", fmt.Errorf("tables that are rebuilt are written back at the end of a pass in any case: leave it out")
	case s.dumps() && s.Release == BeforeBackward:
		return "release", fmt.Errorf("a table that is written back as a whole keeps its rows until then: leave it out")
	}
	return "", nil
}

// checkLayers checks what each layer brings.
func (s *Spec) checkLayers() error {
	for i := range s.Layers {
		l := &s.Layers[i]
		if l.Trace.Rounds() < s.Rounds {
			return fmt.Errorf("the lookups of layer %q end after %d of %d rounds", l.Name, l.Trace.Rounds(), s.Rounds)
		}
		if _, err := s.CheckRules(l.Slots); err != nil {
			return err
		}
		if s.Devices > 1 && s.Exchange != NoExchange && l.Trace.Raw(0) == nil {
			return fmt.Errorf("layer %q: what %d devices exchange wants the lookups of every sample (lookups.RecordRaw)", l.Name, s.Devices)
		}
		if l.Slots.Shortage == slots.Split {
			if err := l.splittable(); err != nil {
				return err
			}
		}
		if l.Hosted < 0 {
			return fmt.Errorf("layer %q: %d rows in host memory: at least 0", l.Name, l.Hosted)
		}
	}
	return nil
}

// splittable says why a layer's rounds cannot be split, if they cannot.
func (l *Layer) splittable() error {
	switch {
	case l.Slots.Policy == "min" || l.Slots.Policy == "lookahead":
		return fmt.Errorf("layer %q: the replacement policy %s knows the future of whole rounds: the shortage rule %s does not go with it", l.Name, l.Slots.Policy, slots.Split)
	case l.Trace.Raw(0) == nil:
		return fmt.Errorf("layer %q: the shortage rule %s wants the lookups of every sample (lookups.RecordRaw)", l.Name, slots.Split)
	}
	return nil
}

// dumps reports whether the tables are written back as a whole after each unit.
func (s *Spec) dumps() bool { return s.Rebuild || s.WriteBack == EndOfPass }

// releasesEarly reports whether rows are released before the backward pass. A table
// that is written back as a whole keeps them until then.
func (s *Spec) releasesEarly() bool { return s.Release == BeforeBackward && !s.dumps() }

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func oneOf[T ~string](what string, v T, known []T) error {
	if slices.Contains(known, v) {
		return nil
	}
	var names []string
	for _, k := range known {
		names = append(names, string(k))
	}
	return fmt.Errorf("unknown %s %q: want one of %s", what, string(v), strings.Join(names, ", "))
}
