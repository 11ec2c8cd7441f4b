package lookups

import "slices"

// Histograms returns the histograms that come with the package, by their names.
// They are those of single batches of Meta's synthetic data sets, which were made
// after production embedding tables: facebookresearch/dlrm_datasets (MIT), the
// locality statistics of
//
//	meta-2021        fbgemm_t856_bs65536.pt, 856 tables
//	meta-2021-split  fbgemm_t856_bs65536_0.pt, 856 tables
//	meta-2022        fbgemm_t788_bs131072_0.pt, 788 tables
//
// Shares of three decimals, brought in line with the cumulated shares beside them
// (ReadHistograms).
func Histograms() []Histogram {
	return []Histogram{
		{
			Name: "meta-2021", Samples: 65536, Lookups: 887017990, Rows: 128435723,
			Bins: octaves(
				[]float64{.473, .152, .139, .112, .072, .032, .0115, .0045, .002, .001, .0005, 0, 0, 0, 0, 0, 0},
				[]float64{.069, .0435, .0685, .1005, .121, .104, .0735, .0575, .052, .05, .0485, .048, .048, .043, .031, .0235, .019}),
		},
		{
			Name: "meta-2021-split", Samples: 65536, Lookups: 468084223, Rows: 61644628,
			Bins: octaves(
				[]float64{.423, .165, .167, .121, .073, .031, .011, .0045, .002, .001, .0005, .0005, 0, 0, 0, 0, 0},
				[]float64{.056, .043, .075, .099, .112, .0905, .064, .052, .049, .0505, .054, .058, .061, .052, .038, .026, .02}),
		},
		{
			Name: "meta-2022", Samples: 131072, Lookups: 1405163864, Rows: 110259238,
			Bins: octaves(
				[]float64{.342, .144, .149, .138, .1125, .0675, .029, .01, .004, .002, .001, .001, 0, 0, 0, 0, 0},
				[]float64{.027, .0225, .04, .068, .105, .12, .099, .0695, .0595, .054, .04, .0715, .064, .047, .021, .017, .076}),
		},
	}
}

// HistogramNames lists the names of Histograms.
func HistogramNames() (names []string) {
	for _, h := range Histograms() {
		names = append(names, h.Name)
	}
	return names
}

// NamedHistogram returns one of Histograms, nil when there is none of the name.
func NamedHistogram(name string) *Histogram {
	hs := Histograms()
	i := slices.IndexFunc(hs, func(h Histogram) bool { return h.Name == name })
	if i < 0 {
		return nil
	}
	return &hs[i]
}

// octaves makes bins (0, 1], (1, 2], (2, 4], …, the last without an end.
func octaves(rows, lookups []float64) (bins []Bin) {
	for i := range rows {
		b := Bin{UpTo: 1 << i, Rows: rows[i], Lookups: lookups[i]}
		if i > 0 {
			b.Above = 1 << (i - 1)
		}
		if i == len(rows)-1 {
			b.UpTo = 0
		}
		bins = append(bins, b)
	}
	return bins
}
