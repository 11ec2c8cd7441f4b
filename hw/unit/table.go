package unit

// scale is one accepted unit. A number x of it is x * 10^exp * mul in the base
// unit; mul is a power of two, 60 or 3600, so that the decimal part of the
// arithmetic can be left to strconv, which rounds once and correctly.
type scale struct {
	name  string
	exp   int
	mul   float64
	print bool // String may choose it; the others are only read
}

// kind is a quantity: its name in messages, an example, and the closed table
// of its units. The first unit is the base unit; printed units rise in size.
type kind struct {
	name    string
	example string
	units   []scale
	limit   float64 // largest accepted value, in the base unit
	unit    bool    // a number must have a unit
}

// maxFloat bounds every floating-point quantity. No machine comes near it, and
// sums and products of a few such values stay finite.
const maxFloat = 1e36

// maxInt is the largest float64 that fits an int64, so that one limit serves
// both arithmetics: 2^63 - 2^10.
const maxInt = 1<<63 - 1<<10

var bytesKind = kind{
	name: "amount of bytes", example: "32 GiB", limit: maxInt, unit: true,
	units: []scale{
		{"B", 0, 1, true},
		{"kB", 3, 1, true}, {"KB", 3, 1, false}, {"MB", 6, 1, true}, {"GB", 9, 1, true},
		{"TB", 12, 1, true}, {"PB", 15, 1, true}, {"EB", 18, 1, true},
		{"KiB", 0, 1 << 10, true}, {"MiB", 0, 1 << 20, true}, {"GiB", 0, 1 << 30, true},
		{"TiB", 0, 1 << 40, true}, {"PiB", 0, 1 << 50, true}, {"EiB", 0, 1 << 60, true},
	},
}

var rateKind = kind{
	name: "rate", example: "900 GB/s", limit: maxFloat, unit: true,
	units: []scale{
		{"B/s", 0, 1, true},
		{"kB/s", 3, 1, true}, {"KB/s", 3, 1, false}, {"MB/s", 6, 1, true}, {"GB/s", 9, 1, true},
		{"TB/s", 12, 1, true}, {"PB/s", 15, 1, true},
		{"KiB/s", 0, 1 << 10, false}, {"MiB/s", 0, 1 << 20, false}, {"GiB/s", 0, 1 << 30, false}, {"TiB/s", 0, 1 << 40, false},
		{"b/s", 0, 0.125, false}, {"kb/s", 3, 0.125, false}, {"Mb/s", 6, 0.125, false}, {"Gb/s", 9, 0.125, false}, {"Tb/s", 12, 0.125, false},
		{"bit/s", 0, 0.125, false}, {"kbit/s", 3, 0.125, false}, {"Mbit/s", 6, 0.125, false}, {"Gbit/s", 9, 0.125, false}, {"Tbit/s", 12, 0.125, false},
		{"bps", 0, 0.125, false}, {"kbps", 3, 0.125, false}, {"Mbps", 6, 0.125, false}, {"Gbps", 9, 0.125, false}, {"Tbps", 12, 0.125, false},
	},
}

var flopsKind = kind{
	name: "arithmetic rate", example: "15.7 TFLOPS", limit: maxFloat, unit: true,
	units: []scale{
		{"FLOPS", 0, 1, true}, {"kFLOPS", 3, 1, true}, {"MFLOPS", 6, 1, true}, {"GFLOPS", 9, 1, true},
		{"TFLOPS", 12, 1, true}, {"PFLOPS", 15, 1, true}, {"EFLOPS", 18, 1, true},
		{"FLOP/s", 0, 1, false}, {"MFLOP/s", 6, 1, false}, {"GFLOP/s", 9, 1, false},
		{"TFLOP/s", 12, 1, false}, {"PFLOP/s", 15, 1, false}, {"EFLOP/s", 18, 1, false},
		{"GOPS", 9, 1, false}, {"TOPS", 12, 1, false}, {"POPS", 15, 1, false},
	},
}

var flopKind = kind{
	name: "count of operations", example: "3.1 GFLOP", limit: maxFloat, unit: true,
	units: []scale{
		{"FLOP", 0, 1, true}, {"kFLOP", 3, 1, true}, {"MFLOP", 6, 1, true}, {"GFLOP", 9, 1, true},
		{"TFLOP", 12, 1, true}, {"PFLOP", 15, 1, true}, {"EFLOP", 18, 1, true}, {"ZFLOP", 21, 1, true},
	},
}

var priceKind = kind{
	name: "price", example: "2.42 USD/h", limit: maxFloat, unit: true,
	units: []scale{
		{"USD/h", 0, 1, true}, {"USD/hour", 0, 1, false}, {"$/h", 0, 1, false}, {"$/hour", 0, 1, false},
	},
}

var rowRateKind = kind{
	name: "row rate", example: "2.4 Grows/s", limit: maxFloat, unit: true,
	units: []scale{
		{"rows/s", 0, 1, true}, {"krows/s", 3, 1, true}, {"Mrows/s", 6, 1, true}, {"Grows/s", 9, 1, true}, {"Trows/s", 12, 1, true},
		{"IOPS", 0, 1, false}, {"kIOPS", 3, 1, false}, {"MIOPS", 6, 1, false},
	},
}

// In durations both Unicode letters for micro are read: the sign U+00B5 and the
// Greek letter U+03BC. The printed form is ASCII.
var durationKind = kind{
	name: "duration", example: "5 us", limit: float64(MaxTime), unit: true,
	units: []scale{
		{"ns", 0, 1, true},
		{"us", 3, 1, true}, {"\u00b5s", 3, 1, false}, {"\u03bcs", 3, 1, false},
		{"ms", 6, 1, true}, {"s", 9, 1, true}, {"min", 9, 60, true}, {"h", 9, 3600, true},
	},
}

var ratioKind = kind{
	name: "ratio", example: "5 %", limit: maxFloat,
	units: []scale{
		{"%", -2, 1, true},
	},
}
