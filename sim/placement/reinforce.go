package placement

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Reinforce are the knobs of `reinforce-lstm` and `reinforce-rnn`: the scheduler
// of HeterPS (arXiv:2111.10635). A recurrent network reads the features of layer
// after layer - index, kind, input size, weight size, time of its communication -
// and draws a pool for each. REINFORCE (Williams, Machine Learning 8, 1992) makes
// the schemes likelier that are better than a moving average b of the rewards,
//
//	gradient = 1/N sum over n, l of grad log P(a_l | a_<l) (R_n - b)
//	b <- (1 - Smoothing) b + Smoothing mean(R)
//
// with the logarithm of fitness as the reward. The optimiser is Adam.
type Reinforce struct {
	Iterations int     `toml:"iterations"`    // updates; default 200
	Samples    int     `toml:"samples"`       // schemes drawn for each; default 16
	Hidden     int     `toml:"hidden"`        // hidden units; default 16
	Rate       float64 `toml:"learning_rate"` // default 0.02
	Smoothing  float64 `toml:"smoothing"`     // of the average reward; default 0.2
	Entropy    float64 `toml:"entropy"`       // weight of the entropy of each choice, which keeps the network from settling early; falls to 0 by the last update; default 0.4
}

// DefaultReinforce returns the defaults.
func DefaultReinforce() Reinforce {
	return Reinforce{Iterations: 200, Samples: 16, Hidden: 16, Rate: 0.02, Smoothing: 0.2, Entropy: 0.4}
}

// Limits of reinforce.
const (
	MaxIterations = 1 << 20
	MaxSamples    = 1 << 16
	MaxHidden     = 1 << 10
)

// Validate checks the knobs. Errors begin with the key.
func (k Reinforce) Validate() error {
	if !(k.Entropy >= 0 && k.Entropy <= 1) {
		return fmt.Errorf("entropy = %v: a number from 0 to 1", k.Entropy)
	}
	return firstError(
		between("iterations", k.Iterations, 1, "MaxIterations", MaxIterations),
		between("samples", k.Samples, 1, "MaxSamples", MaxSamples),
		between("hidden", k.Hidden, 1, "MaxHidden", MaxHidden),
		inside("learning_rate", k.Rate), inside("smoothing", k.Smoothing))
}

func runReinforceLSTM(s *search) error { return s.reinforce(true) }
func runReinforceRNN(s *search) error  { return s.reinforce(false) }

func (s *search) reinforce(lstm bool) error {
	k := s.opt.Reinforce
	if k == (Reinforce{}) {
		k = DefaultReinforce()
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("reinforce: %w", err)
	}
	l := s.newLearner(k, lstm)
	for i := range k.Iterations {
		if err := l.update(i); err != nil {
			return err
		}
	}
	return nil
}

// learner trains the network.
type learner struct {
	s        *search
	k        Reinforce
	net      *recurrent
	opt      adam
	features [][]float64
	tapes    []*tape     // of each worker
	grads    [][]float64 // of each sample
	grad     []float64
	scs      []Scheme
	out      []Fitness
	average  float64
}

func (s *search) newLearner(k Reinforce, lstm bool) *learner {
	l := &learner{s: s, k: k, features: s.p.features(), opt: adam{rate: k.Rate}}
	l.net = newRecurrent(len(l.features[0])+s.p.pools, k.Hidden, s.p.pools, lstm, s.stream(1))
	for range s.workers(k.Samples) {
		l.tapes = append(l.tapes, l.net.newTape(s.p.layers))
	}
	for range k.Samples {
		l.grads = append(l.grads, make([]float64, len(l.net.w)))
	}
	l.grad = make([]float64, len(l.net.w))
	l.scs, l.out = s.schemes(k.Samples)
	return l
}

// update draws schemes, evaluates them and moves the weights. Each sample has a
// generator and a gradient of its own, and gradients are added in order, so that
// nothing depends on the number of workers.
func (l *learner) update(i int) error {
	s := l.s
	s.each(l.k.Samples, 1, func(worker, n int) {
		r := s.stream(2 + uint64(i)<<20 + uint64(n))
		l.net.forward(l.tapes[worker], l.features, func(at int, p []float64) uint8 {
			l.scs[n][at] = sample(p, r)
			return l.scs[n][at]
		})
	})
	if err := s.evaluateOr(l.scs, l.out); err != nil {
		return err
	}
	mean := 0.0
	for _, f := range l.out {
		mean += s.score(f) / float64(l.k.Samples)
	}
	if i == 0 {
		l.average = mean
	}
	entropy := l.k.Entropy * (1 - float64(i)/float64(l.k.Iterations))
	s.each(l.k.Samples, 1, func(worker, n int) {
		clear(l.grads[n])
		l.net.forward(l.tapes[worker], l.features, func(at int, _ []float64) uint8 { return l.scs[n][at] })
		l.net.backward(l.tapes[worker], l.scs[n], s.score(l.out[n])-l.average, entropy, l.grads[n])
	})
	clear(l.grad)
	for _, g := range l.grads {
		for j, v := range g {
			l.grad[j] += v / float64(l.k.Samples)
		}
	}
	l.average += l.k.Smoothing * (mean - l.average)
	l.opt.descend(l.net.w, l.grad)
	return nil
}

// sample draws an index by its probability.
func sample(p []float64, r *rand.Rand) uint8 {
	at := r.Float64()
	for k, v := range p {
		if at -= v; at < 0 {
			return uint8(k)
		}
	}
	return uint8(len(p) - 1)
}

// kinds is how many kinds of layers features tell apart; further ones share the
// last place.
const kinds = 8

// features describes each layer: its place, kind, input size, weight size and the
// time of its communication, each from 0 to 1, amounts by their logarithm.
func (p *Problem) features() [][]float64 {
	const amounts = 4
	var names []string
	rows := make([][]float64, p.layers)
	for l := range rows {
		ly := &p.Model.Layers[l]
		row := make([]float64, amounts+kinds)
		row[0] = float64(l) / float64(p.layers)
		row[1] = math.Log1p(p.reads[l])
		row[2] = math.Log1p(float64(ly.Params))
		for _, tb := range ly.Tables {
			row[2] = max(row[2], math.Log1p(float64(tb.Rows)*float64(tb.Dim)))
		}
		at := 0
		for at < len(names) && names[at] != string(ly.Kind) {
			at++
		}
		if at == len(names) {
			names = append(names, string(ly.Kind))
		}
		row[amounts+min(at, kinds-1)] = 1
		rows[l] = row
	}
	for _, e := range p.edges {
		rows[e.from][3] += e.bytes + e.seconds*1e9 // as through 1 GB/s
	}
	for l := range rows {
		rows[l][3] = math.Log1p(rows[l][3])
	}
	for i := range amounts {
		most := 0.0
		for _, row := range rows {
			most = max(most, row[i])
		}
		for _, row := range rows {
			if most > 0 {
				row[i] /= most
			}
		}
	}
	return rows
}
