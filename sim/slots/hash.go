package slots

// hashOf hashes a key, for policies that sample or count keys and for tables with
// sets. Where keys stand for others (Config.Origin, interned 64-bit keys) it
// hashes the original, so that what a policy does is a function of the trace and
// not of how its keys were numbered.
func (t *Table) hashOf(k uint32) uint64 { return fmix64(t.original(k)) }

// original is the key behind a key.
func (t *Table) original(k uint32) uint64 {
	if t.interned != nil {
		return t.interned[k]
	}
	if t.single && t.ids != nil {
		k = uint32(t.ids.keys[k]) // of the table's own interner
	}
	return t.cfg.original(k)
}

// original is the row of the layer behind a key.
func (c *Config) original(k uint32) uint64 {
	if c.Origin != nil {
		k = c.Origin[k]
	}
	return uint64(k)
}

// fmix64 is the finaliser of MurmurHash3: a bijection of 64-bit words in which
// every bit of the input changes every bit of the output with probability near
// one half.
func fmix64(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
