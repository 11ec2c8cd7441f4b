// Package slots is the slot table: which embedding rows are in the storage slots
// of a processor's memory, round after round, and which leave when slots run
// short.
//
// # A round
//
// [Table.Plan] takes one round of unique keys and decides everything about it:
//
//  1. Classify the keys by the mapping: hits are in a slot, misses are the
//     target parameters that must be written.
//  2. Check that the rows of this round and of the rounds in flight fit into
//     the slots together; if not, the shortage rule acts (shortage.go): most end
//     in a [*ShortageError] and no change, bypass leaves rows without a slot.
//  3. Hits are touched and pinned, in the order of the round's keys.
//  4. The remaining slots come from the mapping. If they do not suffice, the
//     replacement policy chooses as many victims as are missing, never a pinned
//     row; dirty ones are written back.
//  5. Misses are filled and pinned, in the order of the round's keys.
//
// [Table.Release] ends the oldest round in flight: its updates are committed,
// so its rows become dirty, and its pins are dropped. Rounds are committed in
// the order in which they were planned. A row that two rounds in flight share
// stays in its slot from the first to the last of them, and the updates land
// there in place: a later round reads what the earlier one has committed. A row
// that leaves is written back if dirty, so that a fill always reads the last
// committed value.
//
// [Table.Unpin] and [Table.Commit] are the two halves of Release. A round that is
// unpinned first (FBGEMM does so before the backward pass) may see its rows leave
// before its updates land; Commit then lands them where the rows are, in another
// slot or in the memory below. No update is lost, and a fill still reads the last
// committed value. But what a round has read by the time it is unpinned may lack
// the updates of the rounds before it that are not committed by then, and of no
// others.
//
// A look-ahead of d means that round r is planned while the d rounds before it
// are in flight: Release is called before Plan until at most d are. The state of
// the table then depends on the trace, the capacity, the policy and d, never on
// timing.
//
// # Replay
//
// [Table.Replay] takes single lookups instead, without rounds or pins: the
// classical comparison of replacement policies, to the last miss. [Replayer] reads a
// trace once for many tables, of 64-bit keys too, in memory that does not grow with
// it.
//
// # Curves
//
// Misses at all sizes in one pass over a trace: [StackDistances] has those of LRU
// for single lookups, exactly, and [RoundDistances] for rounds; [Offload] makes
// of the latter what TorchRec's planner asks for, table by table. [Shards] and
// [HeadShards] estimate them from a sample, for traces whose keys are too many to
// hold. [SizeReplay] replays LRU, FIFO, CLOCK and SIEVE at several sizes together, as
// [Replayer] does.
//
// # Policies
//
// A replacement policy is one file and one line in the list in policy.go. Most admit
// every row that misses, and none of these has fewer misses than min. lfu-admit and
// static refuse rows, which are bypassed; static has its rows in their slots before
// the first round. Those that remember rows that have left their slots (2q, arc, lirs,
// s3-fifo) do so in memory bounded by the slots.
//
// The package has no clock. A table belongs to one goroutine.
package slots
