package scenarios

import (
	_ "embed" // starter.toml
	"slices"
)

//go:embed starter/starter.toml
var starter []byte

// Starter returns a scenario with comments to begin from. It runs in seconds. The caller
// may keep and change the bytes.
func Starter() []byte { return slices.Clone(starter) }
