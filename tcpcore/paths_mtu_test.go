package tcpcore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// narrowPaths are paths that do not take what the hosts' interfaces do.
var narrowPaths = []pathSpec{
	{name: "MTU 1400, told", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, mtu: 1400, told: true},
	{name: "MTU 1400, silent", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, mtu: 1400},
	{name: "MTU 1200, silent", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, mtu: 1200}, // less than the base
	{name: "MTU 1480, 1400, 1480", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, mtu: 1480, mtuSteps: []mtuStep{{2500 * ms, 1400}, {5000 * ms, 1480}}},
	{name: "MTU 1480, 2 s outage", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, mtu: 1480, outage: [2]time.Duration{3 * time.Second, 5 * time.Second}},
	{name: "MTU 9000 instead of 1480", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, mtu: 9000, wide: 9000},
}

// TestPathsMTU is TestPaths for path MTU discovery.
func TestPathsMTU(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "# As paths.txt, for paths that take smaller or larger packets than the hosts believe at first:\n")
	fmt.Fprintf(&b, "# 1480 octets. Written by go test ./tcpcore -run TestPaths -update.\n")
	fmt.Fprintf(&b, "%-26s %-6s %7s %6s %7s %7s %8s %4s %7s\n", "path", "", "Mbit/s", "used", "queue", "again", "needless", "RTO", "undone")
	for _, spec := range narrowPaths {
		for _, name := range congestion.Names() {
			b.WriteString(playPath(t, spec, name))
		}
	}
	compareTable(t, "testdata/paths_mtu.txt", b.String())
}
