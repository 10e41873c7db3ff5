//go:build interop && linux

package interop

import (
	"strings"
	"testing"
)

// states are how to bring a connection into each state that a reset can meet it in once it
// is there: the end x goes through them, the end y is the other one.
var states = []struct {
	name, state string
	story       func(s *stage, x, y *driven)
	// told is what the user of x hears of the reset: nothing, where both directions had ended.
	told string
}{
	{"ESTABLISHED", "ESTABLISHED", func(*stage, *driven, *driven) {}, "fails ECONNRESET"},
	{"ESTABLISHED, with data", "ESTABLISHED", func(s *stage, x, y *driven) {
		y.do("write 100")
		x.do("read 100", "write 1000")
	}, "fails ECONNRESET"},
	{"FIN-WAIT-1", "FIN-WAIT-1", func(s *stage, x, y *driven) {
		s.drops(x.ip, fins)
		x.do("closewrite")
	}, "fails ECONNRESET"},
	{"FIN-WAIT-2", "FIN-WAIT-2", func(s *stage, x, y *driven) {
		x.do("closewrite")
		y.do("eof")
	}, "fails ECONNRESET"},
	{"CLOSE-WAIT", "CLOSE-WAIT", func(s *stage, x, y *driven) {
		y.do("closewrite")
		x.do("eof")
	}, "refuses"},
	{"CLOSING", "CLOSING", func(s *stage, x, y *driven) {
		s.drops(x.ip, fins)
		x.do("closewrite")
		y.do("closewrite")
		x.do("eof")
	}, "close"},
	{"LAST-ACK", "LAST-ACK", func(s *stage, x, y *driven) {
		y.do("closewrite")
		x.do("eof")
		s.drops(x.ip, fins)
		x.do("closewrite")
	}, "close"},
}

// resets has one end reset the connection that the other one, x, has in each state.
func resets(t *testing.T, by string) {
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			onStage(t, func(t *testing.T, s stage) {
				x, y := s.o, s.k
				if by == "ours" {
					x, y = y, x
				}
				state.story(&s, x, y)
				s.becomes(x, state.state)
				y.do("abort")
				x.do(state.told)
				s.becomes(x, "CLOSED")
			})
		})
	}
}

// TestResetOfTheKernel: the kernel resets a connection of ours in each state that it can
// find it in (RFC 9293 section 3.10.7.4, second step).
func TestResetOfTheKernel(t *testing.T) {
	t.Parallel()
	resets(t, "kernel")
	t.Run("data that nobody takes", func(t *testing.T) {
		onStage(t, func(t *testing.T, s stage) {
			s.o.do("write 1000", "closewrite")
			s.k.do("read 10", "close")
			s.o.do("fails ECONNRESET")
		})
	})
	t.Run("SYN-SENT", func(t *testing.T) {
		l := newLab(t)
		o := l.drive("ours")
		o.do("dialling "+kernelIP+":7000", "dialfails ECONNREFUSED")
	})
	t.Run("SYN-RECEIVED, after LISTEN", func(t *testing.T) {
		l := newLab(t)
		l.nft("add counter ip lab synack; add rule ip lab forward ip saddr " + oursIP + " " + synACKs + " counter name synack")
		l.nft("add counter ip lab rst; add rule ip lab forward ip saddr " + kernelIP + " tcp flags & rst == rst counter name rst")
		o, k := l.drive("ours"), l.drive("kernel", "-timeout", "700ms")
		o.do("listen :7000")
		l.drops(oursIP, synACKs)
		k.do("dialling "+oursIP+":7000", "dialfails timeout")
		l.dropsNothing()
		// Our SYN-ACK is sent again, and there is nobody any more.
		l.eventually("a reset", func() bool { return l.counter("rst") > 0 })
		// We listen again, and the next one is served.
		k.do("dial " + oursIP + ":7000")
		o.do("accept", "write 10")
		k.do("read 10", "close")
		l.run(l.middle, "sleep", "3") // time for a SYN-ACK that the reset did not end
		if n := l.counter("synack"); n != 2 {
			t.Errorf("%d SYN-ACKs arrived, want one for either dial", n)
		}
	})
	t.Run("SYN-RECEIVED, after a dial", func(t *testing.T) {
		l := newLab(t)
		l.nft("add counter ip lab synack; add rule ip lab forward ip saddr " + oursIP + " " + synACKs + " counter name synack")
		l.drops(kernelIP, "ip dscp 0") // the kernel, which nobody asked
		o, k := l.drive("ours"), l.drive("kernel")
		k.do("watch")
		o.do("dialling " + kernelIP + ":7100")
		k.do("hears S", "inject S", "hears S.") // simultaneous open
		k.do("inject R")
		o.do("dialfails ECONNREFUSED")
		if l.counter("synack") == 0 {
			t.Error("no SYN-ACK of ours")
		}
	})
	t.Run("TIME-WAIT", func(t *testing.T) {
		onStage(t, func(t *testing.T, s stage) {
			s.k.do("watch")
			s.o.do("closewrite")
			s.k.do("eof", "closewrite")
			s.o.do("eof", "state", "becomes TIME-WAIT", "close")
			// It goes on, whatever resets come (RFC 1337 section 3), and answers what is old.
			for range 3 {
				s.k.do("inject R", "inject . -1", "hears .")
			}
		}, "-msl", "30s")
	})
}

// TestResetOfOurs: the same the other way.
func TestResetOfOurs(t *testing.T) {
	t.Parallel()
	resets(t, "ours")
	t.Run("data that nobody takes", func(t *testing.T) {
		onStage(t, func(t *testing.T, s stage) {
			s.k.do("write 1000", "closewrite")
			s.o.do("read 10", "close")
			s.k.do("fails ECONNRESET")
		})
	})
	t.Run("SYN-SENT", func(t *testing.T) {
		l := newLab(t)
		o := l.drive("ours")
		// A port that a dial of ours uses, and nobody listens on: our reset, not the kernel's.
		o.do("listen :7000")
		l.nft("add rule ip lab early ip daddr " + kernelIP + " tcp dport 7100 drop")
		o.do("dialling " + kernelIP + ":7100 :7300")
		if out := l.output(l.kernel, peerProgram, "transfer", "-tcp", "kernel", "-dial", oursIP+":7300"); !strings.Contains(out, "connection refused") {
			t.Errorf("a dial to a port without a listener: %s", out)
		}
	})
	t.Run("SYN-RECEIVED", func(t *testing.T) {
		l := newLab(t)
		o, k := l.drive("ours", "-timeout", "700ms"), l.drive("kernel")
		k.do("listen :7000")
		l.drops(kernelIP, synACKs)
		o.do("dialling "+kernelIP+":7000", "dialfails timeout")
		l.kernelBecomes("SYN-RECEIVED")
		l.dropsNothing()
		// The kernel's SYN-ACK is sent again, and there is nobody any more.
		l.kernelBecomes("CLOSED")
	})
	t.Run("TIME-WAIT", func(t *testing.T) {
		onStage(t, func(t *testing.T, s stage) {
			s.o.do("watch")
			s.k.do("closewrite")
			s.o.do("eof", "closewrite")
			s.k.do("eof", "close")
			s.kernelBecomes("TIME-WAIT")
			s.o.do("inject R")
			s.kernelBecomes("CLOSED") // Linux does not heed RFC 1337 unless told to
			s.o.do("becomes CLOSED", "close")
		})
	})
}
