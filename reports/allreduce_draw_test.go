package reports

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/hw"
)

// allReduceTable is measured all-reduces beside the formula that is fitted to them.
type allReduceTable struct {
	Of     *hw.AllReduce
	Fitted []int // counts of ranks that the fit has seen; the others are predicted
	Times  []allReduceTime
}

// allReduceTime is one measurement.
type allReduceTime struct {
	Ranks          int
	Bytes, Seconds float64
}

// Error returns the mean relative error of the formula.
func (t *allReduceTable) Error() float64 {
	sum := 0.0
	for _, m := range t.Times {
		got, _ := t.Of.Seconds(m.Bytes, m.Ranks)
		sum += math.Abs(got/m.Seconds - 1)
	}
	return sum / float64(max(1, len(t.Times)))
}

// allReducePitch thins measurements out: the next one drawn is so much larger.
const allReducePitch = 1.3

// writeAllReduces draws tables into dir as allreduce.svg and allreduce.png, a panel each,
// and returns the paths.
func writeAllReduces(dir string, tables []allReduceTable) (files []string, err error) {
	legend := allReduceLegend(tables)
	p := picture{
		title: "All-reduces inside a node, measured and modelled",
		w:     plotWidth, h: headHeight + legendHeight(legend) + 220*vg.Length(len(tables)),
		draw: func(c draw.Canvas) { drawAllReduces(c, tables, legend) },
	}
	set, err := newFileSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.discard()
	if err := set.addPicture("allreduce", p); err != nil {
		return nil, err
	}
	return set.commit()
}

// ranksOf returns the counts of ranks in a table, ascending and without gaps.
func (t *allReduceTable) ranksOf() (from, to int) {
	from, to = math.MaxInt, 0
	for _, m := range t.Times {
		from, to = min(from, m.Ranks), max(to, m.Ranks)
	}
	return from, to
}

func allReduceLine(ranks int) draw.LineStyle {
	return solid(seriesColours[(ranks-2)%len(seriesColours)], 1.4)
}

func allReduceLegend(tables []allReduceTable) (items []legendItem) {
	from, to := math.MaxInt, 0
	for i := range tables {
		a, b := tables[i].ranksOf()
		from, to = min(from, a), max(to, b)
	}
	items = append(items, dotItem("measured", pencil, 2))
	for n := from; n <= to; n++ {
		items = append(items, lineItem(fmt.Sprintf("%d ranks", n), allReduceLine(n)))
	}
	return append(items, lineItem("predicted from other counts of ranks", dashed(pencil, 1.4)))
}

func drawAllReduces(c draw.Canvas, tables []allReduceTable, legend []legendItem) {
	var panels []*plot.Plot
	shares := make([]float64, len(tables))
	for i := range tables {
		shares[i] = 1 / float64(len(tables))
		t := &tables[i]
		p := newPanel("buffer (bytes)", t.Of.Device+": time (µs)")
		panels = append(panels, p)
		setAllReduceAxes(p, t)
		from, to := t.ranksOf()
		for n := from; n <= to; n++ {
			t.add(p, n)
		}
		if i < len(tables)-1 {
			hideLabels(&p.X)
		}
	}
	sub := ""
	for i := range tables {
		if i > 0 {
			sub += " · "
		}
		sub += fmt.Sprintf("%s: mean error %.1f %% of %d times", tables[i].Of.Device, 100*tables[i].Error(), len(tables[i].Times))
	}
	drawPanels(headed(c, "All-reduces inside a node", "measured and modelled", sub, legend), shares, panels...)
}

func setAllReduceAxes(p *plot.Plot, t *allReduceTable) {
	left, right, low, high := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, m := range t.Times {
		left, right = min(left, m.Bytes), max(right, m.Bytes)
		low, high = min(low, m.Seconds*1e6), max(high, m.Seconds*1e6)
	}
	setLogAxis(&p.X, left, right)
	setLogAxis(&p.Y, low, high)
}

// add draws one count of ranks: the formula as a line, dashed if it is a prediction, and
// measurements as dots.
func (t *allReduceTable) add(p *plot.Plot, ranks int) {
	line := allReduceLine(ranks)
	predicted := true
	for _, n := range t.Fitted {
		predicted = predicted && n != ranks
	}
	if predicted {
		line.Dashes = dashed(pencil, 1).Dashes
	}
	var model, seen []point
	for _, m := range t.Times {
		if m.Ranks != ranks {
			continue
		}
		if s, ok := t.Of.Seconds(m.Bytes, ranks); ok {
			model = append(model, point{m.Bytes, s * 1e6})
		}
		if len(seen) == 0 || m.Bytes >= seen[len(seen)-1].x*allReducePitch {
			seen = append(seen, point{m.Bytes, m.Seconds * 1e6})
		}
	}
	p.Add(curve(model, line), dots(seen, 1.8, line.Color))
}
