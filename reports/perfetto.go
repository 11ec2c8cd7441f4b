package reports

import (
	"bufio"
	"cmp"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"stowage/sim"
)

// Fields of Perfetto's trace protobufs (protos/perfetto/trace in github.com/google/perfetto):
// Trace, TracePacket, TrackEvent and TrackDescriptor.
const (
	tracePacket protowire.Number = 1

	packetTimestamp  protowire.Number = 8  // ns
	packetSequence   protowire.Number = 10 // trusted_packet_sequence_id
	packetTrackEvent protowire.Number = 11
	packetFlags      protowire.Number = 13 // sequence_flags
	packetTrack      protowire.Number = 60 // track_descriptor

	eventType       protowire.Number = 9
	eventTrack      protowire.Number = 11
	eventCategories protowire.Number = 22
	eventName       protowire.Number = 23
	eventFlows      protowire.Number = 47
	eventFlowsEnd   protowire.Number = 48 // terminating_flow_ids

	trackUUID     protowire.Number = 1
	trackName     protowire.Number = 2
	trackParent   protowire.Number = 5
	trackOrdering protowire.Number = 11 // child_ordering
	trackRank     protowire.Number = 12 // sibling_order_rank
)

const (
	sliceBegin    = 1
	sliceEnd      = 2
	orderExplicit = 3
	stateCleared  = 1 // SEQ_INCREMENTAL_STATE_CLEARED
)

// PerfettoTrace writes the timeline of a result as a Perfetto trace: smaller and
// faster to open than ChromeTrace, with the same tracks, slices and flows.
func PerfettoTrace(w io.Writer, r *sim.Result) error {
	if r.Timeline == nil {
		return noTimeline(r)
	}
	t := newTrace(r)
	p := packets{b: bufio.NewWriter(w)}
	p.tracks(t)
	for _, m := range t.moments() {
		p.event(t, m)
	}
	return p.b.Flush()
}

// moment is the begin or the end of a span.
type moment struct {
	at   int64
	span int32
	end  bool
}

// moments are in the order of time; on a lane a span ends before the next one begins.
func (t *trace) moments() []moment {
	ms := make([]moment, 0, 2*len(t.line.Spans))
	for i := range t.line.Spans {
		s := &t.line.Spans[i]
		ms = append(ms, moment{int64(s.Start), int32(i), false}, moment{int64(s.End), int32(i), true})
	}
	slices.SortStableFunc(ms, func(a, b moment) int {
		if a.at == b.at && a.end != b.end {
			if a.end {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.at, b.at)
	})
	return ms
}

// packets writes packets, in memory that it uses again.
type packets struct {
	b                  *bufio.Writer
	packet, inner, out []byte
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func bytesField(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// flush writes the packet; bufio keeps the first error.
func (p *packets) flush() {
	p.out = bytesField(p.out[:0], tracePacket, p.packet)
	p.b.Write(p.out)
}

// The tracks' ids: 1 is the parent of all.
func laneID(lane int32) uint64 { return uint64(lane) + 2 }

func (p *packets) tracks(t *trace) {
	p.inner = number(p.inner[:0], trackUUID, 1)
	p.inner = bytesField(p.inner, trackName, []byte(printable(title(t.r))))
	p.inner = number(p.inner, trackOrdering, orderExplicit)
	p.packet = number(p.packet[:0], packetSequence, 1)
	p.packet = number(p.packet, packetFlags, stateCleared)
	p.packet = bytesField(p.packet, packetTrack, p.inner)
	p.flush()
	for i, l := range t.lanes {
		p.inner = number(p.inner[:0], trackUUID, laneID(int32(i)))
		p.inner = bytesField(p.inner, trackName, []byte(printable(l.name)))
		p.inner = number(p.inner, trackParent, 1)
		p.inner = number(p.inner, trackRank, uint64(l.track))
		p.packet = number(p.packet[:0], packetSequence, 1)
		p.packet = bytesField(p.packet, packetTrack, p.inner)
		p.flush()
	}
}

func (p *packets) event(t *trace, m moment) {
	s := &t.line.Spans[m.span]
	if m.end {
		p.inner = number(p.inner[:0], eventType, sliceEnd)
		p.inner = number(p.inner, eventTrack, laneID(t.lane[m.span]))
	} else {
		p.inner = number(p.inner[:0], eventType, sliceBegin)
		p.inner = number(p.inner, eventTrack, laneID(t.lane[m.span]))
		p.inner = bytesField(p.inner, eventCategories, []byte(s.Kind.String()))
		p.inner = bytesField(p.inner, eventName, []byte(t.name(s)))
		for _, id := range t.ends[m.span].out {
			p.inner = protowire.AppendFixed64(protowire.AppendTag(p.inner, eventFlows, protowire.Fixed64Type), uint64(id)+1)
		}
		for _, id := range t.ends[m.span].in {
			p.inner = protowire.AppendFixed64(protowire.AppendTag(p.inner, eventFlowsEnd, protowire.Fixed64Type), uint64(id)+1)
		}
	}
	p.packet = number(p.packet[:0], packetTimestamp, uint64(m.at))
	p.packet = number(p.packet, packetSequence, 1)
	p.packet = bytesField(p.packet, packetTrackEvent, p.inner)
	p.flush()
}
