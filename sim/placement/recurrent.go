package placement

import (
	"math"
	"math/rand/v2"
)

// recurrent is a recurrent network with a softmax: at every layer of the model it
// reads features and the pool chosen for the layer before, and gives each pool a
// probability. Its cell is an LSTM (Hochreiter and Schmidhuber, Neural Computation
// 9, 1997, with forget gates) or a plain tanh unit (Elman, Cognitive Science 14,
// 1990).
type recurrent struct {
	in, hidden, out int
	gates           int // 4: LSTM (input, forget, output, candidate); 1: tanh

	// w holds a row for each gate and hidden unit: weights of the inputs, of the
	// hidden units before, a bias. Then a row for each output: weights of the hidden
	// units, a bias.
	w []float64
}

// newRecurrent draws weights uniformly within 1 / sqrt(hidden); an LSTM's forget
// gates start open (Gers, Schmidhuber and Cummins, 2000).
func newRecurrent(in, hidden, out int, lstm bool, r *rand.Rand) *recurrent {
	n := &recurrent{in: in, hidden: hidden, out: out, gates: 1}
	if lstm {
		n.gates = 4
	}
	n.w = make([]float64, n.gates*hidden*n.row()+out*(hidden+1))
	for i := range n.w {
		n.w[i] = (2*r.Float64() - 1) / math.Sqrt(float64(hidden))
	}
	if lstm {
		for j := hidden; j < 2*hidden; j++ {
			n.w[(j+1)*n.row()-1] = 1
		}
	}
	return n
}

// row is the length of a gate's row.
func (n *recurrent) row() int { return n.in + n.hidden + 1 }

// head returns the rows of the outputs within w or a gradient.
func (n *recurrent) head(w []float64) []float64 { return w[n.gates*n.hidden*n.row():] }

// tape keeps what going back through time needs, for each layer.
type tape struct {
	x, h, c, gate, p [][]float64
	zero             []float64 // the state before the first layer

	dh, dc, dgate, dp []float64 // scratch of backward
}

func (n *recurrent) newTape(layers int) *tape {
	rows := func(width int) [][]float64 {
		all := make([]float64, layers*width)
		m := make([][]float64, layers)
		for l := range m {
			m[l] = all[l*width : (l+1)*width]
		}
		return m
	}
	return &tape{
		x: rows(n.in), h: rows(n.hidden), c: rows(n.hidden), gate: rows(n.gates * n.hidden), p: rows(n.out), zero: make([]float64, n.hidden),
		dh: make([]float64, n.hidden), dc: make([]float64, n.hidden), dgate: make([]float64, n.gates*n.hidden), dp: make([]float64, n.out),
	}
}

// before returns the state before layer l.
func (t *tape) before(l int) (h, c []float64) {
	if l == 0 {
		return t.zero, t.zero
	}
	return t.h[l-1], t.c[l-1]
}

// forward goes through the layers. choose is asked for the pool of each, given
// the probabilities.
func (n *recurrent) forward(t *tape, features [][]float64, choose func(l int, p []float64) uint8) {
	f := n.in - n.out
	for l := range features {
		copy(t.x[l], features[l])
		if l == 0 {
			clear(t.x[0][f:])
		}
		n.step(t, l)
		a := choose(l, t.p[l])
		if l+1 < len(features) {
			clear(t.x[l+1][f:])
			t.x[l+1][f+int(a)] = 1
		}
	}
}

// step computes layer l from its inputs and the state before.
func (n *recurrent) step(t *tape, l int) {
	x, row, size := t.x[l], n.row(), n.hidden
	before, cell := t.before(l)
	gate := t.gate[l]
	for j := range gate {
		w := n.w[j*row : (j+1)*row]
		sum := w[row-1]
		for i, v := range x {
			sum += w[i] * v
		}
		for i, v := range before {
			sum += w[n.in+i] * v
		}
		if n.gates == 4 && j < 3*size {
			gate[j] = 1 / (1 + math.Exp(-sum))
		} else {
			gate[j] = math.Tanh(sum)
		}
	}
	if n.gates == 1 {
		copy(t.h[l], gate)
	} else {
		for j := range size {
			c := gate[size+j]*cell[j] + gate[j]*gate[3*size+j]
			t.c[l][j], t.h[l][j] = c, gate[2*size+j]*math.Tanh(c)
		}
	}
	n.softmax(t.h[l], t.p[l])
}

func (n *recurrent) softmax(h, p []float64) {
	head, most := n.head(n.w), math.Inf(-1)
	for k := range p {
		w := head[k*(n.hidden+1) : (k+1)*(n.hidden+1)]
		p[k] = w[n.hidden]
		for i, v := range h {
			p[k] += w[i] * v
		}
		most = max(most, p[k])
	}
	sum := 0.0
	for k := range p {
		p[k] = math.Exp(p[k] - most)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}

// backward adds to grad the gradient of
//
//	sum over layers of -advantage log p(pool) - entropy H(p)
//
// after forward has chosen the pools of sc.
func (n *recurrent) backward(t *tape, sc Scheme, advantage, entropy float64, grad []float64) {
	clear(t.dh)
	clear(t.dc)
	row, size, head, dhead := n.row(), n.hidden, n.head(n.w), n.head(grad)
	for l := len(sc) - 1; l >= 0; l-- {
		p, h := t.p[l], t.h[l]
		disorder := 0.0
		for _, v := range p {
			disorder -= v * math.Log(max(v, 1e-300))
		}
		for k, v := range p {
			d := advantage*v + entropy*v*(math.Log(max(v, 1e-300))+disorder)
			if k == int(sc[l]) {
				d -= advantage
			}
			w, dw := head[k*(size+1):(k+1)*(size+1)], dhead[k*(size+1):(k+1)*(size+1)]
			dw[size] += d
			for i, v := range h {
				dw[i] += d * v
				t.dh[i] += d * w[i]
			}
		}
		before, cell := t.before(l)
		n.backStep(t, l, cell)
		clear(t.dh)
		for j, d := range t.dgate {
			w, dw := n.w[j*row:(j+1)*row], grad[j*row:(j+1)*row]
			dw[row-1] += d
			for i, v := range t.x[l] {
				dw[i] += d * v
			}
			for i, v := range before {
				dw[n.in+i] += d * v
				t.dh[i] += d * w[n.in+i]
			}
		}
	}
}

// backStep turns the gradient by the hidden units of layer l into that by the
// sums before its gates, and that by its cell into that by the cell before.
func (n *recurrent) backStep(t *tape, l int, cell []float64) {
	gate, size := t.gate[l], n.hidden
	if n.gates == 1 {
		for j, v := range gate {
			t.dgate[j] = t.dh[j] * (1 - v*v)
		}
		return
	}
	for j := range size {
		in, forget, out, candidate := gate[j], gate[size+j], gate[2*size+j], gate[3*size+j]
		c := math.Tanh(t.c[l][j])
		dc := t.dc[j] + t.dh[j]*out*(1-c*c)
		t.dgate[j] = dc * candidate * in * (1 - in)
		t.dgate[size+j] = dc * cell[j] * forget * (1 - forget)
		t.dgate[2*size+j] = t.dh[j] * c * out * (1 - out)
		t.dgate[3*size+j] = dc * in * (1 - candidate*candidate)
		t.dc[j] = dc * forget
	}
}

// adam is the optimiser of Kingma and Ba (ICLR 2015) at its usual settings.
type adam struct {
	rate float64
	m, v []float64
	step int
}

// descend moves w against grad.
func (a *adam) descend(w, grad []float64) {
	const keep, keep2, tiny = 0.9, 0.999, 1e-8
	if a.m == nil {
		a.m, a.v = make([]float64, len(w)), make([]float64, len(w))
	}
	a.step++
	full, full2 := 1-math.Pow(keep, float64(a.step)), 1-math.Pow(keep2, float64(a.step))
	for i, g := range grad {
		a.m[i] = keep*a.m[i] + (1-keep)*g
		a.v[i] = keep2*a.v[i] + (1-keep2)*g*g
		w[i] -= a.rate * a.m[i] / full / (math.Sqrt(a.v[i]/full2) + tiny)
	}
}
