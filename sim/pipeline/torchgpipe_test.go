package pipeline

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"stowage/workloads"
)

// torchgpipeTable is measured: AmoebaNet-D (18, 256) on Tesla P40 by torchgpipe
// (kakaobrain/torchgpipe, benchmarks/amoebanetd-speed).
const torchgpipeTable = "../../../shared/data/tables/torchgpipe_amoebanetd.csv"

// torchgpipeBalance is how many layers each partition has (main.py of the benchmark).
var torchgpipeBalance = map[[2]int][]int{
	{2, 1}: {7, 17}, {2, 4}: {9, 15}, {2, 32}: {9, 15},
	{4, 1}: {3, 4, 5, 12}, {4, 4}: {3, 6, 7, 8}, {4, 32}: {3, 6, 7, 8},
}

// TestTorchgpipe predicts torchgpipe's speed-ups.
//
// Fitted, on n = 2, m = 1 alone: how far below their peaks a P40 and its memory run, one
// number for all layers, which cancels out of speed-ups. Relative costs of layers are not measured: they are FLOPs over
// the peak and bytes over the bandwidth of the P40, from the network's shapes.
// Predicted: all other rows, by the recurrence of GPipe with the partitions of the
// benchmark, activations recomputed in every backward pass (it leaves out that of the
// last micro-batch), transfers for nothing.
//
// All but one are within 10 %. n = 4, m = 4 is measured 19 % slower than that, though
// with 8 partitions and as many micro-batches it is not (2.625, predicted 2.645): what
// is special about it, the batch of 360 in memory perhaps, the table does not say. The
// test holds on to the gap, so that who closes it notices.
func TestTorchgpipe(t *testing.T) {
	known := map[[2]int][2]float64{{4, 4}: {0.15, 0.22}}
	rows := readTorchgpipe(t)
	layers := amoebaNetD()
	if len(layers) != 24 {
		t.Fatalf("AmoebaNet-D has %d layers, want 24", len(layers))
	}
	seconds := func(run [2]int, efficiency float64) float64 { return torchgpipeStep(t, layers, run, efficiency) }
	base := [2]int{2, 1}
	efficiency := seconds(base, 1) * rows[base].throughput
	if efficiency < 0.3 || efficiency > 1 {
		t.Errorf("P40s would run at %.0f %% of their peaks", 100*efficiency)
	}
	for run, row := range rows {
		throughput := 1 / seconds(run, efficiency)
		speedup := throughput * seconds(base, efficiency)
		off := speedup/row.speedup - 1
		t.Logf("n = %d, m = %2d: %.2f samples/s, speed-up %.3f, measured %.3f: %+.1f %%", run[0], run[1], throughput, speedup, row.speedup, 100*off)
		low, high := -0.1, 0.1
		if gap, ok := known[run]; ok {
			low, high = gap[0], gap[1]
		}
		if off < low || off > high {
			t.Errorf("n = %d, m = %d: a speed-up of %.3f, measured %.3f: %+.1f %%, want %+.0f to %+.0f %%", run[0], run[1], speedup, row.speedup, 100*off, 100*low, 100*high)
		}
	}
}

// TestAmoebaNetFile: the layers of the published scenarios have the shares of time that
// their shapes give them, at the efficiency that is fitted above.
func TestAmoebaNetFile(t *testing.T) {
	data, err := os.ReadFile("../../scenarios/published/models/amoebanet-d.toml")
	if err != nil {
		t.Fatal(err)
	}
	model, err := workloads.ParseModel("amoebanet-d", data)
	if err != nil {
		t.Fatal(err)
	}
	layers := amoebaNetD()
	if len(model.Layers) != len(layers) {
		t.Fatalf("%d layers, want %d", len(model.Layers), len(layers))
	}
	const measured = 26.733 // samples/s, n = 2, m = 1
	efficiency := torchgpipeStep(t, layers, [2]int{2, 1}, 1) * measured
	for i, l := range model.Layers {
		got, want := l.Profiles[0].Points[0], layers[i].seconds()/efficiency
		if math.Abs(got.Forward-want) > 1e-9 || math.Abs(got.Backward-2*want) > 2e-9 {
			t.Errorf("%s: forward %v s, backward %v s, want %v and twice that", l.Name, got.Forward, got.Backward, want)
		}
	}
}

type torchgpipeRow struct{ throughput, speedup float64 }

func readTorchgpipe(t *testing.T) map[[2]int]torchgpipeRow {
	f, err := os.Open(torchgpipeTable)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("shared/data is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[[2]int]torchgpipeRow{}
	for _, line := range lines[1:] {
		var v [4]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(line[i], 64); err != nil {
				t.Fatal(err)
			}
		}
		rows[[2]int{int(v[0]), int(v[1])}] = torchgpipeRow{v[2], v[3]}
	}
	if len(rows) != len(torchgpipeBalance) {
		t.Fatalf("%d rows, want %d", len(rows), len(torchgpipeBalance))
	}
	return rows
}

// torchgpipeStep returns the seconds of a step for each sample. A micro-batch is
// weighed as a thousand samples, so that nanoseconds do not matter.
func torchgpipeStep(t *testing.T, layers []layerCost, run [2]int, efficiency float64) float64 {
	const samples = 1000
	p := line("gpipe", run[1], make([][2]time.Duration, run[0]), 0, 0)
	next := 0
	for i, n := range torchgpipeBalance[run] {
		sum := 0.0
		for range n {
			sum += layers[next].seconds() / efficiency
			next++
		}
		f := time.Duration(math.Round(sum * samples * 1e9))
		p.Segments[i] = Segment{Stage: i, Forward: f, Backward: 3 * f} // forward once more, then two products for each
	}
	if next != len(layers) {
		t.Fatalf("%v partitions hold %d of %d layers", run, next, len(layers))
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return Ends(p, 1, nil)[0].Seconds() / float64(samples*run[1])
}

// layerCost is the forward pass of a layer for one sample.
type layerCost struct{ flops, elements float64 }

// seconds is at the peaks of a Tesla P40: 11.76 TFLOPS and 346 GB/s, fp32.
func (l layerCost) seconds() float64 { return l.flops/11.76e12 + 4*l.elements/346e9 }

// add counts ReLU, convolution of so many taps and batch normalisation, each of which
// reads and writes memory.
func (l *layerCost) add(in, out, taps, from, to int) {
	read, write := float64(in*from*from), float64(out*to*to)
	l.flops += 2 * float64(in*out*taps) * float64(to*to)
	l.elements += 3*read + 4*write
}

// The operations of AmoebaNet-D's cells and what is concatenated (torchgpipe,
// benchmarks/models/amoebanet/genotype.py), by the state that they read.
var (
	normalOps    = []cellOp{{1, "1x1"}, {1, "pool"}, {1, ""}, {0, "7x7"}, {0, "1x1"}, {0, "7x7"}, {2, "pool"}, {2, ""}, {1, "pool"}, {5, "1x1"}}
	reductionOps = []cellOp{{0, "pool"}, {0, "pool"}, {2, ""}, {1, "3x3"}, {2, "7x7"}, {2, "pool"}, {3, ""}, {1, "pool"}, {2, "pool"}, {3, "1x1"}}
)

const normalConcat, reductionConcat = 4, 3

type cellOp struct {
	state int
	kind  string
}

func (l *layerCost) op(kind string, c, from, to int) {
	switch kind {
	case "1x1":
		l.add(c, c, 1, from, to)
	case "3x3":
		l.add(c, c/4, 1, from, from)
		l.add(c/4, c/4, 9, from, to)
		l.add(c/4, c, 1, to, to)
	case "7x7": // 1x7, then 7x1
		l.add(c, c/4, 1, from, from)
		l.add(c/4, c/4, 7, from, from)
		l.add(c/4, c/4, 7, from, to)
		l.add(c/4, c, 1, to, to)
	case "pool":
		l.elements += float64(c * (from*from + to*to))
	default:
		if from != to {
			l.add(c, c, 1, from, to)
		}
	}
}

// amoebaNetD returns the costs of AmoebaNet-D (18, 256) on images of 224 x 224: a stem,
// two reductions, three times six normal cells with a reduction between, a classifier.
func amoebaNetD() []layerCost {
	channels, before, last := 64, 64, 64 // now; out of the last but one layer, and of the last
	size, sizeBefore, reduced := 112, 112, false
	stem := layerCost{}
	stem.add(3, channels, 9, 224, size)
	layers := []layerCost{stem}
	cell := func(reduction bool) {
		var l layerCost
		ops, concat, to := normalOps, normalConcat, size
		if reduction {
			ops, concat, to = reductionOps, reductionConcat, size/2
			channels *= 2
		}
		l.add(last, channels, 1, size, size)
		if reduced || before != channels {
			l.add(before, channels, 1, sizeBefore, map[bool]int{true: size, false: sizeBefore}[reduced])
		}
		sizes := []int{size, size}
		for i, o := range ops {
			from := sizes[o.state]
			out := from
			if reduction && o.state < 2 {
				out = to
			}
			l.op(o.kind, channels, from, out)
			if i%2 == 1 { // the two of a pair are added
				l.elements += 3 * float64(channels*to*to)
				sizes = append(sizes, to)
			}
		}
		l.elements += 2 * float64(concat*channels*to*to)
		before, last, sizeBefore, size, reduced = last, channels*concat, size, to, reduction
		layers = append(layers, l)
	}
	cell(true)
	for range 3 {
		cell(true)
		for range 6 {
			cell(false)
		}
	}
	return append(layers, layerCost{flops: 2000 * float64(last), elements: 98 * float64(last)})
}
