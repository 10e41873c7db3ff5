//go:build interop && linux

package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

var rate = regexp.MustCompile(`ok sent \d+ got \d+ in \S+, ([0-9.]+) MB/s`)

// BenchmarkBulk compares our TCP over raw IPv4 with the same over UDP without offloads,
// in turns, one way over the two links of a laboratory: MB/s of each, and their ratio.
// Both ends are ours. INTEROP_PROFILE names a directory for CPU profiles of both.
//
//	go test -tags interop -run '^$' -bench Bulk -benchtime 5x ./internal/interop
func BenchmarkBulk(b *testing.B) {
	const size = "300000000"
	b.Setenv("CULVERT_NO_GSO", "1")
	b.Setenv("CULVERT_NO_GRO", "1")
	l := newLab(b)
	one := func(tcp string) float64 {
		args := []string{peerProgram, "transfer", "-tcp", tcp}
		profile := func(side string) []string {
			if dir := os.Getenv("INTEROP_PROFILE"); dir != "" {
				return []string{"-profile", filepath.Join(dir, tcp+"-"+side)}
			}
			return nil
		}
		server := l.start(time.Minute, l.kernel, append(append(args, "-listen", ":7000", "-expect", size), profile("receiver")...)...)
		server.saying("listening")
		client := l.start(time.Minute, l.ours, append(append(args, "-dial", kernelIP+":7000", "-send", size), profile("sender")...)...)
		client.well()
		m := rate.FindStringSubmatch(server.well())
		if m == nil {
			b.Fatal("no rate")
		}
		v, _ := strconv.ParseFloat(m[1], 64)
		return v
	}
	var raw, udp, ratio []float64
	for b.Loop() {
		r, u := one("ours"), one("udp")
		raw, udp, ratio = append(raw, r), append(udp, u), append(ratio, r/u)
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(raw), "raw-MB/s")
	b.ReportMetric(median(udp), "udp-MB/s")
	b.ReportMetric(median(ratio), "raw/udp")
}
