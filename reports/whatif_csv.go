package reports

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"stowage/sim"
)

// whatIfHeader names the columns of WhatIfCSV, units last.
var whatIfHeader = []string{
	"question", "pool", "from_usd_per_h", "to_usd_per_h", "added_devices", "added_usd_per_h", "asked_samples_per_s",
	"throughput_samples_per_s", "price_usd_per_h", "cost_usd_per_msamples", "fitness", "gain", "gain_per_usd_per_h",
	"devices", "stages", "infeasible",
}

// WhatIfCSV writes a header and one row for every choice among the answers of r:
// ranges of prices (question price), one more node (node; the row without a pool is
// the cluster as it is) and the cheapest cluster (cluster). Cells that a question does
// not have are empty. Devices are by pool, as "v100-32=4 xeon-6148=2".
func WhatIfCSV(w io.Writer, r *sim.Result) error {
	if err := checkFinite(r); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	rows := [][]string{whatIfHeader}
	add := func(c *sim.Choice, cells map[string]string) {
		rows = append(rows, whatIfRow(c, cells))
	}
	if a := r.WhatIf.Price; a != nil {
		for i := range a.Ranges {
			x := &a.Ranges[i]
			add(&x.Choice, map[string]string{"question": "price", "pool": a.Pool, "from_usd_per_h": exact(x.From), "to_usd_per_h": exact(x.To)})
		}
	}
	if a := r.WhatIf.Node; a != nil {
		add(&a.Without, map[string]string{"question": "node"})
		for i := range a.With {
			x := &a.With[i]
			cells := map[string]string{
				"question": "node", "pool": x.Pool, "added_devices": strconv.Itoa(x.Devices), "added_usd_per_h": exact(x.Price), "gain": exact(x.Gain),
			}
			if x.PerUSD != nil {
				cells["gain_per_usd_per_h"] = exact(*x.PerUSD)
			}
			add(&x.Choice, cells)
		}
	}
	if a := r.WhatIf.Cluster; a != nil {
		add(&a.Choice, map[string]string{"question": "cluster", "asked_samples_per_s": exact(a.Throughput)})
	}
	if err := out.WriteAll(rows); err != nil {
		return err
	}
	return out.Error()
}

// whatIfRow puts cells in the order of the header and fills in the choice.
func whatIfRow(c *sim.Choice, cells map[string]string) []string {
	if c.Infeasible != "" {
		cells["infeasible"] = c.Infeasible
	} else {
		var devices []string
		for _, d := range c.Devices {
			devices = append(devices, d.Pool+"="+strconv.Itoa(d.Devices))
		}
		cells["throughput_samples_per_s"], cells["price_usd_per_h"] = exact(c.Throughput), exact(c.Price)
		cells["cost_usd_per_msamples"], cells["fitness"] = exact(c.Cost), exact(c.Fitness)
		cells["devices"], cells["stages"] = strings.Join(devices, " "), strings.Join(c.Stages, ", ")
	}
	row := make([]string, len(whatIfHeader))
	for i, name := range whatIfHeader {
		row[i] = cells[name]
	}
	return row
}
