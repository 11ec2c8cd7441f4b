// Package lookups makes the embedding lookups of a training run, round by
// round: generators, readers of trace files, the unique step, and traces held
// in memory.
//
// The pipeline, in order:
//
//  1. A [Spec] says how lookups are drawn. [NewStream] turns it into a
//     [Stream] for one embedding layer; every call of Next is one round.
//  2. A [Uniquer] makes a round's lookups unique: a [Round].
//  3. [Record] does both for many rounds and keeps the result as a [Trace],
//     which replacement policies replay at many sizes.
//  4. Keys of real systems come in through [OpenKeys] or [LoadKeys], from text,
//     CSV, LIRS and ARC traces, oracleGeneral records and Parquet columns.
//
// A key is a row id within one embedding layer: the rows of its tables are
// numbered through, table after table, from 0. Keys are uint32, so a layer has
// fewer than 2^32 rows ([MaxRows]).
//
// The package has no clock and shares no state: the same Spec, seed and stream
// id give the same keys.
package lookups
