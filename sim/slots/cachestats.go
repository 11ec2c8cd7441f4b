package slots

// CacheStats are the six counters that FBGEMM keeps of a cached embedding
// (uvm_cache_stats_index in fbgemm_gpu, split_embeddings_cache_cuda.cuh), under its
// names.
type CacheStats struct {
	Calls                int `json:"num_calls"`                  // rounds: calls of prefetch
	Requested            int `json:"num_requested_indices"`      // lookups, before they are made unique
	Unique               int `json:"num_unique_indices"`         // unique rows, summed over the rounds
	UniqueMisses         int `json:"num_unique_misses"`          // of Unique: in no slot when the round was planned
	ConflictUniqueMisses int `json:"num_conflict_unique_misses"` // of UniqueMisses: rows that got no slot either
	ConflictMisses       int `json:"num_conflict_misses"`        // their lookups, which the memory below serves
}

// CacheStats returns FBGEMM's counters of a sum of counts over rounds.
func (c Counts) CacheStats(rounds int) CacheStats {
	return CacheStats{
		Calls:                rounds,
		Requested:            c.Lookups,
		Unique:               c.Unique,
		UniqueMisses:         c.Misses,
		ConflictUniqueMisses: c.Bypasses,
		ConflictMisses:       c.BypassLookups,
	}
}
