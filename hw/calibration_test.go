package hw

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

// dataFile reads a file of the measurements that stand beside the repository
// where the project is developed.
func dataFile(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "..", "shared", "data", filepath.FromSlash(name)))
		if err == nil {
			return string(data)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Skipf("shared/data/%s is not there", name)
		}
		dir = parent
	}
}

func compute(t *testing.T, device string, flops, bytes float64) float64 {
	t.Helper()
	d, err := LookupDevice(device)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Compute(flops, bytes, FP32)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPipeDreamVGG16 holds v100-16 against the profile that its curves were
// calibrated on: forward times of the linear layers (compute-bound) and of the
// large ReLU layers (memory-bound) of VGG-16 at batch 128, less the profiler's
// own 0.33 ms a call. ReLU layers of one size differ by a fifth in the profile:
// the quickest of each size, the least disturbed, counts.
func TestPipeDreamVGG16(t *testing.T) {
	text := dataFile(t, "pipedream/vgg16/graph.txt")
	const batch, profiler = 128, .33e-3
	linear := regexp.MustCompile(`Linear\(in_features=(\d+), out_features=(\d+).*forward_compute_time=([\d.]+)`)
	relu := regexp.MustCompile(`ReLU.*forward_compute_time=([\d.]+).*activation_size=([\d.]+)`)
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	check := func(what string, measured, got, tolerance float64) {
		if measured -= profiler; math.Abs(got-measured) > tolerance*measured {
			t.Errorf("%s: measured %.3f ms, computed %.3f ms", what, measured*1e3, got*1e3)
		}
	}
	linears, quickest := 0, map[float64]float64{}
	for line := range strings.Lines(text) {
		if m := linear.FindStringSubmatch(line); m != nil {
			flops := 2 * batch * number(m[1]) * number(m[2])
			if flops > 4e9 { // the last layer's arithmetic is a fifth of the profiler's own time
				linears++
				check(m[0], number(m[3])*1e-3, compute(t, "v100-16", flops, 0), .06)
			}
		}
		// activation_size is the output; a ReLU reads as much as it writes.
		if m := relu.FindStringSubmatch(line); m != nil && number(m[2]) > 100e6 {
			size, seconds := number(m[2]), number(m[1])*1e-3
			if old, ok := quickest[size]; !ok || seconds < old {
				quickest[size] = seconds
			}
		}
	}
	for size, seconds := range quickest {
		check(fmt.Sprintf("ReLU of %.0f MB", size/1e6), seconds, compute(t, "v100-16", 0, 2*size), .12)
	}
	if linears != 2 || len(quickest) != 4 {
		t.Errorf("checked %d linear layers and %d sizes of ReLU: did the file change?", linears, len(quickest))
	}
}

// TestSailorLayers holds the ends of the compute curves against the forward
// time of one OPT-350M layer, micro-batch 1, no tensor parallelism: hidden size
// 1024, sequence 2048, so 24 s h^2 + 4 s^2 h FLOPs.
func TestSailorLayers(t *testing.T) {
	const h, s = 1024.0, 2048.0
	for device, folder := range map[string]string{"rtx-3090": "RTX-3090", "titan-rtx": "Titan-RTX"} {
		var profile map[string]map[string]map[string][]float64 // micro-batch, tensor parallelism, layer -> forward, backward, update s
		if err := json.Unmarshal([]byte(dataFile(t, "sailor/profiles/OPT-350/"+folder+"/profile.json")), &profile); err != nil {
			t.Fatal(err)
		}
		measured := profile["1"]["1"]["12"][0]
		got := compute(t, device, 24*s*h*h+4*s*s*h, 0)
		if math.Abs(got-measured) > .05*measured {
			t.Errorf("%s: measured %.3f ms, computed %.3f ms", device, measured*1e3, got*1e3)
		}
	}
}

// TestNVLink holds the delivered bandwidth of nvlink2 and nvlink3 against the
// bus bandwidth of the largest measured all-reduce over 8 devices.
func TestNVLink(t *testing.T) {
	for link, folder := range map[string]string{"nvlink2": "v100", "nvlink3": "a100"} {
		lines := strings.Split(strings.TrimSpace(dataFile(t, "vtrain/allreduce/"+folder+"/AR_GPU8_1M_1024M_LUT")), "\n")
		cells := strings.Split(lines[len(lines)-1], ",")
		measured, err := strconv.ParseFloat(cells[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		l, err := LookupLink(link)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(l.Bandwidth) / 1e9; math.Abs(got-measured) > .02*measured {
			t.Errorf("%s delivers %.1f GB/s, measured %.1f", link, got, measured)
		}
	}
}
