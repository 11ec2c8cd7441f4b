package reports

import (
	"cmp"
	"math"
	"slices"
)

// exactPairs is up to how many differing pairs signedRank counts all signs; beyond, the
// sum of ranks is taken as normal, whose error in p is then below 0.001.
const exactPairs = 100

// signedRank is the two-sided Wilcoxon signed-rank test of paired samples: the
// probability that ranks of differences are distributed over both signs as unevenly as
// here, were each sign as likely. Pairs without a difference are dropped, ties have the
// mean of their ranks, and p is exact for the ranks at hand (Wilcoxon, Individual
// comparisons by ranking methods, 1945; Pratt and Gibbons, Concepts of Nonparametric
// Theory, 1981, on conditional distributions under ties). It is 1 without any difference,
// and n pairs never give less than 2^(1-n).
func signedRank(differences []float64) (p float64) {
	ranks, positive := doubledRanks(differences)
	n, total := len(ranks), 0
	for _, r := range ranks {
		total += r
	}
	if n == 0 {
		return 1
	}
	less := min(positive, total-positive)
	if n > exactPairs {
		return normalTail(ranks, total, less)
	}
	ways := make([]float64, total+1) // of choosing positive ranks by their sum
	ways[0] = 1
	reach := 0
	for _, r := range ranks {
		for sum := reach; sum >= 0; sum-- {
			ways[sum+r] += ways[sum]
		}
		reach += r
	}
	below := 0.0
	for sum := range less + 1 {
		below += ways[sum]
	}
	return min(1, 2*below*math.Pow(2, -float64(n)))
}

// doubledRanks ranks the differences that are not zero by their magnitude; ranks are
// doubled, so that those of ties are whole. It returns the sum of the positive ones too.
func doubledRanks(differences []float64) (ranks []int, positive int) {
	var ds []float64
	for _, d := range differences {
		if d != 0 {
			ds = append(ds, d)
		}
	}
	slices.SortFunc(ds, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	ranks = make([]int, len(ds))
	for i := 0; i < len(ds); {
		end := i + 1
		for end < len(ds) && math.Abs(ds[end]) == math.Abs(ds[i]) {
			end++
		}
		for j := i; j < end; j++ {
			ranks[j] = i + 1 + end // twice the mean of the ranks i+1 to end
			if ds[j] > 0 {
				positive += ranks[j]
			}
		}
		i = end
	}
	return ranks, positive
}

// normalTail is p by the normal distribution of the sum of signed ranks.
func normalTail(ranks []int, total, less int) float64 {
	variance := 0.0
	for _, r := range ranks {
		variance += float64(r) * float64(r) / 4
	}
	z := (float64(total)/2 - float64(less) - 1) / math.Sqrt(variance) // 1: half a rank, doubled
	return min(1, math.Erfc(z/math.Sqrt2))
}
