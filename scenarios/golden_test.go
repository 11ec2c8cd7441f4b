package scenarios

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stowage/sim"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenRounds cuts the runs of scenarios with slot tables, whose lookups take most
// of the time; their hit ratios are thus colder than those of the whole run.
const goldenRounds = 8

// golden is what is compared: small enough to be read in a review.
type golden struct {
	Rounds  int
	Metrics sim.Metrics
	Stages  []sim.Stage
	Last    sim.Round
	Sweep   *sim.Sweep      `json:",omitempty"`
	Levels  *sim.Levels     `json:",omitempty"`
	WhatIf  *sim.WhatIf     `json:",omitempty"`
	Jobs    []sim.SharedJob `json:",omitempty"`
	Lost    []sim.LostTime  `json:",omitempty"`
}

// Every shipped scenario runs, and its figures are those of the golden file.
func TestShippedScenarios(t *testing.T) {
	paths, err := filepath.Glob("*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			s, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if s.Slots != nil {
				s.Rounds = goldenRounds
			}
			if s.Sweep != nil { // the smallest and the largest tables
				c := s.Sweep.Capacities
				s.Sweep.Capacities = []Amount{c[0], c[len(c)-1]}
				s.Sweep.Replacements = s.Sweep.Replacements[:1]
			}
			r := run(t, s)
			if r.Levels != nil { // stages say it in words
				for i := range r.Levels.Finalists {
					r.Levels.Finalists[i].Layers = nil
				}
			}
			g := golden{len(r.Rounds), r.Metrics, r.Scheme.Stages, r.Rounds[len(r.Rounds)-1], r.Sweep, r.Levels, r.WhatIf, r.Jobs, r.Lost}
			got, err := json.MarshalIndent(g, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", "golden", strings.TrimSuffix(path, ".toml")+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run go test ./scenarios -update", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; if that is meant, run go test ./scenarios -update and review the difference. Got\n%s", file, got)
			}
		})
	}
}
