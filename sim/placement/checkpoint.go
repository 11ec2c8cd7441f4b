package placement

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"
	"slices"
)

// A Checkpoint is a search that can be resumed: what it searched, and the memo of
// the schemes that it evaluated. Its file is a line of JSON, then the schemes with
// their fitness in the order of evaluation, then a SHA-256 of all that.
type Checkpoint struct {
	Version string // of the program: another one may search otherwise
	Policy  string
	Problem *Problem
	Options Options // the budget, workers and Progress do not matter
}

// checkpointFormat names the file format; MaxHeader bounds its first line in bytes.
const (
	checkpointFormat = "stowage search 1"
	MaxHeader        = 1 << 20
)

// header is the first line of the file.
type header struct {
	Format      string   `json:"format"`
	Version     string   `json:"version"`
	Policy      string   `json:"policy"`
	Fingerprint string   `json:"problem"`
	Seed        int64    `json:"seed"`
	Fidelity    Fidelity `json:"fidelity"`
	Knobs       Knobs    `json:"knobs"`
	Scheme      []int    `json:"scheme,omitempty"`
	Devices     []int    `json:"devices,omitempty"`
	Keep        int      `json:"keep,omitempty"`
	Layers      int      `json:"layers"`
	Schemes     int      `json:"schemes"`
}

func (c *Checkpoint) header() header {
	h := header{
		Format: checkpointFormat, Version: c.Version, Policy: c.Policy, Fingerprint: c.Problem.Fingerprint(),
		Seed: c.Options.Seed, Fidelity: c.Options.Fidelity, Knobs: c.Options.Knobs, Devices: c.Options.Devices, Keep: c.Options.Keep,
		Layers: c.Problem.layers,
	}
	if h.Fidelity == "" {
		h.Fidelity = ClosedForm
	}
	for _, t := range c.Options.Scheme {
		h.Scheme = append(h.Scheme, int(t))
	}
	return h
}

// Write writes the checkpoint with what Options.Memo holds.
func (c *Checkpoint) Write(w io.Writer) error {
	m := c.Options.Memo
	h := c.header()
	h.Schemes = m.Len()
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	out.Write(append(line, '\n')) // of this and the next, Flush says what went wrong
	record := make([]byte, 0, m.layers+64)
	for at := range m.fitness {
		record = append(record[:0], m.scheme(at)...)
		if record, err = binary.Append(record, binary.LittleEndian, m.fitness[at]); err != nil {
			return err
		}
		out.Write(record)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// Read reads a file that Write wrote for the same search into Options.Memo, which
// it replaces. The error of a checkpoint of another search says what differs.
func (c *Checkpoint) Read(r io.Reader) error {
	sum := sha256.New()
	in := bufio.NewReaderSize(r, MaxHeader)
	line, err := in.ReadSlice('\n')
	var h header
	if err != nil || json.Unmarshal(line, &h) != nil || h.Format != checkpointFormat {
		return fmt.Errorf("it is no checkpoint of the format %q", checkpointFormat)
	}
	sum.Write(line)
	if err := c.differs(h); err != nil {
		return err
	}
	m := NewMemo(c.Problem)
	size := m.layers + binary.Size(Fitness{})
	record := make([]byte, size)
	for n := range h.Schemes {
		if _, err := io.ReadFull(in, record); err != nil {
			return fmt.Errorf("it ends within scheme %d of %d", n+1, h.Schemes)
		}
		sum.Write(record)
		var f Fitness
		if err := binary.Read(bytes.NewReader(record[m.layers:]), binary.LittleEndian, &f); err != nil {
			return err
		}
		if err := m.restore(Scheme(record[:m.layers]), f, c.Problem); err != nil {
			return fmt.Errorf("scheme %d of %d: %w", n+1, h.Schemes, err)
		}
	}
	end := make([]byte, sha256.Size+1)
	if n, err := io.ReadFull(in, end); n != sha256.Size || !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(end[:n], sum.Sum(nil)) {
		return fmt.Errorf("its checksum is wrong: it was damaged or changed")
	}
	c.Options.Memo = m
	return nil
}

// restore appends a scheme that was evaluated before.
func (m *Memo) restore(sc Scheme, f Fitness, p *Problem) error {
	if t := slices.Max(sc); int(t) >= p.pools {
		return fmt.Errorf("it uses pool %d of %d", t, p.pools)
	}
	before := m.Len()
	at, _ := m.visit(sc)
	if at != before || f.Value == 0 {
		return fmt.Errorf("it comes twice, has no fitness, or is one too many")
	}
	m.put(at, f)
	return nil
}

// differs says in what a checkpoint is not of this search; nil: in nothing.
func (c *Checkpoint) differs(h header) error {
	want := c.header()
	for _, d := range []struct {
		what      string
		got, want any
	}{
		{"version", h.Version, want.Version},
		{"placement policy", h.Policy, want.Policy},
		{"seed", h.Seed, want.Seed},
		{"fitness", h.Fidelity, want.Fidelity},
		{"number of layers", h.Layers, want.Layers},
		{"scheme", h.Scheme, want.Scheme},
		{"devices", h.Devices, want.Devices},
		{"number of finalists", h.Keep, want.Keep},
	} {
		if !reflect.DeepEqual(d.got, d.want) {
			return fmt.Errorf("it is of another search: its %s is %v, this one's %v", d.what, d.got, d.want)
		}
	}
	if h.Knobs != want.Knobs {
		return fmt.Errorf("it is of another search: its %s", h.Knobs.differs(want.Knobs))
	}
	if h.Fingerprint != want.Fingerprint {
		return fmt.Errorf("it is of another problem: the model, the cluster, the training, the lookups or the objective have changed since")
	}
	if h.Schemes < 0 || h.Schemes > MaxMemo {
		return fmt.Errorf("it claims %d schemes: from 0 to MaxMemo = %d", h.Schemes, MaxMemo)
	}
	return nil
}

// differs names the first knob that is another one.
func (k Knobs) differs(other Knobs) string {
	a, b := reflect.ValueOf(k), reflect.ValueOf(other)
	for i := range a.NumField() {
		section := a.Type().Field(i)
		for j := range section.Type.NumField() {
			knob := section.Type.Field(j)
			if x, y := a.Field(i).Field(j).Interface(), b.Field(i).Field(j).Interface(); x != y {
				return fmt.Sprintf("knob %s.%s is %v, this one's %v", section.Tag.Get("toml"), knob.Tag.Get("toml"), x, y)
			}
		}
	}
	return "knobs are this one's" // not asked then
}

// IsCheckpoint reports whether r begins as a checkpoint does.
func IsCheckpoint(r io.Reader) bool {
	want := fmt.Appendf(nil, `{"format":%q,`, checkpointFormat)
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	return err == nil && bytes.Equal(got, want)
}

// Fingerprint is a SHA-256 of everything in the problem that a search can depend
// on: all of it but functions, of which the store is known by what it answers.
func (p *Problem) Fingerprint() string {
	d := digest{h: sha256.New(), seen: map[uintptr]bool{}}
	d.value(reflect.ValueOf(p).Elem())
	if p.Store != nil {
		for t := range p.pools {
			d.number(p.Store(t, 1e6, 1e9))
		}
	}
	return hex.EncodeToString(d.h.Sum(nil))
}

// digest hashes values of any type, maps by sorted keys. Pointers are followed,
// each once.
type digest struct {
	h    hash.Hash
	buf  []byte
	seen map[uintptr]bool
}

func (d *digest) number(v any) {
	d.buf, _ = binary.Append(d.buf[:0], binary.LittleEndian, v) // it is of a fixed size
	d.h.Write(d.buf)
}

func (d *digest) text(s string) {
	d.number(int64(len(s)))
	io.WriteString(d.h, s)
}

func (d *digest) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		d.number(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.number(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.number(v.Uint())
	case reflect.Float32, reflect.Float64:
		d.number(v.Float())
	case reflect.String:
		d.text(v.String())
	case reflect.Slice, reflect.Array:
		d.number(int64(v.Len()))
		for i := range v.Len() {
			d.value(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.value(v.Field(i))
		}
	case reflect.Map:
		d.table(v)
	case reflect.Func:
		d.number(v.IsNil())
	case reflect.Pointer, reflect.Interface:
		if d.number(v.IsNil()); v.IsNil() {
			return
		}
		if v.Kind() == reflect.Pointer {
			if d.seen[v.Pointer()] {
				return
			}
			d.seen[v.Pointer()] = true
		}
		d.value(v.Elem())
	default:
		panic(fmt.Sprintf("placement: a problem holds a %s, which has no fingerprint", v.Kind()))
	}
}

// table hashes a map with keys of strings or integers.
func (d *digest) table(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		return bytes.Compare(fmt.Append(nil, a), fmt.Append(nil, b))
	})
	d.number(int64(len(keys)))
	for _, k := range keys {
		d.value(k)
		d.value(v.MapIndex(k))
	}
}
