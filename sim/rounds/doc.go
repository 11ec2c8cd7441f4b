// Package rounds is how a round of embedding rows gets into accelerator memory:
// from which tier below the slots each row comes, what the accelerators exchange,
// and how long an extraction takes that reads several sources.
//
// # Tiers
//
// A [Tier] is host DRAM, an SSD or a set of parameter servers, with its costs. A
// [Hierarchy] says where each row is: it is a state machine of rows and tiers,
// without a clock. Its [Traffic] counts rows, and Traffic.Seconds prices them.
//
// # Extraction
//
// [Extraction] prices the bytes of a round by source (host, peers, the own memory),
// and [SourceTimes] composes them. A [Layout] says which rows several accelerators
// replicate, which they partition, and what share of lookups each source then serves.
package rounds
