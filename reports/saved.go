package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stowage/sim"
)

// Run is something saved that can be drawn again, and what it is called beside others.
// One of Result, Comparison and Replay is given.
type Run struct {
	Label      string
	Result     *sim.Result
	Comparison *sim.Comparison
	Replay     *Replay
}

// savedFiles are the files that hold what commands saved, in the order in which a folder
// is looked through.
var savedFiles = []string{ResultFile, ComparisonFile, ReplayFile}

// ReadSaved reads what run, compare or replay saved: a file, or the folder that it lies
// in. Of a replay every trace is one. Runs have no labels yet.
func ReadSaved(path string) ([]Run, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file, err := savedIn(path)
		if err != nil {
			return nil, err
		}
		path = file
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	runs, err := readSaved(data)
	if err != nil {
		if filepath.Base(path) == CompareFile {
			err = fmt.Errorf("%s beside it is what can be drawn", ComparisonFile)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r := runs[0].Result; r != nil {
		beside := filepath.Join(filepath.Dir(path), TimelineFile)
		if err := readTimeline(r, beside); err != nil {
			return nil, fmt.Errorf("%s: %w", beside, err)
		}
	}
	return runs, nil
}

// savedIn is the file of a folder that can be drawn.
func savedIn(dir string) (string, error) {
	for _, name := range savedFiles {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("%s: there is no %s in it: run, compare and replay -o write one", dir, strings.Join(savedFiles, ", no "))
}

// readSaved tells results, comparisons and replays apart.
func readSaved(data []byte) ([]Run, error) {
	if start := bytes.TrimSpace(data); len(start) > 0 && start[0] == '[' {
		replays, err := readReplays(data)
		runs := make([]Run, len(replays))
		for i, r := range replays {
			runs[i].Replay = r
		}
		return runs, err
	}
	var kind struct {
		Runs json.RawMessage `json:"runs"`
	}
	if json.Unmarshal(data, &kind) == nil && kind.Runs != nil {
		c, err := readComparison(data)
		return []Run{{Comparison: c}}, err
	}
	r, err := ReadResult(data)
	return []Run{{Result: r}}, err
}

// readTimeline gives a result the timeline that lies beside it, if one does.
func readTimeline(r *sim.Result, path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return addTimeline(r, data)
}

// kind is what was saved, in a word.
func (r *Run) kind() string {
	switch {
	case r.Comparison != nil:
		return "comparison"
	case r.Replay != nil:
		return "replay"
	}
	return "run"
}

// scenario is what a person calls it who has seen the command.
func (r *Run) scenario() (name string, seed int64) {
	switch {
	case r.Comparison != nil:
		return r.Comparison.Scenario, 0
	case r.Replay != nil:
		return filepath.Base(r.Replay.Trace), 0
	}
	return r.Result.Scenario, r.Result.Seed
}
