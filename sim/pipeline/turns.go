package pipeline

// turns is the order of interleaved 1F1B (Narayanan et al., Efficient Large-Scale
// Language Model Training on GPU Clusters Using Megatron-LM, SC 2021, section 2.2):
// the stage of rank r owns the segments r, r + stages, r + 2 stages, ...: its
// chunks. Micro-batches come in groups of as many as there are stages; a group
// passes all chunks of a stage before the next one comes, forward from the first
// chunk, backward from the last. The paper wants full groups. Here the first one
// takes the rest as well, which needs no more time than full groups would (a smaller
// one would make stages wait for one another without end).
type turns struct {
	stages, chunks int
	microbatches   int
	forwardOnly    bool
}

// rotation reports whether a chunked schedule finds segments on stages in rotation,
// several on each, and how many stages.
func (s *Schedule) rotation(stageOf []int) (stages int, ok bool) {
	if !s.Chunked {
		return 0, false
	}
	for stages < len(stageOf) && (stages == 0 || stageOf[stages] != stageOf[0]) {
		stages++
	}
	if stages == len(stageOf) || len(stageOf)%stages != 0 {
		return 0, false
	}
	for g, stage := range stageOf {
		if stage != stageOf[g%stages] {
			return 0, false
		}
	}
	for g := range stages { // stages in two places of the rotation have more chunks than others
		for h := range g {
			if stageOf[g] == stageOf[h] {
				return 0, false
			}
		}
	}
	return stages, true
}

// warmup returns how many forward passes of a rank come before its first backward
// pass: Megatron-LM's 2 (stages - rank - 1) + (chunks - 1) micro-batches of the first
// group, and the one that then alternates.
func (t turns) warmup(rank int) int {
	return min(t.microbatches*t.chunks, 2*(t.stages-rank-1)+(t.chunks-1)*t.first()+1)
}

// first returns the micro-batches of the first group.
func (t turns) first() int {
	if t.microbatches < t.stages {
		return t.microbatches
	}
	return t.stages + t.microbatches%t.stages
}

// at returns the chunk and the micro-batch of a rank's k-th forward pass.
func (t turns) at(k int) (chunk, micro int) {
	first := t.first()
	if k < first*t.chunks {
		return k / first, k % first
	}
	k -= first * t.chunks
	group := k / (t.stages * t.chunks)
	k %= t.stages * t.chunks
	return k / t.stages, first + group*t.stages + k%t.stages
}

// op returns the operation at a position of a rank's step.
func (t turns) op(rank, position int) Op {
	passes := t.microbatches * t.chunks
	window := t.warmup(rank)
	if t.forwardOnly {
		window = passes
	}
	k, pass := opAt(position, window, passes)
	chunk, micro := t.at(k)
	if pass == Backward {
		chunk = t.chunks - 1 - chunk
	}
	return Op{Segment: int32(chunk*t.stages + rank), Micro: int32(micro), Pass: pass}
}

// ops is the number of operations of a rank's step.
func (t turns) ops() int {
	if t.forwardOnly {
		return t.microbatches * t.chunks
	}
	return 2 * t.microbatches * t.chunks
}

// held raises the micro-batches that each segment of a rank holds at once.
func (t turns) held(rank int, peak []int) {
	now := make([]int, t.chunks)
	// After the first group, turns of all chunks repeat themselves.
	for i := range min(t.ops(), 2*t.chunks*(t.first()+2*t.stages)) {
		op := t.op(rank, i)
		c := int(op.Segment) / t.stages
		if op.Pass == Backward {
			now[c]--
			continue
		}
		now[c]++
		peak[op.Segment] = max(peak[op.Segment], now[c])
	}
}

// merged returns the operations of all ranks, each after those that it needs along
// the chain of segments.
func (t turns) merged() []Op {
	segments := t.stages * t.chunks
	order := make([]Op, 0, t.stages*t.ops())
	at := make([]int, t.stages)
	var done [2][]int // per pass and segment: micro-batches, which come in order
	done[Forward], done[Backward] = make([]int, segments), make([]int, segments)
	for len(order) < cap(order) {
		before := len(order)
		for r := range at {
			for ; at[r] < t.ops(); at[r]++ {
				op := t.op(r, at[r])
				if before := op.neighbour(segments); before >= 0 && done[op.Pass][before] <= int(op.Micro) {
					break
				}
				done[op.Pass][op.Segment]++
				order = append(order, op)
			}
		}
		if len(order) == before {
			panic("pipeline: interleaved 1F1B waits for itself")
		}
	}
	return order
}

// neighbour returns the segment whose same pass must come before op on a chain, or
// -1. The last backward pass starts from the last forward pass, which is on the
// same stage.
func (op Op) neighbour(segments int) int {
	if op.Pass == Forward {
		return int(op.Segment) - 1
	}
	if int(op.Segment) == segments-1 {
		return -1
	}
	return int(op.Segment) + 1
}
