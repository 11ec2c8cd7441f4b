package sim

// WhatIf are the answers to the questions of a scenario's section whatif. Fitness is
// at the search's fidelity throughout.
type WhatIf struct {
	Price   *PriceAnswer   `json:"price,omitempty"`
	Node    *NodeAnswer    `json:"node,omitempty"`
	Cluster *ClusterAnswer `json:"cluster,omitempty"`
}

// Choice is a target scheme with its devices and what it is worth.
type Choice struct {
	Stages     []string      `json:"stages,omitempty"` // devices and layers of each stage, for people
	Devices    []PoolDevices `json:"devices,omitempty"`
	Fitness    float64       `json:"fitness,omitempty"`
	Throughput float64       `json:"throughput,omitempty"` // samples/s
	Price      float64       `json:"price,omitempty"`      // USD/h of all its devices
	Cost       float64       `json:"cost,omitempty"`       // USD per million samples
	// Infeasible says why no scheme fits; then the rest is absent.
	Infeasible string `json:"infeasible,omitempty"`
}

// PoolDevices is a number of devices of a pool.
type PoolDevices struct {
	Pool    string `json:"pool"`
	Devices int    `json:"devices"`
}

// PriceAnswer is how the choice depends on the price of one pool's devices.
type PriceAnswer struct {
	Pool    string       `json:"pool"`
	Present float64      `json:"present"` // USD per device-hour, in the scenario
	Ranges  []PriceRange `json:"ranges"`  // in order; the price at which one ends is the next one's first
	Asked   Asked        `json:"asked"`
}

// PriceRange is a range of prices with one choice. What depends on the price is that
// at From.
type PriceRange struct {
	From   float64 `json:"from"` // USD per device-hour
	To     float64 `json:"to"`
	Choice Choice  `json:"choice"`
}

// NodeAnswer is what one more node of each of some pools brings.
type NodeAnswer struct {
	Without Choice     `json:"without"`
	With    []NodeGain `json:"with"` // the most for its price first
	Asked   Asked      `json:"asked"`
}

// NodeGain is what one more node of a pool brings.
type NodeGain struct {
	Pool    string  `json:"pool"`
	Devices int     `json:"devices"` // of the node
	Price   float64 `json:"price"`   // USD/h of the node's devices
	Choice  Choice  `json:"choice"`
	Gain    float64 `json:"gain"` // fitness above that without
	// PerUSD is the gain for each USD/h that the node costs; nil: it is free.
	PerUSD *float64 `json:"gain_per_usd,omitempty"`
}

// ClusterAnswer is the cheapest cluster that reaches a throughput.
type ClusterAnswer struct {
	Throughput float64       `json:"throughput"` // samples/s that were asked for
	Limits     []PoolDevices `json:"limits"`     // the most devices of each pool that it may take
	Choice     Choice        `json:"choice"`
	Asked      Asked         `json:"asked"`
}

// Asked is what an answer took.
type Asked struct {
	Searches    int `json:"searches"`
	Evaluations int `json:"evaluations"`
}

// Numbers calls visit for every number of the answers.
func (w *WhatIf) Numbers(visit func(v float64, what string)) {
	choice := func(c *Choice, of string) {
		for _, v := range []float64{c.Fitness, c.Throughput, c.Price, c.Cost} {
			visit(v, of)
		}
	}
	if a := w.Price; a != nil {
		visit(a.Present, "present price")
		for i := range a.Ranges {
			visit(a.Ranges[i].From, "price")
			visit(a.Ranges[i].To, "price")
			choice(&a.Ranges[i].Choice, "choice at a price")
		}
	}
	if a := w.Node; a != nil {
		choice(&a.Without, "choice without another node")
		for i := range a.With {
			x := &a.With[i]
			visit(x.Price, "price of a node")
			visit(x.Gain, "gain by a node")
			if x.PerUSD != nil {
				visit(*x.PerUSD, "gain by a node per USD")
			}
			choice(&x.Choice, "choice with another node")
		}
	}
	if a := w.Cluster; a != nil {
		visit(a.Throughput, "throughput of the cheapest cluster")
		choice(&a.Choice, "cheapest cluster")
	}
}
