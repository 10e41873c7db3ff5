// Package stat has the few statistics that the programs quote.
package stat

import "slices"

// Median returns the middle of xs, 0 if there is none.
func Median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	switch n := len(xs); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (xs[n/2-1] + xs[n/2]) / 2
	default:
		return xs[n/2]
	}
}

// Jain returns Jain's index of fairness: 1 if all have the same, 1/n if one has all, 0 if
// nobody has anything.
func Jain(xs []float64) float64 {
	var sum, squares float64
	for _, x := range xs {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / (float64(len(xs)) * squares)
}
