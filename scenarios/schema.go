package scenarios

import (
	_ "embed" // scenario.schema.json
	"slices"
)

// scenarioSchema is written by TestSchemaIsCurrent -update from the types that Load fills
// and the comments on them.
//
//go:embed scenario.schema.json
var scenarioSchema []byte

// SchemaFile is the name of the schema beside scenarios, which their first line names.
const SchemaFile = "scenario.schema.json"

// Schema returns the JSON Schema (draft 2020-12) of scenario files, by which editors
// complete and check them. What needs more than one value to be judged is left to Load.
// The caller may keep and change the bytes.
func Schema() []byte { return slices.Clone(scenarioSchema) }
