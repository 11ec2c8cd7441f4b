// Package rounds is how a round of embedding rows gets into accelerator memory:
// from which tier below the slots each row comes, what the accelerators exchange,
// and how long an extraction takes that reads several sources.
//
// # Rounds as events
//
// A [Feed] does it on the event engine, for one group of accelerators:
//
//	read -> unique -> plan -> stage -> fetch -> extract -> compute -> update
//	                   '----> write back
//
// Each arrow is a queue. A unit is what is planned at once: a round, or the rounds
// of a pass. Samples are read and made unique at most Queue units ahead; a unit is
// planned (package slots) at most Lookahead units ahead; its rows are staged from the
// store below into host memory, and fetched from there over the links, while rows
// that leave go the other way. Extraction gives each device the rows that it looks
// up, from its own slots, from other devices, and bypassed ones from host memory.
// Then the pipeline computes, and the update ends the round. The orders between
// rounds that keep rows right are explicit (depend.go). Time that the pipeline
// waits for rows is kept by [Cause].
//
// # Tiers
//
// A [Tier] is host DRAM, an SSD or a set of parameter servers, with its costs. A
// [Hierarchy] says where each row is: it is a state machine of rows and tiers,
// without a clock. Its [Traffic] counts rows.
//
// # Extraction
//
// The devices read the rows of a round from several sources at once. What reads peers
// and the own memory is the same cores, the host is read by a few of their own, so that
// an extraction takes
//
//	T_index + max(T_cpu, T_remote + T_local)
//
// (UGache, SOSP 2023: factored extraction). The tests check the rule against the times
// that its artefact logged, and the feed against the rule.
//
// # Exchange
//
// Rows belong to accelerator key mod W, unless all have a copy. A [DemandCounter]
// makes lookups unique in the scope that is asked for and counts a [Demand], the
// matrix of rows that each accelerator needs of each owner. A [Fabric] prices an
// all-to-all of it link by link, or the padded all-gather and all-reduce.
package rounds
