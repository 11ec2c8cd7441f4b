package scenarios

import (
	"io"
	"os"
	"strings"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/workloads"
)

// MaxModelBytes bounds a model or profile file named by a scenario.
const MaxModelBytes = 64 << 20

// ModelFormats are the formats that model.format takes.
var ModelFormats = []string{"toml", "pipedream", "dnn-partitioning"}

func (b *builder) model() {
	m := &b.f.Model
	switch {
	case m.Transformer != nil:
		b.transformer(m)
	case m.Use != "" && m.File != "":
		b.fail(spec.Path{"model", "file"}, "a model comes from use or from file, not from both")
	case m.Use != "":
		for _, k := range []string{"format", "device", "batch", "cpu", "accelerator", "ignore_cost"} {
			if b.doc.Has(spec.Path{"model", k}) {
				b.fail(spec.Path{"model", k}, "it goes with model.file only")
			}
		}
		model, err := workloads.LookupModel(m.Use)
		if err != nil {
			b.fail(spec.Path{"model", "use"}, "%v", err)
			return
		}
		b.sc.Model = model
	case m.File != "":
		b.modelFile(m)
	default:
		b.missing(spec.Path{"model", "use"}, `the name of a shipped model, e.g. "ctrdnn" (or file = "graph.txt", or transformer = { layers, hidden, heads, sequence })`)
	}
}

// transformer generates the model whose shape the section gives.
func (b *builder) transformer(m *modelFile) {
	for _, k := range []string{"use", "file", "format", "device", "batch", "cpu", "accelerator", "ignore_cost"} {
		if b.doc.Has(spec.Path{"model", k}) {
			b.fail(spec.Path{"model", k}, "a model comes from use, from file or from transformer: from one of them")
			return
		}
	}
	model, err := m.Transformer.Model("transformer")
	if err != nil {
		key, _, _ := strings.Cut(err.Error(), ":")
		b.fail(spec.Path{"model", "transformer", key}, "%s", strings.TrimPrefix(err.Error(), key+": "))
		return
	}
	b.sc.Model = model
}

func (b *builder) modelFile(m *modelFile) {
	format := m.Format
	if format == "" {
		format = "toml"
	}
	if !b.oneOf(spec.Path{"model", "format"}, format, ModelFormats) {
		return
	}
	for _, k := range formatKeys {
		if at := (spec.Path{"model", k.key}); k.format != format && b.doc.Has(at) {
			b.fail(at, "it goes with format = %q only", k.format)
		}
	}
	path := b.resolve(m.File)
	r, err := os.Open(path)
	if err != nil {
		b.fail(spec.Path{"model", "file"}, "%v", err)
		return
	}
	defer r.Close()
	limited := &io.LimitedReader{R: r, N: MaxModelBytes + 1}
	model, ok := b.readModel(m, format, path, limited)
	if limited.N <= 0 {
		b.fail(spec.Path{"model", "file"}, "%s is larger than the limit MaxModelBytes = %d", path, MaxModelBytes)
		return
	}
	if ok {
		b.sc.Model = model
	}
}

// formatKeys are the keys of section model that go with one format only.
var formatKeys = []struct{ key, format string }{
	{"device", "pipedream"}, {"batch", "pipedream"},
	{"cpu", "dnn-partitioning"}, {"accelerator", "dnn-partitioning"}, {"ignore_cost", "dnn-partitioning"},
}

func (b *builder) readModel(m *modelFile, format, path string, r io.Reader) (*workloads.Model, bool) {
	var model *workloads.Model
	var err error
	switch format {
	case "pipedream":
		if !b.knownDevice("device", m.Device, "the device type that was measured") {
			return nil, false
		}
		if !b.doc.Has(spec.Path{"model", "batch"}) {
			b.missing(spec.Path{"model", "batch"}, "the batch that was measured, e.g. 128")
			return nil, false
		}
		if m.Batch < 1 {
			b.fail(spec.Path{"model", "batch"}, "%d: the batch that was measured, at least 1", m.Batch)
			return nil, false
		}
		model, err = workloads.ImportPipeDream(path, r, workloads.PipeDreamOptions{Device: m.Device, Batch: m.Batch})
	case "dnn-partitioning":
		cpu := b.knownDevice("cpu", m.CPU, "the device type of cpuLatency")
		if !b.knownDevice("accelerator", m.Accelerator, "the device type of fpgaLatency") || !cpu {
			return nil, false
		}
		model, err = workloads.ImportPartitioning(path, r, workloads.PartitioningOptions{
			CPU: m.CPU, Accelerator: m.Accelerator, IgnoreCost: m.IgnoreCost,
		})
	default:
		data, e := io.ReadAll(r)
		if e != nil {
			b.fail(spec.Path{"model", "file"}, "%v", e)
			return nil, false
		}
		model, err = workloads.ParseModel(path, data)
	}
	if err != nil {
		b.fail(spec.Path{"model", "file"}, "%v", err)
		return nil, false
	}
	return model, true
}

// knownDevice checks a device type named in the model section.
func (b *builder) knownDevice(key, name, what string) bool {
	if name == "" {
		b.missing(spec.Path{"model", key}, what+`, e.g. "v100-16"`)
		return false
	}
	if _, err := hw.LookupDevice(name); err != nil {
		b.fail(spec.Path{"model", key}, "%v", err)
		return false
	}
	return true
}

// accepted ends a message about a name that is none of the known ones: with the
// nearest of them, if one is near, and all of them.
func accepted(name string, known []string) string {
	all := " (known: " + strings.Join(known, ", ") + ")"
	if n := unit.Nearest(name, known); n != "" {
		return "; did you mean \"" + n + "\"?" + all
	}
	return all
}
