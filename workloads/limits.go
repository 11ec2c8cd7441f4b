package workloads

import (
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// Limits on what a model may be. They keep a wrong or hostile file from taking
// the machine's memory; real models stay far below them.
const (
	MaxLayers      = 20_000   // layers of a model, after repetition
	MaxEdges       = 200_000  // edges of a model
	MaxOps         = 1_000    // operations of one layer of a model file
	MaxTables      = 100_000  // tables of a model, after repetition
	MaxPoints      = 1_000    // measured times of one layer
	MaxTensor      = 1 << 10  // devices that compute a layer together
	MaxRows        = 1 << 32  // rows of one layer's tables must stay below: row ids are 32-bit
	MaxDim         = 1 << 16  // elements of a table's row
	MaxLookups     = 1 << 20  // lookups of one table per sample
	MaxParams      = 1 << 48  // dense parameters of one layer
	MaxImportBytes = 64 << 20 // size of an imported profile or graph
	MaxAmount      = 1e18     // any count of FLOPs, elements, bytes or seconds
	MaxShape       = 1 << 30  // any width, size or count in a model file
)

// readLimited reads all of r, up to MaxImportBytes.
func readLimited(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxImportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > MaxImportBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes (workloads.MaxImportBytes); is it the right file?", name, MaxImportBytes)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: is not UTF-8 text; is it the right file?", name)
	}
	return data, nil
}

// amountError says why v cannot be an amount, or returns nil.
func amountError(v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("%v is not a finite number", v)
	case v < 0:
		return fmt.Errorf("%v is negative; it must be 0 or more", v)
	case v > MaxAmount:
		return fmt.Errorf("%v is above %g (workloads.MaxAmount)", v, float64(MaxAmount))
	}
	return nil
}
