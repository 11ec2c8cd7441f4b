package reports

import (
	"fmt"
	"io"
	"strings"

	"stowage/sim"
)

// summaryWhatIf lists the answers to the questions about variations of the scenario.
func summaryWhatIf(w io.Writer, r *sim.Result, width int) error {
	if r.WhatIf == nil {
		return nil
	}
	tables := []func(io.Writer, *sim.Result, int) error{priceTable, nodeTable, clusterTable}
	first := true
	for _, table := range tables {
		var b strings.Builder
		if err := table(&b, r, width); err != nil {
			return err
		}
		if b.Len() == 0 {
			continue
		}
		if !first {
			io.WriteString(w, "\n") // w is a buffer of Summary
		}
		first = false
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// maxPriceRows is how many ranges of prices the summary lists; whatif.csv has all.
const maxPriceRows = 40

func priceTable(w io.Writer, r *sim.Result, width int) error {
	a := r.WhatIf.Price
	if a == nil {
		return nil
	}
	if err := priceGrid(a).render(w, width); err != nil {
		return err
	}
	_, err := io.WriteString(w, wrap(priceNote(r, a), width))
	return err
}

func priceNote(r *sim.Result, a *sim.PriceAnswer) string {
	return fmt.Sprintf("%s at which the choice flips, in USD per device-hour; now %s", plural(len(a.Ranges)-1, "price"), sixDigits(a.Present)) + foundBy(r, a.Asked)
}

func priceGrid(a *sim.PriceAnswer) *grid {
	name := printable(a.Pool)
	g := &grid{columns: []column{
		{shortenText(name, 20) + " from", true, false}, {"to USD/h", true, false}, {"samples/s", true, false}, {"choice", false, true},
	}}
	for i := range a.Ranges {
		x := &a.Ranges[i]
		if i == maxPriceRows {
			break
		}
		rate := "–"
		if x.Choice.Infeasible == "" {
			rate = formatNumber(x.Choice.Throughput)
		}
		g.add(sixDigits(x.From), sixDigits(x.To), rate, choiceText(&x.Choice))
	}
	return g
}

// nodeTable leaves the cost out where the table would be too wide.
func nodeTable(w io.Writer, r *sim.Result, width int) error {
	a := r.WhatIf.Node
	if a == nil {
		return nil
	}
	g := nodeGrid(a, true)
	if g.natural() > width {
		g = nodeGrid(a, false)
	}
	if err := g.render(w, width); err != nil {
		return err
	}
	_, err := io.WriteString(w, wrap(nodeNote(r, a), width))
	return err
}

func nodeNote(r *sim.Result, a *sim.NodeAnswer) string {
	return "the most fitness for the price of the node first; " + WhatIfFile + " has the schemes" + foundBy(r, a.Asked)
}

func nodeGrid(a *sim.NodeAnswer, cost bool) *grid {
	g := &grid{columns: []column{{"one more node", false, true}, {"USD/h", true, false}, {"samples/s", true, false}}}
	if cost {
		g.columns = append(g.columns, column{"USD/Msamples", true, false})
	}
	g.columns = append(g.columns, column{"fitness", true, false}, column{"per USD/h", true, false})
	row := func(name, price, gain, per string, c *sim.Choice) {
		rate, usd := "–", "–" // nothing fits
		if c.Infeasible == "" {
			rate, usd = formatNumber(c.Throughput), formatNumber(c.Cost)
		} else {
			gain, per = "–", "–"
		}
		cells := []string{name, price, rate}
		if cost {
			cells = append(cells, usd)
		}
		g.add(append(cells, gain, per)...)
	}
	row("none", "", "", "", &a.Without)
	for i := range a.With {
		x := &a.With[i]
		gain, per := "–", "free"
		if a.Without.Fitness > 0 {
			gain = signedPercent(x.Gain / a.Without.Fitness)
			if x.PerUSD != nil {
				per = signedPercent(*x.PerUSD / a.Without.Fitness)
			}
		}
		row(fmt.Sprintf("%s × %d", printable(x.Pool), x.Devices), formatNumber(x.Price), gain, per, &x.Choice)
	}
	return g
}

func clusterTable(w io.Writer, r *sim.Result, width int) error {
	a := r.WhatIf.Cluster
	if a == nil {
		return nil
	}
	if a.Choice.Infeasible == "" {
		if err := clusterGrid(a).render(w, width); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, wrap(clusterNote(r, a), width))
	return err
}

func clusterNote(r *sim.Result, a *sim.ClusterAnswer) string {
	note := fmt.Sprintf("the cheapest cluster for %s samples/s: ", formatNumber(a.Throughput))
	if a.Choice.Infeasible != "" {
		return note + "there is none: " + printable(a.Choice.Infeasible) + foundBy(r, a.Asked)
	}
	return note + fmt.Sprintf("%s USD/h, %s samples/s, %s USD per million samples: %s", formatNumber(a.Choice.Price), formatNumber(a.Choice.Throughput), formatNumber(a.Choice.Cost), choiceText(&a.Choice)) + foundBy(r, a.Asked)
}

// clusterGrid is of an answer that is feasible.
func clusterGrid(a *sim.ClusterAnswer) *grid {
	g := &grid{columns: []column{{"pool", false, true}, {"devices", true, false}, {"at most", true, false}}}
	for i, d := range a.Choice.Devices {
		g.add(printable(d.Pool), fmt.Sprint(d.Devices), fmt.Sprint(a.Limits[i].Devices))
	}
	return g
}

// foundBy says who found an answer.
func foundBy(r *sim.Result, asked sim.Asked) string {
	searches := fmt.Sprintf("%d searches", asked.Searches)
	if asked.Searches == 1 {
		searches = "1 search"
	}
	return fmt.Sprintf(" (%s by %s, at %s fidelity)", searches, printable(r.Scheme.Placement), printable(r.Scheme.Fitness))
}

// choiceText names the stages of a choice.
func choiceText(c *sim.Choice) string {
	if c.Infeasible != "" {
		return "nothing fits: " + printable(c.Infeasible)
	}
	return printable(strings.Join(c.Stages, ", "))
}

// sixDigits prints a price so that a millionth of it shows.
func sixDigits(v float64) string { return fmt.Sprintf("%.6g", v) }

func signedPercent(v float64) string { return fmt.Sprintf("%+.2f %%", 100*v) }
