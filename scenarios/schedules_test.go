package scenarios

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"stowage/sim/pipeline"
)

// scheduled is the shipped pipeline under another schedule: without chunks every pool
// has a quarter of the layers in a row.
func scheduled(t testing.TB, schedule string) *Scenario {
	t.Helper()
	data, err := os.ReadFile("pipeline.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if schedule != "interleaved" {
		text = strings.NewReplacer(`"interleaved"`, `"`+schedule+`"`, "chunks       = 2\n", "", `"by-type"`, `"contiguous"`).Replace(text)
		text = text[:strings.Index(text, "scheme = [")] + "scheme = ["
		for _, pool := range []string{"a", "b", "c", "d"} {
			text += strings.Repeat(`"`+pool+`", `, 7)
		}
		text += "]\n"
	}
	s, err := Parse("pipeline.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The README's table of schedules says what the shipped pipeline does under each.
func TestSchedulesOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, schedule := range pipeline.ScheduleNames() {
		r, err := scheduled(t, schedule).Run(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		x, _ := r.Metrics.Get("throughput")
		bubble, _ := r.Metrics.Get("bubble_ratio")
		memory, _ := r.Metrics.Get("peak_memory")
		want := fmt.Sprintf("| `%s` | %.1f | %.1f %% | %.1f GiB |", schedule, x.Value, 100*bubble.Value, memory.Value/(1<<30))
		if line := regexp.MustCompile("(?m)^\\| `" + schedule + "` .*$").Find(readme); !strings.HasPrefix(string(line), want) {
			t.Errorf("the README has %q, want %q", line, want)
		}
	}
}
