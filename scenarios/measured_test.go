package scenarios

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// measured is a scenario with a model of a measured file on accelerators of the
// type that was measured and two CPU sockets.
const measured = `name = "measured"
[model]
file = %q
format = %q
%s
[[cluster.pool]]
device = %q
count = %d
[[cluster.pool]]
device = "xeon-6148"
count = 2
[training]
batch = 128
microbatches = %d
rounds = 5
sync = "none"
inference = %t
[placement]
policy = %q
`

// pipedreamTimes sums forward and backward milliseconds of a profile, read by an
// expression instead of the importer.
func pipedreamTimes(t *testing.T, path string) (ms float64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?:forward|backward)_compute_time=([0-9.]+)`).FindAllSubmatch(data, -1) {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		ms += v
	}
	return ms
}

// partitioningTimes sums the latencies of a layer graph on either device.
func partitioningTimes(t *testing.T, path string) (cpuMs, acceleratorMs float64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Nodes []struct{ CPULatency, FPGALatency float64 }
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		cpuMs += n.CPULatency
		acceleratorMs += n.FPGALatency
	}
	return cpuMs, acceleratorMs
}

func sameTime(t *testing.T, what string, seconds, ms float64, layers int) {
	t.Helper()
	// Every layer's time may be rounded, and every segment's to a nanosecond.
	if math.Abs(seconds-ms/1e3) > 1e-6*ms/1e3+float64(layers)*1e-9 {
		t.Errorf("%s: a micro-batch takes %v s, the file's times sum to %v s", what, seconds, ms/1e3)
	}
}

// A model of a profile on one device takes the sum of the measured times; placed
// by the search over two pools it is at least as good.
func TestPipeDreamModels(t *testing.T) {
	for _, name := range []string{"vgg16", "resnet50", "gnmt", "alexnet"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shared(t, "pipedream"), name, "graph.txt")
			// The measured batch is one micro-batch.
			const micro = 64
			keys := fmt.Sprintf("device = \"v100-16\"\nbatch = %d", micro)
			one := parsed(t, fmt.Sprintf(measured, path, "pipedream", keys, "v100-16", 1, 128/micro, false, "all-gpu"))
			alone := metric(t, run(t, one), "step_time") * micro / 128
			sameTime(t, "alone", alone, pipedreamTimes(t, path), len(one.Model.Layers))

			genetic := run(t, parsed(t, fmt.Sprintf(measured, path, "pipedream", keys, "v100-16", 8, 128/micro, false, "genetic")))
			uniform := run(t, parsed(t, fmt.Sprintf(measured, path, "pipedream", keys, "v100-16", 8, 128/micro, false, "all-gpu")))
			if a, b := metric(t, genetic, "fitness"), metric(t, uniform, "fitness"); a < b {
				t.Errorf("the genetic search found %v samples/s, all layers on V100s reach %v", a, b)
			}
			if len(genetic.Rounds) != 5 {
				t.Errorf("%d of 5 rounds", len(genetic.Rounds))
			}
		})
	}
}

func TestPartitioningModels(t *testing.T) {
	for _, name := range []string{"bert24_training", "bert24_inference", "resnet50_training", "resnet50_inference"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shared(t, "dnn-partitioning"), name+".json")
			// A device type whose memory holds the whole model; the times are the file's.
			const keys = "cpu = \"xeon-6148\"\naccelerator = \"a100-80\""
			inference := strings.HasSuffix(name, "_inference")
			// One unit of work is a sample: micro-batches of one.
			of := func(policy string) string {
				return fmt.Sprintf(measured, path, "dnn-partitioning", keys, "a100-80", 1, 128, inference, policy)
			}
			cpuMs, acceleratorMs := partitioningTimes(t, path)
			gpu := parsed(t, of("all-gpu"))
			gpuRun := run(t, gpu)
			sameTime(t, "on the accelerator", metric(t, gpuRun, "step_time")/128, acceleratorMs, len(gpu.Model.Layers))

			cpu := run(t, parsed(t, of("all-cpu")))
			devices := float64(cpu.Scheme.Stages[0].Devices)
			if at := metric(t, cpu, "step_time") / 128; at > cpuMs/1e3*(1+1e-6) || at < cpuMs/1e3/devices*(1-1e-6) {
				t.Errorf("%v CPU sockets take %v s, one takes %v s", devices, at, cpuMs/1e3)
			}
			genetic := run(t, parsed(t, of("genetic")))
			if a, b := metric(t, genetic, "fitness"), metric(t, gpuRun, "fitness"); a < b {
				t.Errorf("the genetic search found %v samples/s, the accelerator alone reaches %v", a, b)
			}
		})
	}
}
