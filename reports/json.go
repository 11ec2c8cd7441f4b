package reports

import (
	_ "embed" // result.schema.json
	"encoding/json"
	"io"
	"slices"

	"stowage/sim"
)

//go:embed result.schema.json
var resultSchema []byte

// Schema returns the JSON Schema (draft 2020-12) of what JSON writes. The
// caller may keep and change the bytes.
func Schema() []byte { return slices.Clone(resultSchema) }

// JSON writes r as one indented JSON document with a newline at its end. The
// shape is that of Schema. Durations are integer nanoseconds, memory is in
// bytes, shares and ratios are between 0 and 1.
func JSON(w io.Writer, r *sim.Result) error {
	if err := checkFinite(r); err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(withoutNulls(r))
}

// withoutNulls returns a copy of r whose required lists are empty where those
// of r are nil, so that readers find [] and never null.
func withoutNulls(r *sim.Result) *sim.Result {
	c := *r
	s := &c.Scheme
	for _, list := range []*[]string{&s.LayerNames, &s.Layers, &s.Pools} {
		if *list == nil {
			*list = []string{}
		}
	}
	s.Stages = append([]sim.Stage{}, s.Stages...)
	for i := range s.Stages {
		if s.Stages[i].Layers == nil {
			s.Stages[i].Layers = []int{}
		}
	}
	c.Curves = slices.Clone(c.Curves)
	for i := range c.Curves {
		if c.Curves[i].Points == nil {
			c.Curves[i].Points = []sim.CurvePoint{}
		}
	}
	return &c
}
