package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Metric is one headline number of a run.
type Metric struct {
	Name  string
	Value float64
	Unit  string
}

// Metrics are the headline numbers in the order in which they are shown. A
// metric that does not apply is absent, never zero. As JSON they are one object
// in the same order: {"throughput": {"value": 1, "unit": "samples/s"}, …}.
type Metrics []Metric

// Get returns the metric of that name.
func (ms Metrics) Get(name string) (Metric, bool) {
	for _, m := range ms {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Set puts in a metric of MetricKinds, in their order.
func (ms *Metrics) Set(name string, value float64) {
	at := 0
	for _, k := range MetricKinds {
		if k.Name == name {
			*ms = slices.Insert(*ms, at, Metric{name, value, k.Unit})
			return
		}
		if at < len(*ms) && (*ms)[at].Name == k.Name {
			at++
		}
	}
	panic("sim: no metric " + name)
}

// MarshalJSON writes one object and keeps the order.
func (ms Metrics) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		v, err := json.Marshal(struct {
			Value float64 `json:"value"`
			Unit  string  `json:"unit"`
		}{m.Value, m.Unit})
		if err != nil {
			return nil, err
		}
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote, in its order.
func (ms *Metrics) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("metrics are no JSON object")
	}
	*ms = nil
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var v struct {
			Value float64 `json:"value"`
			Unit  string  `json:"unit"`
		}
		if err := dec.Decode(&v); err != nil {
			return fmt.Errorf("metric %v: %w", name, err)
		}
		*ms = append(*ms, Metric{name.(string), v.Value, v.Unit}) // keys of JSON objects are strings
	}
	return nil
}

// MetricKind says how to read a metric: what it means, its unit, which direction is better.
type MetricKind struct {
	Name   string
	Unit   string
	Better string // "higher", "lower" or "" (neither)
	Means  string // one sentence for people
	From   string // the fidelity of the number; "": it is counted, or a property of the plan
}

// Where metrics come from.
const (
	FromSimulation = "simulated"
	FromClosedForm = "closed-form"
	FromRecurrence = "recurrence"
	FromSearch     = "search" // at the fidelity of the search
)

// MetricKinds lists every metric that a run may carry, in the order of summaries.
var MetricKinds = []MetricKind{
	{"throughput", "samples/s", "higher", "samples trained per second over the whole run", FromSimulation},
	{"goodput", "samples/s", "higher", "samples per second that were not lost with a device and trained again", FromSimulation},
	{"goodput_ratio", "ratio", "higher", "share of the run's time in which rounds were done that count", FromSimulation},
	{"shrunk_ratio", "ratio", "lower", "share of the run's time in which training went on with replicas missing", FromSimulation},
	{"slowdown", "times", "lower", "throughput alone on the cluster / throughput beside the other jobs", FromSimulation},
	{"step_time", "s", "lower", "mean time of one training round", FromSimulation},
	{"warm_throughput", "samples/s", "higher", "throughput over the last quarter of the rounds, slot tables warm", FromSimulation},
	{"cost", "USD/Msamples", "lower", "price of all devices of the scheme for a million samples", FromSimulation},
	{"run_cost", "USD", "lower", "price of all devices of the scheme for the samples of the whole training run", FromSimulation},
	{"run_hours", "h", "lower", "duration of the whole training run", FromSimulation},
	{"price", "USD/h", "lower", "price of all devices of the scheme per hour", ""},
	{"bubble_ratio", "ratio", "lower", "share of device time spent waiting for other stages", FromSimulation},
	{"stall_ratio", "ratio", "lower", "share of device time spent waiting for embedding rows", FromSimulation},
	{"hit_ratio", "ratio", "higher", "unique rows found in a slot / unique rows looked up, per round", FromSimulation},
	{"lookup_hit_ratio", "ratio", "higher", "lookups whose row was in a slot / lookups", FromSimulation},
	{"bypass_ratio", "ratio", "lower", "unique rows that got no slot and were served from host memory / unique rows looked up", FromSimulation},
	{"peak_slots", "slots", "", "most slots in use at a time, all slot tables together", FromSimulation},
	{"splits", "rounds", "lower", "rounds or passes that were cut into parts because their rows exceeded the slots", FromSimulation},
	{"slot_waits", "rounds", "lower", "times that a round waited for slots of rounds in flight", FromSimulation},
	{"peak_memory", "B", "lower", "largest peak memory of any device", ""},
	{"fitness", "", "higher", "what the placement policy maximised", FromSearch},
	{"bound", "", "lower", "fitness that no scheme can exceed, as was proven at the search's fidelity", FromSearch},
	{"gap", "%", "lower", "how far above the fitness the bound is: 0 means that the scheme is the best there is", FromSearch},
	{"closed_form_throughput", "samples/s", "higher", "throughput that the published closed form predicts", FromClosedForm},
	{"recurrence_throughput", "samples/s", "higher", "throughput of one step by the exact recurrence, nothing contending", FromRecurrence},
	{"evaluations", "schemes", "lower", "schemes whose fitness was computed", ""},
}
