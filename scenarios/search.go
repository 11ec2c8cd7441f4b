package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"stowage/sim/placement"
)

// Searching is how the search of a run is watched, kept and resumed.
type Searching struct {
	Progress func(placement.Progress) // told now and then; nil: nobody
	Resume   io.Reader                // a checkpoint to go on from; nil: from the beginning

	// Save stores what write writes: a checkpoint, every SaveEvery and at the end of
	// the search, whatever ended it. nil: nothing is kept.
	Save func(write func(io.Writer) error) error
}

// SaveEvery is the time between two checkpoints of one search.
const SaveEvery = time.Minute

// SearchInterrupted says that a search was interrupted. The best scheme that it had
// found, if any fits, was run.
type SearchInterrupted struct {
	Scenario    string
	Evaluations int
	Feasible    bool // a scheme that fits was found
	err         error
}

func (e *SearchInterrupted) Error() string {
	return fmt.Sprintf("%s: the search was interrupted after %d evaluations", e.Scenario, e.Evaluations)
}

func (e *SearchInterrupted) Unwrap() error { return e.err }

// ResumeError says why a search cannot go on from a checkpoint.
type ResumeError struct{ err error }

func (e *ResumeError) Error() string {
	return fmt.Sprintf("the checkpoint cannot be resumed: %v", e.err)
}

func (e *ResumeError) Unwrap() error { return e.err }

// search runs the placement policy. An outcome comes with an error when ctx ended
// the search, or when a checkpoint could not be stored.
func (s *Scenario) search(ctx context.Context, p *placement.Problem, version string) (*placement.Outcome, error) {
	opt, how := s.Search, s.Searching
	kept := placement.Checkpoint{Version: version, Policy: s.Policy.Name, Problem: p, Options: opt}
	if how.Resume != nil {
		if err := kept.Read(how.Resume); err != nil {
			return nil, &ResumeError{err}
		}
	} else if how.Save != nil {
		kept.Options.Memo = placement.NewMemo(p)
	}
	opt.Memo = kept.Options.Memo
	var lost error
	last := time.Now()
	opt.Progress = how.Progress
	if how.Save != nil {
		opt.Progress = func(at placement.Progress) {
			if how.Progress != nil {
				how.Progress(at)
			}
			if time.Since(last) >= SaveEvery && lost == nil {
				lost = how.Save(kept.Write)
				last = time.Now()
			}
		}
	}
	outcome, err := s.Policy.Search(ctx, p, opt)
	if outcome == nil {
		return nil, fmt.Errorf("placement %s: %w", s.Policy.Name, err)
	}
	if err != nil {
		err = &SearchInterrupted{s.Name, outcome.Evaluations, outcome.Fitness.Feasible, err}
	}
	if how.Save != nil && lost == nil {
		lost = how.Save(kept.Write)
	}
	if lost != nil {
		err = errors.Join(err, fmt.Errorf("the checkpoint is not written: %w", lost))
	}
	return outcome, err
}
