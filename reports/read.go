package reports

import (
	"encoding/json"
	"errors"
	"fmt"

	"stowage/sim"
)

// ReadResult reads what JSON wrote: a result.json. Fields that a later version added are
// left out.
func ReadResult(data []byte) (*sim.Result, error) {
	var r sim.Result
	if err := json.Unmarshal(data, &r); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("no result of a run: %s is a %s", wrong.Field, wrong.Value)
		}
		return nil, fmt.Errorf("no result of a run: %w", err)
	}
	// What every result has; a comparison or some other JSON has not.
	if r.Version == "" || len(r.Metrics) == 0 || r.Scheme.Placement == "" {
		return nil, errors.New("no result of a run: it has no version, metrics or scheme; `stowage run` writes result.json")
	}
	if err := checkScheme(&r.Scheme); err != nil {
		return nil, fmt.Errorf("no result of a run: %w", err)
	}
	return &r, checkFinite(&r)
}

// checkScheme refuses stages of layers that there are not.
func checkScheme(s *sim.Scheme) error {
	for i := range s.Stages {
		for _, l := range s.Stages[i].Layers {
			if l < 0 || l >= len(s.Layers) {
				return fmt.Errorf("stage %d has layer %d of %d", i+1, l, len(s.Layers))
			}
		}
	}
	return nil
}
