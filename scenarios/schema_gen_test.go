package scenarios

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/rounds"
	"stowage/sim/slots"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

// The schema of scenarios is generated from the types that Load fills: their keys and
// kinds, the comments on them, and the words that the packages below accept.

// ordered is a JSON object whose keys keep their order.
type ordered []struct {
	key   string
	value any
}

func (o *ordered) set(key string, value any) {
	*o = append(*o, struct {
		key   string
		value any
	}{key, value})
}

func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for k, v := range []any{e.key, e.value} {
			if k == 1 {
				b.WriteByte(':')
			}
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// words are the values of keys that take one of a few.
func words() map[string][]string {
	names := func(all []hw.Topology) (s []string) {
		for _, t := range all {
			s = append(s, string(t))
		}
		return s
	}
	devices, nodes, links := []string{}, []string{}, []string{}
	for _, d := range hw.Devices() {
		devices = append(devices, d.Name)
	}
	for _, n := range hw.Nodes() {
		nodes = append(nodes, n.Name)
	}
	for _, l := range hw.Links() {
		links = append(links, l.Name)
	}
	rules := []string{string(rounds.Inclusive), string(rounds.Exclusive)}
	duplex := []string{"full", "half"}
	return map[string][]string{
		"model.use": workloads.Models(), "model.format": ModelFormats,
		"model.device": devices, "model.cpu": devices, "model.accelerator": devices,
		"cluster.pool.device": devices, "cluster.pool.node": nodes,
		"cluster.pool.nic": links, "cluster.pool.host_link": links, "cluster.pool.peer_link": links,
		"cluster.network.topology": names(hw.Topologies()), "cluster.network.duplex": duplex, "cluster.network.link.duplex": duplex,
		"training.schedule":  pipeline.ScheduleNames(),
		"training.precision": {"fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8"},
		"training.optimizer": {"sgd", "momentum", "adagrad", "adam"}, "training.sync": {"ring", "ps", "none"},
		"training.collective": strs(network.Algorithms()),
		"training.recompute":  placement.Recomputes(), "training.transfers": placement.TransfersNames(), "training.collective_times": {"links", "measured"},
		"training.shares": placement.SharesNames(), "cluster.pool.beside": devices,
		"placement.policy": placement.PolicyNames(), "placement.fitness": {string(placement.ClosedForm), string(placement.Recurrence)},
		"placement.merge": placement.Merges(), "placement.communication": placement.Communications(),
		"placement.objective":         {string(placement.Throughput), string(placement.Cost), string(placement.Time)},
		"placement.genetic.selection": {"tournament", "roulette"}, "placement.genetic.crossover": {"two-point", "one-point", "uniform"},
		"placement.genetic.duplicates": {"generation", "ever", "keep"}, "placement.local.descent": {"first", "steepest"},
		"lookups.generator": lookups.Generators(), "lookups.format": append(lookups.Formats(), "oracleGeneral"),
		"expect.metric":     metricNames(),
		"slots.replacement": replacementNames(), "sweep.replacement": replacementNames(),
		"slots.shortage": strs(slots.ShortageRules()), "slots.scope": strs(rounds.Scopes()), "slots.release": strs(rounds.Releases()),
		"slots.write_back": strs(rounds.WriteBacks()), "slots.state": {"slot", "host"}, "slots.exchange": strs(rounds.Collectives()),
		"recovery.mode": sim.RecoveryModes(),
		"slots.wiring":  strs(rounds.Wirings()), "slots.host.rule": rules, "slots.ssd.rule": rules, "slots.remote.rule": rules,
	}
}

func strs[T ~string](all []T) (s []string) {
	for _, x := range all {
		s = append(s, string(x))
	}
	return s
}

// ranges are the least and the most of numbers; "": there is none.
var ranges = map[string][2]any{
	"cluster.pool.count": {1, MaxDevices}, "training.batch": {1, MaxBatch}, "training.microbatches": {1, 1 << 20},
	"training.rounds": {1, MaxRounds}, "training.samples": {1, nil}, "training.comm_parallel": {0, 1},
	"training.zero": {0, 3}, "training.tensor_parallel": {1, MaxTensorParallel}, "training.replica_batch": {1, MaxBatch},
	"cluster.pool.tensor_parallel": {1, MaxTensorParallel},
	"placement.min_throughput":     {0, nil}, "placement.max_cost": {0, nil}, "placement.evaluations": {1, MaxEvaluations},
	"placement.finalists": {0, MaxFinalists}, "placement.improve": {0, MaxImprove}, "placement.devices": {1, MaxDevices},
	"slots.lookahead": {0, MaxLookahead}, "slots.queue": {0, MaxLookahead}, "slots.pass": {0, MaxLookahead},
	"slots.ways": {0, MaxLookahead}, "slots.window": {0, MaxLookahead}, "slots.read": {0, nil},
	"slots.remote.servers": {1, MaxLookahead}, "whatif.cluster.throughput": {0, nil}, "whatif.cluster.limit.count": {1, MaxDevices},
	"limits.events": {1, nil}, "limits.trace_keys": {1, nil}, "limits.trace_lookups": {1, nil},
}

// needed are the keys without which a section means nothing.
var needed = map[string][]string{
	"": {"model", "cluster", "training"}, "cluster": {"pool"}, "cluster.pool": {"device", "count"}, "training": {"batch"},
	"lookups": {"generator"}, "slots": {"capacity"}, "sweep": {"capacity"}, "cluster.network": {"topology"},
	"cluster.network.link": {"from", "to"}, "whatif.price": {"pool"}, "whatif.cluster": {"throughput"}, "whatif.cluster.limit": {"pool", "count"},
	"slots.remote": {"servers"}, "slots.host": {"capacity"}, "model.transformer": {"layers", "hidden", "heads", "sequence"},
}

// quantities are texts with a unit, and what they look like.
var quantities = map[reflect.Type]string{
	reflect.TypeFor[unit.Bytes]():    "32 GiB",
	reflect.TypeFor[unit.Rate]():     "900 GB/s",
	reflect.TypeFor[unit.Price]():    "2.42 USD/h",
	reflect.TypeFor[unit.RowRate]():  "2.4 Grows/s",
	reflect.TypeFor[unit.Duration](): "5 us",
}

// generator makes the schema.
type generator struct {
	t        *testing.T
	words    map[string][]string
	comments map[string]string // Type.Field and Type
	used     map[string]bool   // of the tables above
}

func (g *generator) note(path string, table string) { g.used[table+" "+path] = true }

// section is a table of a scenario.
func (g *generator) section(typ reflect.Type, presets reflect.Value, path string) ordered {
	var properties ordered
	g.fields(typ, presets, path, &properties)
	var o ordered
	o.set("type", "object")
	if d := g.comments[typ.Name()]; d != "" && path != "" {
		d = strings.TrimPrefix(strings.TrimPrefix(d, typ.Name()+" "), "is ")
		o.set("description", capital(d))
	}
	o.set("additionalProperties", false)
	if keys := needed[path]; keys != nil {
		o.set("required", keys)
		g.note(path, "needed")
	}
	o.set("properties", properties)
	return o
}

func (g *generator) fields(typ reflect.Type, presets reflect.Value, path string, into *ordered) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		var preset reflect.Value
		if presets.IsValid() {
			preset = presets.Field(i)
		}
		if f.Anonymous {
			g.fields(f.Type, preset, path, into)
			continue
		}
		key := f.Tag.Get("toml")
		at := strings.TrimPrefix(path+"."+key, ".")
		v := g.value(f.Type, preset, at)
		if d := capital(g.comments[typ.Name()+"."+f.Name]); d != "" {
			if i := v.index("description"); i >= 0 {
				v[i].value = d + ". " + v[i].value.(string)
			} else {
				v.set("description", d)
			}
		} else if v.index("properties") < 0 && v.index("description") < 0 {
			g.t.Errorf("%s.%s, key %s: give the field a comment: editors show it", typ.Name(), f.Name, at)
		}
		into.set(key, v)
	}
}

// capital begins a phrase as a sentence.
func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (o ordered) index(key string) int {
	for i := range o {
		if o[i].key == key {
			return i
		}
	}
	return -1
}

// value is the schema of what stands at a path.
func (g *generator) value(typ reflect.Type, preset reflect.Value, path string) (o ordered) {
	for typ.Kind() == reflect.Pointer {
		typ, preset = typ.Elem(), reflect.Value{}
	}
	switch example := quantities[typ]; {
	case example != "":
		o.set("type", "string")
		o.set("pattern", `^\s*[0-9.+]`)
		o.set("examples", []string{example})
		return o
	case typ == reflect.TypeFor[unit.Ratio]():
		o.set("type", []string{"number", "string"})
		o.set("examples", []any{"5 %", 0.05})
		o.set("pattern", `^\s*[0-9.+]`)
		o.set("minimum", 0)
		return o
	case typ == reflect.TypeFor[Amount]():
		o.set("type", []string{"integer", "string"})
		o.set("description", `A number of slots, a share of the rows, or memory`)
		o.set("examples", []any{100000, "5 %", "2 GiB"})
		o.set("pattern", `^\s*[0-9.+].*(%|B)\s*$`)
		o.set("minimum", 1)
		return o
	}
	switch typ.Kind() {
	case reflect.Struct:
		return g.section(typ, preset, path)
	case reflect.Slice:
		o.set("type", "array")
		o.set("items", g.value(typ.Elem(), reflect.Value{}, path))
		return o
	case reflect.String:
		o.set("type", "string")
		if known := g.words[path]; known != nil {
			o.set("enum", known)
			g.note(path, "words")
		}
	case reflect.Bool:
		o.set("type", "boolean")
	case reflect.Float64:
		o.set("type", "number")
	default:
		o.set("type", "integer")
	}
	if r, ok := ranges[path]; ok {
		for i, name := range []string{"minimum", "maximum"} {
			if r[i] != nil {
				o.set(name, r[i])
			}
		}
		g.note(path, "ranges")
	}
	if preset.IsValid() && !preset.IsZero() {
		o.set("default", preset.Interface())
	}
	return o
}

// commentsOf reads the comments on types and fields of the packages that a scenario is
// read into.
func commentsOf(t *testing.T, folders ...string) map[string]string {
	comments := map[string]string{}
	flow := func(groups ...*ast.CommentGroup) string {
		var all []string
		for _, g := range groups {
			all = append(all, strings.Fields(g.Text())...)
		}
		return strings.Join(all, " ")
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				decl, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, s := range decl.Specs {
					typ, ok := s.(*ast.TypeSpec)
					if !ok {
						continue
					}
					comments[typ.Name.Name] = flow(decl.Doc)
					fields, ok := typ.Type.(*ast.StructType)
					if !ok {
						continue
					}
					for _, field := range fields.Fields.List {
						for _, n := range field.Names {
							comments[typ.Name.Name+"."+n.Name] = flow(field.Doc, field.Comment)
						}
					}
				}
			}
		}
	}
	return comments
}

// generatedSchema is the schema as the types are now.
func generatedSchema(t *testing.T) []byte {
	g := &generator{t: t, words: words(), comments: commentsOf(t, ".", "../sim/placement", "../workloads"), used: map[string]bool{}}
	var o ordered
	o.set("$schema", "https://json-schema.org/draft/2020-12/schema")
	o.set("title", "Stowage scenario")
	o.set("description", "An experiment of stowage. `stowage check` judges also what needs more than one value to be judged.")
	o = append(o, g.section(reflect.TypeFor[file](), reflect.ValueOf(defaults()), "")...)
	for path := range g.words {
		if !g.used["words "+path] {
			t.Errorf("there is no key %s that takes words", path)
		}
	}
	for path := range ranges {
		if !g.used["ranges "+path] {
			t.Errorf("there is no key %s that takes a number", path)
		}
	}
	for path := range needed {
		if !g.used["needed "+path] {
			t.Errorf("there is no section %q", path)
		}
	}
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// The schema is that of the types that Load fills.
func TestSchemaIsCurrent(t *testing.T) {
	want := generatedSchema(t)
	if *update && !t.Failed() {
		if err := os.WriteFile(SchemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema(), want) {
		t.Errorf("%s is not current: run go test ./scenarios -run Schema -update", SchemaFile)
	}
}
