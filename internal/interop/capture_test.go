//go:build interop && linux

package interop

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// findings transfers 10 MB each way, our side on a TCP, and returns what tshark has to
// say against the capture: each warning with how often, and the number of segments.
func findings(t *testing.T, tcp string) (warnings map[string]int, segments int) {
	t.Helper()
	l := newLab(t)
	l.onTheWire()
	// Complete checksums, so that tshark can verify them.
	for ns, link := range map[string]string{l.ours: "eth0", l.kernel: "eth0"} {
		l.run(ns, "ethtool", "-K", link, "tx", "off")
	}
	file := filepath.Join(t.TempDir(), "capture")
	capture := l.start(time.Minute, l.middle, "dumpcap", "-q", "-i", "mk", "-B", "64", "-w", file)
	l.run(l.middle, "sh", "-c", "for i in $(seq 100); do test -s "+file+" && exit; sleep 0.1; done; exit 1")
	args := []string{"-send", "10000000", "-expect", "10000000", "-cc", "cubic"}
	server := l.start(time.Minute, l.kernel, append([]string{peerProgram, "transfer", "-tcp", "kernel", "-listen", ":7000"}, args...)...)
	server.saying("listening")
	l.start(time.Minute, l.ours, append([]string{peerProgram, "transfer", "-tcp", tcp, "-dial", kernelIP + ":7000"}, args...)...).well()
	server.well()
	capture.cmd.Process.Signal(os.Interrupt)
	capture.well()
	out := l.do("tshark", "-r", file, "-o", "tcp.check_checksum:TRUE", "-d", "tcp.port==7000,data", "-Y", "tcp",
		"-T", "fields", "-E", "separator=|", "-e", "tcp.checksum.status", "-e", "_ws.expert.severity", "-e", "_ws.expert.message")
	warnings = make(map[string]int)
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(f) < 3 {
			continue // tshark's own remarks
		}
		segments++
		if f[0] == "0" {
			warnings["bad checksum"]++
		}
		severities, messages := strings.Split(f[1], ","), strings.Split(f[2], ",")
		for i, s := range severities {
			if (s == "6291456" || s == "8388608") && i < len(messages) {
				warnings[messages[i]]++
			}
		}
	}
	return warnings, segments
}

// TestCapture: of a clean transfer of ours tshark says nothing that it does not say of
// the kernel's own.
func TestCapture(t *testing.T) {
	// A machine that is busy elsewhere makes either send again too early: what the kernel's
	// transfers have in common with ours is found by looking at more than one.
	known := make(map[string]int)
	var strange []string
	for range 4 {
		ours, n := findings(t, "ours")
		if n < 10000 {
			t.Fatalf("a capture of %d segments", n)
		}
		kernel, _ := findings(t, "kernel")
		t.Logf("%d segments, ours: %v, the kernel's: %v", n, ours, kernel)
		for w, k := range kernel {
			known[w] += k
		}
		strange = nil
		for _, w := range slices.Sorted(maps.Keys(ours)) {
			if known[w] == 0 {
				strange = append(strange, w)
			}
		}
		if strange == nil {
			return
		}
	}
	t.Errorf("not once in the kernel's own transfers: %q", strange)
}
