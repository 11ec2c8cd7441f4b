package rounds

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/sim/slots"
)

// shadow is the dumb twin of a Hierarchy: it moves versions of rows about, and
// tells what must be written down by comparing them.
type shadow struct {
	cfg    HierarchyConfig
	latest map[uint32]int // last version written, by anyone
	slot   map[uint32]int
	host   []copied // newest use first
	store  map[uint32]int
}

type copied struct {
	key     uint32
	version int
}

func newShadow(cfg HierarchyConfig) *shadow {
	s := &shadow{cfg: cfg, latest: map[uint32]int{}, slot: map[uint32]int{}, store: map[uint32]int{}}
	for k := range uint32(cfg.Rows) {
		if s.whole() {
			s.host = append(s.host, copied{k, 0})
		} else {
			s.store[k] = 0
		}
	}
	return s
}

func (s *shadow) whole() bool { return s.cfg.Host >= s.cfg.Rows }

func (s *shadow) inHost(k uint32) int {
	return slices.IndexFunc(s.host, func(c copied) bool { return c.key == k })
}

// put makes a version of a row host memory's newest; the oldest make room.
func (s *shadow) put(c copied, t *Traffic) {
	if i := s.inHost(c.key); i >= 0 {
		s.host = slices.Delete(s.host, i, i+1)
	}
	s.host = slices.Insert(s.host, 0, c)
	for int64(len(s.host)) > s.cfg.Host {
		old := s.host[len(s.host)-1]
		s.host = s.host[:len(s.host)-1]
		if v, ok := s.store[old.key]; ok && v == old.version {
			t.Drops++
			continue
		}
		t.StoreWrites++
		s.store[old.key] = old.version
	}
}

// read returns a row's version below the slots, and where it was.
func (s *shadow) read(k uint32, t *Traffic) (version int, from Level) {
	if i := s.inHost(k); i >= 0 {
		t.HostReads++
		return s.host[i].version, Host
	}
	t.StoreReads++
	v, ok := s.store[k]
	if !ok {
		panic(fmt.Sprintf("row %d is lost", k))
	}
	return v, Store
}

func (s *shadow) fetch(k uint32, t *Traffic) (version int, from Level) {
	v, from := s.read(k, t)
	s.slot[k] = v
	host, store := s.cfg.Slots == Exclusive, s.cfg.Store == Exclusive
	switch {
	case from == Host && host:
		i := s.inHost(k)
		s.host = slices.Delete(s.host, i, i+1)
	case from == Host:
		s.put(copied{k, v}, t)
	default:
		if store {
			delete(s.store, k)
		}
		if !host && s.cfg.Host > 0 {
			t.HostFills++
			s.put(copied{k, v}, t)
		}
	}
	return v, from
}

// write puts a version into the tier below the slots if it is not there yet.
func (s *shadow) write(k uint32, v int, always bool, t *Traffic) {
	i := s.inHost(k)
	below, ok := s.store[k]
	if i >= 0 {
		below, ok = s.host[i].version, true
	}
	if ok && below == v && !always {
		return
	}
	if s.cfg.Host == 0 {
		if !ok || below != v {
			t.StoreWrites++
			s.store[k] = v
		}
		return
	}
	t.HostWrites++
	if s.cfg.Store == Exclusive {
		delete(s.store, k)
	}
	s.put(copied{k, v}, t)
}

func (s *shadow) evict(k uint32, t *Traffic) {
	v := s.slot[k]
	delete(s.slot, k)
	s.write(k, v, s.cfg.Slots == Exclusive, t)
}

func (s *shadow) writeBack(k uint32, t *Traffic) {
	over := s.cfg.Slots
	if s.cfg.Host == 0 {
		over = s.cfg.Store
	}
	if over == Inclusive {
		s.write(k, s.slot[k], false, t)
	}
}

func (s *shadow) bypass(k uint32, update bool, t *Traffic) (version int, from Level) {
	v, from := s.read(k, t)
	if from == Store && s.cfg.Host > 0 {
		t.HostFills++
		if s.cfg.Store == Exclusive {
			delete(s.store, k)
		}
	}
	if from == Host || s.cfg.Host > 0 {
		s.put(copied{k, v}, t)
	}
	if update {
		s.latest[k]++
		s.write(k, s.latest[k], false, t)
	}
	return v, from
}

// trial runs a Hierarchy beside its shadow.
type trial struct {
	h     *Hierarchy
	s     *shadow
	dirty map[uint32]bool
	total Traffic
}

func newTrial(t interface{ Fatal(...any) }, cfg HierarchyConfig) *trial {
	h, err := NewHierarchy(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &trial{h: h, s: newShadow(cfg), dirty: map[uint32]bool{}}
}

// in returns the rows of a round that are in a slot, or that are not.
func (x *trial) in(keys []uint32, slotted bool) []uint32 {
	return slices.DeleteFunc(slices.Clone(keys), func(k uint32) bool {
		_, ok := x.s.slot[k]
		return ok != slotted
	})
}

// read checks that the row was read where the shadow says and found the last version.
func (x *trial) read(k uint32, version int, from, got Level) error {
	if got != from {
		return fmt.Errorf("row %d is read from level %d, the shadow's is in %d", k, got, from)
	}
	if version != x.s.latest[k] {
		return fmt.Errorf("row %d is read in version %d, the last one is %d", k, version, x.s.latest[k])
	}
	return nil
}

// step does one thing to the rows of a round.
func (x *trial) step(op int, keys []uint32) error {
	var got, want Traffic
	switch op {
	case 0, 1:
		var fills []slots.Move
		for _, k := range x.in(keys, false) {
			fills = append(fills, slots.Move{Key: k})
		}
		got = x.h.Fetch(fills)
		for i, m := range fills {
			v, from := x.s.fetch(m.Key, &want)
			if err := x.read(m.Key, v, from, x.h.Sources()[i]); err != nil {
				return err
			}
		}
	case 2:
		for _, k := range x.in(keys, true) {
			x.s.latest[k]++
			x.s.slot[k] = x.s.latest[k]
			x.dirty[k] = true
		}
	case 3, 4:
		var evictions []slots.Move
		for _, k := range x.in(keys, true) {
			evictions = append(evictions, slots.Move{Key: k, Dirty: x.dirty[k]})
			delete(x.dirty, k)
			x.s.evict(k, &want)
		}
		got = x.h.Evict(evictions)
	case 5:
		back := slices.DeleteFunc(x.in(keys, true), func(k uint32) bool { return !x.dirty[k] })
		for _, k := range back {
			x.s.writeBack(k, &want)
			delete(x.dirty, k)
		}
		got = x.h.WriteBack(back)
	case 6, 7:
		past := x.in(keys, false)
		got = x.h.Bypass(past, op == 7)
		for i, k := range past {
			latest := x.s.latest[k]
			v, from := x.s.bypass(k, op == 7, &want)
			if v != latest {
				return fmt.Errorf("row %d is read in version %d, the last one is %d", k, v, latest)
			}
			if from != x.h.Sources()[i] {
				return fmt.Errorf("row %d bypasses from level %d, the shadow's from %d", k, x.h.Sources()[i], from)
			}
		}
	}
	if got != want {
		return fmt.Errorf("operation %d moved %+v, the shadow %+v", op, got, want)
	}
	x.total = x.total.Add(got)
	return x.places()
}

// places checks that every row is where the shadow and the rules say.
func (x *trial) places() error {
	cfg, cached, outside := x.s.cfg, int64(0), 0
	for k := range uint32(cfg.Rows) {
		p := x.h.Where(k)
		_, slot := x.s.slot[k]
		_, store := x.s.store[k]
		if want := (Places{slot, x.s.inHost(k) >= 0, store}); p != want {
			return fmt.Errorf("row %d is in %+v, the shadow's in %+v", k, p, want)
		}
		switch {
		case p == Places{}:
			return fmt.Errorf("row %d is nowhere", k)
		case cfg.Slots == Exclusive && cfg.Host > 0 && p.Slot && p.Host:
			return fmt.Errorf("row %d is in a slot and in host memory", k)
		case cfg.Store == Exclusive && p.Host && p.Store:
			return fmt.Errorf("row %d is in host memory and in the store", k)
		case cfg.Store == Inclusive && !x.s.whole() && !p.Store:
			return fmt.Errorf("row %d is not in the store", k)
		}
		if p.Host {
			cached++
		}
		if !p.Store {
			outside++
		}
	}
	if cached != x.h.Cached() || cached > cfg.Host {
		return fmt.Errorf("host memory holds %d rows, says %d, has room for %d", cached, x.h.Cached(), cfg.Host)
	}
	if cfg.Slots == Exclusive && cfg.Store == Exclusive && !x.s.whole() && cfg.Host > 0 {
		if left := x.total.StoreReads - x.total.StoreWrites; left != outside {
			return fmt.Errorf("%d rows left the store for good, %d are outside", left, outside)
		}
	}
	return nil
}

func TestHierarchyTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := []Rule{Inclusive, Exclusive}
		cfg := HierarchyConfig{
			Rows:  20,
			Host:  rapid.SampledFrom([]int64{0, 1, 2, 5, 19, 20, 30}).Draw(t, "host rows"),
			Slots: rapid.SampledFrom(rules).Draw(t, "slots"),
			Store: rapid.SampledFrom(rules).Draw(t, "store"),
		}
		x := newTrial(t, cfg)
		if rapid.Bool().Draw(t, "hash") && !x.h.whole {
			x.h.cache.dense, x.h.cache.sparse = nil, map[uint32]int32{}
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 120 {
			keys := make([]uint32, 0, 6)
			for _, k := range rng.Perm(int(cfg.Rows))[:1+rng.IntN(6)] {
				keys = append(keys, uint32(k))
			}
			if err := x.step(rng.IntN(8), keys); err != nil {
				t.Fatalf("%+v: %v", cfg, err)
			}
		}
	})
}

// FuzzHierarchy is TestHierarchyTwin driven by bytes: room in host memory and the
// rules, then an operation in the high bits and a row in the low ones.
func FuzzHierarchy(f *testing.F) {
	f.Add([]byte{0x02, 0x01, 0x02, 0x41, 0x61, 0x03, 0xe4, 0x61, 0x01})
	f.Add([]byte{0x65, 0x01, 0x02, 0x41, 0xa1, 0x61, 0x03, 0xe4, 0x62, 0x01})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || len(in) > 500 {
			return
		}
		cfg := HierarchyConfig{Rows: 32, Host: int64(in[0] & 0x1f), Slots: Inclusive, Store: Inclusive}
		if in[0]&0x20 != 0 {
			cfg.Slots = Exclusive
		}
		if in[0]&0x40 != 0 {
			cfg.Store = Exclusive
		}
		x := newTrial(t, cfg)
		for _, b := range in[1:] {
			if err := x.step(int(b>>5), []uint32{uint32(b & 0x1f)}); err != nil {
				t.Fatalf("%+v: %v", cfg, err)
			}
		}
	})
}

func moves(dirty bool, keys ...uint32) (m []slots.Move) {
	for _, k := range keys {
		m = append(m, slots.Move{Key: k, Dirty: dirty})
	}
	return m
}

// Paddle's tables: HBM keeps copies of what memory has, memory and RocksDB are
// exclusive, so that the rows that memory has no room for are always written.
func TestHierarchyPaddle(t *testing.T) {
	h, err := NewHierarchy(HierarchyConfig{Rows: 10, Host: 2, Store: Exclusive})
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, got, want Traffic) {
		t.Helper()
		if got != want {
			t.Errorf("%s moved %+v, want %+v", what, got, want)
		}
	}
	want("a first fetch", h.Fetch(moves(false, 0, 1)), Traffic{StoreReads: 2, HostFills: 2})
	want("a fetch beyond memory", h.Fetch(moves(false, 2)), Traffic{StoreReads: 1, HostFills: 1, StoreWrites: 1})
	if p := h.Where(0); p != (Places{Slot: true, Store: true}) {
		t.Errorf("row 0 is in %+v, want in its slot and the store", p)
	}
	want("clean evictions", h.Evict(moves(false, 0, 1)), Traffic{})
	want("a dirty eviction", h.Evict(moves(true, 2)), Traffic{HostWrites: 1})
	want("a fetch from memory", h.Fetch(moves(false, 2, 0)), Traffic{HostReads: 1, StoreReads: 1, HostFills: 1, StoreWrites: 1})
}

// A round in flight may hold the only copy of a row: clean, yet written when it
// leaves.
func TestHierarchyOwed(t *testing.T) {
	h, err := NewHierarchy(HierarchyConfig{Rows: 10, Host: 1, Slots: Exclusive})
	if err != nil {
		t.Fatal(err)
	}
	h.Fetch(moves(false, 3))
	h.Evict(moves(true, 3)) // into host memory, dirty
	if got := h.Fetch(moves(false, 3)); got != (Traffic{HostReads: 1}) {
		t.Errorf("the row came back by %+v", got)
	}
	h.Evict(moves(false, 3)) // clean now, but the store has still the old version
	h.Fetch(moves(false, 4))
	if got, want := h.Evict(moves(false, 4)), (Traffic{HostWrites: 1, StoreWrites: 1}); got != want {
		t.Errorf("row 4 pushed row 3 out by %+v, want %+v", got, want)
	}
}

func TestHierarchyErrors(t *testing.T) {
	for want, cfg := range map[string]HierarchyConfig{
		"rows = 0: want 1 to":                                 {},
		"host rows = -1: want 0 to":                           {Rows: 10, Host: -1},
		"or all 4000000000 rows":                              {Rows: 4e9, Host: 3e9},
		`slots = "both": want inclusive or exclusive`:         {Rows: 1, Slots: "both"},
		`store = "Exclusive": want inclusive or exclusive`:    {Rows: 1, Store: "Exclusive"},
		fmt.Sprintf("rows = %d: want 1 to 4294967295", 1<<32): {Rows: 1 << 32},
	} {
		if _, err := NewHierarchy(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}

func TestHierarchyPanics(t *testing.T) {
	for want, broken := range map[string]func(h *Hierarchy){
		"in a slot already": func(h *Hierarchy) { h.Fetch(moves(false, 1, 1)) },
		"but in no slot":    func(h *Hierarchy) { h.Evict(moves(false, 1)) },
		"written back, but": func(h *Hierarchy) { h.WriteBack([]uint32{1}) },
		"but is in one":     func(h *Hierarchy) { h.Fetch(moves(false, 1)); h.Bypass([]uint32{1}, false) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			h, _ := NewHierarchy(HierarchyConfig{Rows: 5, Host: 2})
			broken(h)
		}()
	}
}

// A steady run does not allocate.
func TestHierarchyAllocations(t *testing.T) {
	h, err := NewHierarchy(HierarchyConfig{Rows: 1000, Host: 100, Store: Exclusive})
	if err != nil {
		t.Fatal(err)
	}
	round := make([]slots.Move, 50)
	at := uint32(0)
	turn := func() {
		for i := range round {
			round[i] = slots.Move{Key: at % 1000, Dirty: at%3 == 0}
			at += 7
		}
		h.Fetch(round)
		h.Evict(round)
	}
	for range 20 {
		turn()
	}
	if n := testing.AllocsPerRun(50, turn); n > 0 {
		t.Errorf("%g allocations a round", n)
	}
}
