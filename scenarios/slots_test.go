package scenarios

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"stowage/sim"
)

// slotted is the small scenario on its GPUs with lines added to section slots.
func slotted(lines string, pairs ...string) string {
	return onGPU(append([]string{"lookahead = 1\n", lines + "\n"}, pairs...)...)
}

// Every rule that does not go with another, and every wrong value, is said where it
// stands.
func TestSlotErrors(t *testing.T) {
	for _, c := range []struct{ name, lines, want string }{
		{"unknown scope", `scope = "batches"`, `slots.scope: unknown value "batches"; did you mean "batch"?`},
		{"pass without rounds", `scope = "pass"`, `slots.pass: pass = 0: the scope pass wants the rounds of a pass`},
		{"pass with another scope", "pass = 4\nscope = \"device\"", `slots.scope: the rows of a pass of 4 rounds are made unique together`},
		{"ahead without overlap", "overlap = false\nlookahead = 1", `slots.lookahead: lookahead = 1: without overlap`},
		{"ahead of a dump", "write_back = \"end-of-pass\"\nlookahead = 1", `slots.lookahead: lookahead = 1: a table that is written back as a whole`},
		{"fail protects one round", "shortage = \"fail\"\nlookahead = 2", `slots.lookahead: lookahead = 2: the shortage rule fail protects one round only`},
		{"bypass of passes", "shortage = \"bypass\"\npass = 3", `slots.shortage: the shortage rule bypass serves single rounds`},
		{"split of sets", "shortage = \"split\"\nways = 32", `slots.shortage: the shortage rule split knows slots, not sets`},
		{"unknown release", `release = "backward"`, `slots.release: unknown value "backward"`},
		{"unknown write-back", `write_back = "lazy"`, `slots.write_back: unknown value "lazy"`},
		{"unknown state", `state = "device"`, `slots.state: unknown value "device" (known: slot, host)`},
		{"unknown exchange", `exchange = "all-to-al"`, `did you mean "all-to-all"?`},
		{"all rows replicated", `replicated = "100 %"`, `slots.replicated: replicated = 1: want a share of the rows`},
		{"unknown wiring", `wiring = "ring"`, `slots.wiring: unknown value "ring" (known: switch, mesh, cube-mesh)`},
		{"negative ways", `ways = -1`, `slots.ways: -1: from 0 to MaxLookahead`},
		{"negative rate", `read = -1.0`, `slots.read: -1: samples/s, at least 0`},
		{"host memory without a tier below", "[slots.host]\ncapacity = \"10 %\"", `slots.host.capacity: host memory for some of the rows needs a tier`},
		{"a tier without host memory", "[slots.ssd]\nbatch = 4", `slots.host: missing key "capacity" (how much of the rows`},
		{"two tiers", "[slots.host]\ncapacity = \"10 %\"\n[slots.ssd]\nbatch = 4\n[slots.remote]\nservers = 1", `slots.remote: slots.ssd is there as well`},
		{"no servers", "[slots.host]\ncapacity = \"10 %\"\n[slots.remote]\nbatch = 1", `slots.remote.servers: 0: from 1 to`},
		{"unknown rule", "[slots.host]\ncapacity = \"10 %\"\nrule = \"both\"\n[slots.ssd]\nbatch = 4", `slots.host.rule: unknown value "both" (known: inclusive, exclusive)`},
		{"sweep without capacities", "[sweep]\nreplacement = [\"lru\"]", `sweep: missing key "capacity"`},
		{"sweep of an unknown policy", "[sweep]\ncapacity = [10]\nreplacement = [\"lur\"]", `sweep.replacement[0]: unknown value "lur"; did you mean "lru"?`},
		{"sweep of an unknown layer", "[sweep]\ncapacity = [10]\nlayer = \"user\"", `sweep.layer: unknown value "user"`},
		{"sweep over an unknown pool", "[sweep]\ncapacity = [10]\npools = [\"v100\"]", `sweep.pools[0]: unknown value "v100"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(filepath.Join(t.TempDir(), "x.toml"), []byte(slotted(c.lines)))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.toml:") {
				t.Errorf("got  %v\nwant … %s …", err, c.want)
			}
		})
	}
}

// A sweep needs slots.
func TestSweepNeedsSlots(t *testing.T) {
	text := strings.Replace(small, "[slots]\ncapacity = \"1 %\"\nreplacement = \"lru\"\nlookahead = 1\n", "[sweep]\ncapacity = [10]\n", 1)
	if _, err := Parse(filepath.Join(t.TempDir(), "x.toml"), []byte(text)); err == nil || !strings.Contains(err.Error(), "sweep: it varies slot tables") {
		t.Errorf("got %v", err)
	}
}

// What each rule of section slots does to a whole run, beside the same run without
// it: a figure that must rise, fall or stay.
func TestSlotRules(t *testing.T) {
	value := func(r *sim.Result, name string) float64 {
		m, _ := r.Metrics.Get(name)
		return m.Value
	}
	stall := func(r *sim.Result, cause string) (s float64) {
		for _, c := range r.Stalls {
			if c.Cause == cause {
				s = c.Time.Seconds()
			}
		}
		return s
	}
	last := func(r *sim.Result) *sim.SlotCounters { return r.Rounds[len(r.Rounds)-1].Slots }
	plain := run(t, parsed(t, slotted("")))
	for _, c := range []struct {
		name, lines string
		holds       func(r *sim.Result) bool
	}{
		{"sequential", "overlap = false\nread = 200000.0", func(r *sim.Result) bool {
			return stall(r, "input") > 0 && value(r, "throughput") < value(plain, "throughput")
		}},
		{"reading overlaps", "read = 100000000.0", func(r *sim.Result) bool { return value(r, "hit_ratio") == value(plain, "hit_ratio") }},
		{"slow reading decides", "read = 10000.0", func(r *sim.Result) bool {
			return value(r, "throughput") < 10000*1.001 && stall(r, "input") > 0.9*plain.Rounds[0].StepTime.Seconds()
		}},
		{"no exchange", `exchange = "none"`, func(r *sim.Result) bool {
			return last(r).Traded == 0 && last(plain).Traded > 0 && value(r, "throughput") > value(plain, "throughput")
		}},
		{"padding costs", `exchange = "padded"`, func(r *sim.Result) bool { return last(r).Traded > last(plain).Traded }},
		{"a mesh is slower than a switch of the same links", `wiring = "mesh"`, func(r *sim.Result) bool {
			return last(r).Traded == last(plain).Traded && value(r, "throughput") <= value(plain, "throughput")
		}},
		{"two hops are slower still", `wiring = "cube-mesh"`, func(r *sim.Result) bool {
			return last(r).Traded == last(plain).Traded && value(r, "throughput") < value(plain, "throughput")
		}},
		{"replicated rows hit, and their gradients go around", `replicated = "0.1 %"`, func(r *sim.Result) bool {
			return value(r, "hit_ratio") > value(plain, "hit_ratio") && last(r).Traded > last(plain).Traded
		}},
		{"without uniqueness rows move again", `scope = "none"`, func(r *sim.Result) bool {
			return last(r).BytesIn > last(plain).BytesIn && last(r).Misses == last(plain).Misses
		}},
		{"without a dirty bit clean rows are written back too", "capacity = 40000\nwrite_back = \"eager\"\ndirty_bit = false", func(r *sim.Result) bool {
			return last(r).Evictions > 0 && last(r).WriteBacks == last(r).Unique+last(r).Evictions
		}},
		{"eager write-back", `write_back = "eager"`, func(r *sim.Result) bool { return last(r).WriteBacks == last(r).Unique }},
		{"end of pass", "write_back = \"end-of-pass\"\npass = 3", func(r *sim.Result) bool {
			return r.Rounds[0].Slots.WriteBacks == r.Rounds[0].Slots.Unique && r.Rounds[1].Slots.Unique == 0
		}},
		{"a pass hits less often, since it asks once", "pass = 4", func(r *sim.Result) bool { return value(r, "hit_ratio") < value(plain, "hit_ratio") }},
		{"rebuilt tables never hit", "pass = 4\nrebuild = true", func(r *sim.Result) bool { return value(r, "hit_ratio") == 0 }},
		{"state on the host", `state = "host"`, func(r *sim.Result) bool {
			return value(r, "peak_memory") < value(plain, "peak_memory") && last(r).BytesIn < last(plain).BytesIn
		}},
		{"sets bypass", "ways = 2\nshortage = \"bypass\"", func(r *sim.Result) bool { return value(r, "bypass_ratio") > 0 }},
		{"an SSD under a small host cache", "[slots.host]\ncapacity = \"0.5 %\"\n[slots.ssd]\nrule = \"exclusive\"", func(r *sim.Result) bool {
			return r.Rounds[0].Slots.StoreReads == r.Rounds[0].Slots.Misses && stall(r, "ssd") > 0
		}},
		{"parameter servers", "[slots.host]\ncapacity = \"0.5 %\"\n[slots.remote]\nservers = 4", func(r *sim.Result) bool {
			return stall(r, "remote") > 0 && stall(r, "ssd") == 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pairs := []string{}
			if strings.HasPrefix(c.lines, "capacity") {
				pairs = append(pairs, "capacity = \"1 %\"\n", "")
			}
			s := parsed(t, slotted(c.lines, pairs...))
			r := run(t, s)
			if !c.holds(r) {
				t.Errorf("metrics %+v\nstalls %+v\nlast round %+v\nwithout the rule %+v\n%+v\n%+v",
					r.Metrics, r.Stalls, *last(r), plain.Metrics, plain.Stalls, *last(plain))
			}
			if second := jsonOf(t, run(t, s)); second != jsonOf(t, r) {
				t.Error("a second run differs")
			}
		})
	}
}

// A static hot set is chosen from lookups before the run: it hits less than one
// chosen from the run itself would, and more than nothing; what it does not hold is
// bypassed, and nothing ever leaves.
func TestStaticHotSet(t *testing.T) {
	r := run(t, parsed(t, onGPU(`"lru"`, `"static"`, `"1 %"`, `40000`)))
	hits, bypasses := metric(t, r, "hit_ratio"), metric(t, r, "bypass_ratio")
	if !(hits > 0.2 && hits < 0.9) || math.Abs(hits+bypasses-1) > 1e-9 || r.Rounds[len(r.Rounds)-1].Slots.Evictions != 0 {
		t.Errorf("hit ratio %v, bypass ratio %v, last round %+v", hits, bypasses, r.Rounds[len(r.Rounds)-1].Slots)
	}
}

// More rounds that a look-ahead sees make it no worse, and a window of all rounds
// makes it min.
func TestWindow(t *testing.T) {
	misses := func(policy, window string) (n int64) {
		r := run(t, parsed(t, onGPU(`"lru"`, policy+"\n"+window, `"1 %"`, `60000`, `rounds = 12`, `rounds = 20`)))
		for _, rd := range r.Rounds {
			n += rd.Slots.Misses
		}
		return n
	}
	none, all, min := misses(`"lookahead"`, "window = 1"), misses(`"lookahead"`, "window = 30"), misses(`"min"`, "")
	if none <= all || all != min {
		t.Errorf("misses %d with a window of 1 round, %d of all, %d with min", none, all, min)
	}
}
