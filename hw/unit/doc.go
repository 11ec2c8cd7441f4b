// Package unit holds the quantities of Stowage as types: amounts of memory,
// rates, arithmetic, prices, durations, ratios. Each parses what people write
// ("32 GiB", "900 GB/s", "100 Gb/s", "15.7 TFLOPS", "2.42 USD/h", "5 us",
// "5 %"), prints itself for people (String, about four digits), and keeps its
// exact value through text (MarshalText) and JSON (a bare number in the base
// unit).
//
// The table of units is closed and upper and lower case differ: GB is 10^9
// bytes, GiB is 2^30 bytes, Gb is 10^9 bits. A number without a unit is an
// error, for a silent guess would be wrong by 2^30 now and then; only a Ratio
// may stand bare.
package unit
