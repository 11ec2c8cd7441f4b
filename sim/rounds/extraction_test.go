package rounds

import (
	"time"

	"stowage/hw/unit"
)

// Source is a memory that the rows of an extraction are gathered from: the own
// device's, its peers', the host's. Bandwidth is what a gather of whole rows gets,
// far less than a copy; Latency is paid when there are any bytes.
type Source struct {
	Latency   time.Duration
	Bandwidth unit.Rate
}

// Seconds returns the time of gathering bytes from the source alone.
func (s Source) Seconds(bytes float64) float64 {
	if !(bytes > 0) {
		return 0
	}
	return s.Latency.Seconds() + bytes/float64(s.Bandwidth)
}

// SourceBytes are the bytes of one extraction by where they come from.
type SourceBytes struct {
	CPU    float64 // host memory
	Remote float64 // the memory of other accelerators
	Local  float64 // the own memory
}

// SourceTimes are the seconds of one extraction by what takes them, each as if it
// ran alone.
type SourceTimes struct {
	Index              float64 // finding out where each row is
	CPU, Remote, Local float64
}

// Concurrent composes the times of an extraction that reads its sources side by
// side: T_index + max(T_cpu, T_remote + T_local). The cores that read peers and
// the own memory are the same, those that read the host are a few of their own
// (UGache, SOSP 2023: factored extraction; the rule was checked against the
// component times of its logs).
func (t SourceTimes) Concurrent() float64 { return t.Index + max(t.CPU, t.Remote+t.Local) }

// Serial composes the times of an extraction whose cores meet rows of all sources
// in turn, so that none is read while another one stalls.
func (t SourceTimes) Serial() float64 { return t.Index + t.CPU + t.Remote + t.Local }

// Extraction is what getting the rows of a round costs an accelerator that reads
// them from several sources.
type Extraction struct {
	IndexLatency time.Duration
	IndexRate    unit.RowRate // keys looked up per second; 0: no cost per key

	CPU, Remote, Local Source
}

// Times returns the seconds by source of an extraction of keys and bytes.
func (e *Extraction) Times(keys float64, b SourceBytes) SourceTimes {
	t := SourceTimes{
		Index:  e.IndexLatency.Seconds(),
		CPU:    e.CPU.Seconds(b.CPU),
		Remote: e.Remote.Seconds(b.Remote),
		Local:  e.Local.Seconds(b.Local),
	}
	if e.IndexRate > 0 {
		t.Index += keys / float64(e.IndexRate)
	}
	return t
}

// Scale returns b with every amount multiplied by x: shares of a whole become
// bytes.
func (b SourceBytes) Scale(x float64) SourceBytes {
	return SourceBytes{b.CPU * x, b.Remote * x, b.Local * x}
}
