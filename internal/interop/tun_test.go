//go:build interop && linux

package interop

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// On a TUN device our TCP has this address, and the host, in the namespace, the other.
const tunIP, tunHostIP = "10.98.0.2", "10.98.0.1"

// TestTUN: programs of the host, on its own TCP, talk with an address of ours.
func TestTUN(t *testing.T) {
	t.Parallel()
	transfer := func(l *lab, tcp, way, at string) *process {
		return l.start(time.Minute, l.ours, peerProgram, "transfer", "-tcp", tcp, way, at, "-send", "50000000", "-expect", "50000000")
	}
	t.Run("the host dials", func(t *testing.T) {
		l := newLab(t)
		ours := transfer(l, "tun", "-listen", ":7000")
		ours.saying("listening")
		if out := l.output(l.ours, peerProgram, "transfer", "-tcp", "kernel", "-dial", tunIP+":7001"); !strings.Contains(out, "connection refused") {
			t.Errorf("a port without a listener: %s", out)
		}
		transfer(l, "kernel", "-dial", tunIP+":7000").well()
		ours.well()
	})
	t.Run("we dial", func(t *testing.T) {
		l := newLab(t)
		kernel := transfer(l, "kernel", "-listen", ":7000")
		kernel.saying("listening")
		transfer(l, "tun", "-dial", tunHostIP+":7000").well()
		kernel.well()
	})
	t.Run("curl", func(t *testing.T) {
		// Through a relay: the page is served by the host's TCP, on loopback.
		l := newLab(t)
		server := l.start(time.Minute, l.ours, filepath.Join(dir, "raw"), "serve", "-listen", oursIP+":8080", "-size", "10MB")
		want := pageSum.FindStringSubmatch(server.saying("http://"))[1]
		l.start(time.Minute, l.ours, peerProgram, "relay", "-tcp", "tun", "-listen", ":80", "-to-tcp", "kernel", "-to", oursIP+":8080", "-count", "0").saying("listening")
		got := filepath.Join(t.TempDir(), "page")
		l.within(l.ours, "curl", "-sS", "-f", "-o", got, "http://"+tunIP+"/")
		if sum := sumOf(t, got); sum != want {
			t.Errorf("SHA-256 %s, want %s", sum, want)
		}
	})
}
