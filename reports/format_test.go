package reports

import (
	"testing"

	"stowage/sim"
)

// TestDeviceCount: replicas of several devices are counted as such.
func TestDeviceCount(t *testing.T) {
	for want, s := range map[string]sim.Stage{
		"a100-80 × 8":     {Device: "a100-80", Devices: 8},
		"a100-80 × 4 × 2": {Device: "a100-80", Devices: 8, TensorParallel: 2},
	} {
		if got := deviceCount(&s); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
