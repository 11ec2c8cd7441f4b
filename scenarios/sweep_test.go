package scenarios

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// swept is a small scenario with a sweep over two policies, three capacities and both
// pools.
func swept(pairs ...string) string {
	return onGPU(append([]string{`policy = "all-gpu"`, `policy = "greedy"`}, pairs...)...) + `
[sweep]
layer = "user_embedding"
capacity = ["1 %", "5 %", "100 %"]
replacement = ["lru", "min"]
`
}

// Points are in the order of pools, replacement policies and capacities; a layer on
// a CPU has one point, without slots; more slots hit no less, and min no less than
// lru; the layer is where the point says.
func TestSweep(t *testing.T) {
	s := parsed(t, swept())
	r := run(t, s)
	sw := r.Sweep
	if sw == nil || sw.Layer != "user_embedding" || sw.RowBytes == 0 || len(sw.Points) != 1+6 {
		t.Fatalf("sweep %+v", sw)
	}
	if len(sw.Devices) != 1 || sw.Devices[0].Slots < 1e6 {
		t.Errorf("devices %+v", sw.Devices)
	}
	cpu, lru, min := sw.Points[0], sw.Points[1:4], sw.Points[4:7]
	if cpu.Kind != "cpu" || cpu.Slots != 0 || cpu.Replacement != "" || cpu.HitRatio != 0 || cpu.Throughput <= 0 {
		t.Errorf("on the CPU: %+v", cpu)
	}
	for i := range lru {
		if lru[i].Replacement != "lru" || min[i].Replacement != "min" || lru[i].Slots != min[i].Slots || lru[i].Kind != "gpu" {
			t.Errorf("point %d: %+v and %+v", i, lru[i], min[i])
		}
		if lru[i].Throughput <= 0 || min[i].HitRatio < lru[i].HitRatio-0.02 {
			t.Errorf("point %d: %+v and %+v", i, lru[i], min[i])
		}
		if i > 0 && (lru[i].Slots <= lru[i-1].Slots || lru[i].HitRatio < lru[i-1].HitRatio-0.02) {
			t.Errorf("more slots hit less: %+v after %+v", lru[i], lru[i-1])
		}
	}
	if last := lru[2]; last.HitRatio != min[2].HitRatio || last.Throughput != min[2].Throughput {
		t.Errorf("with a slot for every row the policy matters: %+v and %+v", last, min[2])
	}
}

// A sweep is the same whatever the number of cores, and leaves the run as it is.
func TestSweepSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	plain := run(t, parsed(t, onGPU(`policy = "all-gpu"`, `policy = "greedy"`)))
	var want string
	for _, n := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(n)
		r := run(t, parsed(t, swept()))
		got := jsonOf(t, r.Sweep)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("GOMAXPROCS %d: %s, want %s", n, got, want)
		}
		if r.Sweep = nil; jsonOf(t, unresolved(r)) != jsonOf(t, unresolved(plain)) {
			t.Errorf("the sweep changes the run")
		}
	}
}

// A slot table that cannot hold a round is said to be infeasible, beside the others.
func TestSweepInfeasible(t *testing.T) {
	s := parsed(t, swept())
	s.Sweep.Capacities[0] = Amount{Count: 10}
	r := run(t, s)
	first := r.Sweep.Points[1]
	if first.Infeasible == "" || first.Throughput != 0 || r.Sweep.Points[2].Infeasible != "" {
		t.Errorf("points %+v", r.Sweep.Points)
	}
}

// Beside another job the points of a sweep have what it leaves, and its traffic.
func TestSweepBeside(t *testing.T) {
	network := "\n[cluster.network]\ntopology = \"leaf-spine\"\nnodes_per_leaf = 1\nspines = 1\noversubscription = 4.0\n"
	training, _, _ := strings.Cut(small, "[placement]")
	layers := `["v100-16"` + strings.Repeat(`, "v100-16"`, 9) + "]"
	for devices, fits := range map[string]bool{"4": true, "8": false} {
		dir := t.TempDir()
		other := strings.Replace(training, `"small"`, `"other"`, 1) + "[placement]\npolicy = \"fixed\"\nscheme = " + layers + "\ndevices = [" + devices + "]\n" + network
		own := swept() + network + "[[job]]\nscenario = \"other.toml\"\n"
		for name, text := range map[string]string{"own.toml": own, "other.toml": other} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Load(filepath.Join(dir, "own.toml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range run(t, s).Sweep.Points {
			if p.Kind == "gpu" && fits != (p.Infeasible == "") || p.Kind == "gpu" && !fits && !strings.Contains(p.Infeasible, `all 8 devices are taken by job "other"`) {
				t.Errorf("beside %s devices: %+v", devices, p)
			}
		}
	}
}
