package workloads

import (
	"strconv"
	"strings"
)

// module is an operation as PyTorch prints it: a name, arguments, and named
// modules inside, as in "Classifier(  (classifier): Linear(in_features=1024, out_features=8))".
type module struct {
	name     string
	args     string // what stands before the first inner module, trimmed
	children []child
}

type child struct {
	name string
	module
}

// maxModuleDepth limits how deep modules nest; deeper text counts as arguments.
const maxModuleDepth = 16

// parseModule never fails: text that it does not understand is a name without
// arguments, which no operation is known by.
func parseModule(text string) module {
	m, _ := scanModule(strings.TrimSpace(text), 0)
	return m
}

// scanModule reads one module from the start of text and returns the rest.
func scanModule(text string, depth int) (m module, rest string) {
	open := strings.IndexAny(text, "()")
	if open < 0 || text[open] == ')' {
		if open < 0 {
			open = len(text)
		}
		return module{name: strings.TrimSpace(text[:open])}, text[open:]
	}
	m.name = strings.TrimSpace(text[:open])
	text = text[open+1:]
	var args strings.Builder
	for level := 1; text != ""; {
		if name, after, ok := childName(text); ok && level == 1 && depth < maxModuleDepth {
			var c child
			c.name = name
			c.module, text = scanModule(after, depth+1)
			m.children = append(m.children, c)
			continue
		}
		switch text[0] {
		case '(':
			level++
		case ')':
			if level--; level == 0 {
				m.args = strings.TrimSpace(args.String())
				return m, text[1:]
			}
		}
		args.WriteByte(text[0])
		text = text[1:]
	}
	m.args = strings.TrimSpace(args.String())
	return m, ""
}

// childName reads "(name): " from the start of text.
func childName(text string) (name, rest string, ok bool) {
	if text[0] != '(' {
		return "", "", false
	}
	end := strings.IndexAny(text[1:], "()")
	if end < 0 || !strings.HasPrefix(text[1+end:], "): ") {
		return "", "", false
	}
	return text[1 : 1+end], text[1+end+len("): "):], true
}

// number returns the i-th argument, or the one called key; ok is false when
// there is none or it is no usable size. A pair such as (3, 3) is not a number.
func (m *module) number(i int, key string) (float64, bool) {
	for k, arg := range m.arguments() {
		name, value, named := strings.Cut(arg, "=")
		if named && name != key || !named && k != i {
			continue
		}
		if !named {
			value = arg
		}
		v, err := strconv.ParseFloat(value, 64)
		return v, err == nil && v >= 1 && v <= MaxShape
	}
	return 0, false
}

// pair returns the product of a pair such as kernel_size=(3, 3), or the square
// of a single number.
func (m *module) pair(key string) (float64, bool) {
	for _, arg := range m.arguments() {
		name, value, named := strings.Cut(arg, "=")
		if !named || name != key {
			continue
		}
		if !strings.HasPrefix(value, "(") {
			v, err := strconv.ParseFloat(value, 64)
			return v * v, err == nil && v >= 1 && v <= MaxShape
		}
		area := 1.0
		for part := range strings.SplitSeq(strings.Trim(value, "()"), ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			v, err := strconv.ParseFloat(part, 64)
			if err != nil || v < 1 || v > MaxShape {
				return 0, false
			}
			area *= v
		}
		return area, true
	}
	return 0, false
}

// arguments splits the arguments at commas outside brackets.
func (m *module) arguments() []string {
	var args []string
	level, start := 0, 0
	for i := range len(m.args) {
		switch m.args[i] {
		case '(':
			level++
		case ')':
			level--
		case ',':
			if level == 0 {
				args = append(args, strings.TrimSpace(m.args[start:i]))
				start = i + 1
			}
		}
	}
	return append(args, strings.TrimSpace(m.args[start:]))
}

// derive fills in what the file does not say: kind, FLOPs, traffic, stored
// activations, backward multiple. input and output are elements per sample;
// output is the first of several.
func (m *module) derive(l *Layer, fed bool, input, output float64) {
	l.Backward = elementwiseBackward
	l.Traffic = input + l.Output
	l.Stored = l.Output
	ops := 0.0 // FLOPs per element of output
	switch name := m.name; {
	case strings.HasPrefix(name, "Input") || !fed && l.Params == 0:
		l.Kind, l.Backward, l.Stored = Input, 0, 0
	case name == "View" || name == "Size" || name == "__getitem__":
		l.Kind, l.Traffic, l.Stored = Activation, 0, 0
	case name == "Conv1d" || name == "Conv2d" || name == "Conv3d":
		l.Kind, l.Backward, ops = Conv, matrixBackward, m.convFLOPs()
	case strings.HasPrefix(name, "BatchNorm") || name == "LayerNorm" || name == "GroupNorm":
		l.Kind, ops = Norm, normOps
	case strings.Contains(name, "Pool"):
		l.Kind = Pool
		ops, _ = m.pair("kernel_size")
	case name == "Embedding":
		l.Kind, l.Backward = Embedding, embeddingBackward
		l.Traffic += l.Output // the rows are read beside the keys that come in
	case name == "Concat":
		l.Kind = Interaction
	case isActivation(name):
		l.Kind, ops = Activation, 1
		if strings.Contains(m.args, "inplace") {
			l.Stored = 0
		}
	default:
		m.deriveMatrix(l, output)
		return
	}
	l.FLOPs = ops * output
}

func isActivation(name string) bool {
	switch name {
	case "ReLU", "ReLU6", "LeakyReLU", "ELU", "GELU", "Sigmoid", "Tanh", "Softmax", "Dropout", "Add", "Mul", "Sub":
		return true
	}
	return false
}

// convFLOPs returns the FLOPs of a convolution for each element of its output.
func (m *module) convFLOPs() float64 {
	in, ok := m.number(0, "in_channels")
	area, okArea := m.pair("kernel_size")
	if !ok || !okArea {
		return 0
	}
	groups, ok := m.number(-1, "groups")
	if !ok {
		groups = 1
	}
	return 2 * in / groups * area
}

// deriveMatrix handles Linear, LSTM and GRU, and modules made of them. All
// matrices are taken to see as many tokens as the module puts out: output
// divided by the width of the first matrix.
//
// PipeDream's EmuBidirLSTM prints a bidirectional LSTM and then the two
// one-way LSTMs that it is emulated by; only the first is run.
func (m *module) deriveMatrix(l *Layer, output float64) {
	products := m.products(nil)
	if len(products) == 0 {
		l.Kind = Block
		return
	}
	if m.name == "EmuBidirLSTM" {
		products = products[:1]
	}
	l.Kind, l.Backward = products[0].kind, matrixBackward
	macs := 0.0
	for _, p := range products {
		macs += p.macs
		if p.kind != l.Kind {
			l.Kind = Block
		}
	}
	l.FLOPs = 2 * macs * output / products[0].width
}

// matrixProduct is one product of a token with a matrix.
type matrixProduct struct {
	kind  Kind
	macs  float64 // multiply-adds per token
	width float64 // outputs per token
}

// products collects the matrix products of a module and those inside it.
func (m *module) products(list []matrixProduct) []matrixProduct {
	switch m.name {
	case "Linear":
		in, okIn := m.number(0, "in_features")
		out, okOut := m.number(1, "out_features")
		if okIn && okOut {
			list = append(list, matrixProduct{Linear, in * out, out})
		}
	case "LSTM", "GRU":
		in, okIn := m.number(0, "input_size")
		hidden, okHidden := m.number(1, "hidden_size")
		if okIn && okHidden {
			gates := map[string]float64{"LSTM": 4, "GRU": 3}[m.name]
			list = append(list, m.recurrent(gates, in, hidden))
		}
	}
	for i := range m.children {
		list = m.children[i].products(list)
	}
	return list
}

// recurrent counts a recurrent module with the given number of gates: each
// layer beyond the first takes in what the one below puts out, both ways.
func (m *module) recurrent(gates, in, hidden float64) matrixProduct {
	ways := 1.0
	if strings.Contains(m.args, "bidirectional=True") {
		ways = 2
	}
	layers, ok := m.number(-1, "num_layers")
	if !ok {
		layers = 1
	}
	macs := ways * gates * hidden * ((in + hidden) + (layers-1)*(ways*hidden+hidden))
	return matrixProduct{Recurrent, macs, ways * hidden}
}
