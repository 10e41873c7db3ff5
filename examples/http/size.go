package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag.Value: a number of bytes with an optional unit, as in 256MiB.
type byteSize int64

// units are binary, as file sizes are; KB and the like are not taken, because
// half of the world means 1000 and the other half 1024.
var units = []struct {
	name  string
	shift uint
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}

// Set parses s: digits, at most one fraction, and B, KiB, MiB, GiB or TiB.
func (b *byteSize) Set(s string) error {
	num, scale := s, float64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			num, scale = n, float64(uint64(1)<<u.shift)
			break
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if err != nil || math.IsNaN(v) {
		return fmt.Errorf("want a number with B, KiB, MiB or GiB behind it, as in 256MiB")
	}
	if v *= scale; v < 1 || v > 1<<50 {
		return fmt.Errorf("want a size from 1B to 1024TiB")
	}
	*b = byteSize(v)
	return nil
}

// String returns the size with the largest unit that it fills.
func (b *byteSize) String() string { return sizeText(int64(*b)) }

// sizeText writes n bytes with four digits or fewer before the point.
func sizeText(n int64) string {
	for _, u := range units {
		if n >= 1<<u.shift && u.shift > 0 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(int64(1)<<u.shift)), ".0") + " " + u.name
		}
	}
	return fmt.Sprintf("%d B", n)
}
