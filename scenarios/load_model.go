package scenarios

import (
	"io"
	"os"
	"slices"

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
		b.missing(spec.Path{"model", "use"}, `the name of a shipped model, e.g. "ctrdnn" (or file = "graph.txt")`)
	}
}

func (b *builder) modelFile(m *modelFile) {
	format := m.Format
	if format == "" {
		format = "toml"
	}
	if !slices.Contains(ModelFormats, format) {
		b.fail(spec.Path{"model", "format"}, "%q%s: one of %q", format, didYouMean(format, ModelFormats), ModelFormats)
		return
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

func (b *builder) readModel(m *modelFile, format, path string, r io.Reader) (*workloads.Model, bool) {
	var model *workloads.Model
	var err error
	switch format {
	case "pipedream":
		if !b.knownDevice("device", m.Device, "the device type that was measured") {
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

// didYouMean returns "; did you mean X?" or nothing.
func didYouMean(name string, known []string) string {
	if n := unit.Nearest(name, known); n != "" {
		return "; did you mean \"" + n + "\"?"
	}
	return ""
}
