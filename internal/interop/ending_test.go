//go:build interop && linux

package interop

import (
	"strings"
	"testing"
)

// TestICMP: what a router says of our SYN reaches whoever dials. The codes that mean that
// nobody is there end it at once (RFC 9293 SHLD-26), the others are the reason that is
// told in the end (MUST-56).
func TestICMP(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"port-unreachable", "prot-unreachable"} {
		t.Run(code, func(t *testing.T) {
			l := newLab(t)
			l.nft("add rule ip lab forward tcp dport 7000 reject with icmp type " + code)
			if out := l.output(l.ours, peerProgram, "transfer", "-dial", kernelIP+":7000", "-timeout", "20s"); !strings.Contains(out, "connection refused") {
				t.Errorf("a dial that ICMP %s answers: %s", code, out)
			}
		})
	}
	for _, code := range []string{"net-unreachable", "host-unreachable", "admin-prohibited"} {
		t.Run(code, func(t *testing.T) {
			l := newLab(t)
			k := l.drive("kernel")
			k.do("listen :7000")
			// The first SYN only: it is not the end.
			l.nft("add counter ip lab said; add rule ip lab forward tcp dport 7000 limit rate 1/minute burst 1 packets counter name said reject with icmp type " + code)
			o := l.drive("ours")
			o.do("dial " + kernelIP + ":7000")
			k.do("accept")
			if l.counter("said") != 1 {
				t.Error("the middle had nothing to say")
			}
		})
	}
}

// TestFINWithData: the last octets and the end in one segment, from either end.
func TestFINWithData(t *testing.T) {
	onStage(t, func(t *testing.T, s stage) {
		for name, ip := range map[string]string{"ours": oursIP, "kernel": kernelIP} {
			// Without data, and with timestamps, it has 52 octets.
			s.nft("add counter ip lab " + name + "; add rule ip lab forward ip saddr " + ip + " " + fins + " ip length > 52 counter name " + name)
		}
		s.k.do("last 5")
		s.o.do("read 5", "eof")
		// More than the window takes, so that the end finds data that waits.
		s.drops(kernelIP, "tcp flags ack")
		s.o.do("last 50000")
		s.dropsNothing()
		s.k.do("read 50000", "eof", "close")
		s.o.do("close")
		for _, name := range []string{"ours", "kernel"} {
			if s.counter(name) == 0 {
				t.Errorf("%s: no FIN with data", name)
			}
		}
	})
}

// TestTimeWait: whoever closes first waits, and the same ports serve again at once, whoever
// dials (RFC 9293 section 3.6.1, RFC 6191). Only our own dialler's port is not to be had
// while it waits itself, as a port of the kernel's without SO_REUSEADDR.
func TestTimeWait(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"ours", "kernel"} {
		for _, dialler := range []string{"ours", "kernel"} {
			t.Run(first+" waits, "+dialler+" dials again", func(t *testing.T) {
				l := newLab(t)
				l.sysctl(l.kernel, "net.ipv4.tcp_tw_reuse=1") // or it would not dial
				s := stage{l, l.drive("ours", "-msl", "30s"), l.drive("kernel")}
				s.k.do("listen :7000")
				s.o.do("listen :7001")
				x, y := s.o, s.k
				if first == "kernel" {
					x, y = y, x
				}
				for round := range 3 {
					if dialler == "ours" && first == "ours" && round > 0 {
						s.o.do("dialling "+kernelIP+":7000 "+oursIP+":7500", "dialfails EADDRINUSE")
						return
					}
					if dialler == "ours" {
						s.o.do("dial " + kernelIP + ":7000 " + oursIP + ":7500")
						s.k.do("accept")
					} else {
						if round > 0 && first == "kernel" {
							l.run(l.middle, "sleep", "2") // what tcp_tw_reuse asks for
						}
						s.k.do("dial " + oursIP + ":7001 " + kernelIP + ":7500")
						s.o.do("accept")
					}
					s.o.do("write 100000")
					s.k.do("write 100000", "read 100000")
					s.o.do("read 100000")
					x.do("closewrite")
					y.do("eof", "closewrite")
					x.do("eof", "close")
					if x == s.o {
						s.o.do("becomes TIME-WAIT")
					} else {
						s.o.do("becomes CLOSED") // our port is free with the acknowledgment of our FIN
						s.kernelBecomes("TIME-WAIT")
					}
					y.do("close")
				}
			})
		}
	}
}

// TestKeepAlive: probes of either side are answered, so that an idle connection lives;
// where no answer comes, it ends.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"ours", "kernel"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.nft("add counter ip lab alive; add rule ip lab forward tcp flags ack ip length < 54 counter name alive")
			prober, other, ip := l.drive(side, "-keepalive"), l.drive("ours"), oursIP
			if side == "ours" {
				other.stop()
				other, ip = l.drive("kernel"), kernelIP
			}
			other.do("listen :7000")
			prober.do("dial " + ip + ":7000")
			other.do("accept")
			before := l.counter("alive")
			l.run(l.middle, "sleep", "4")
			if n := l.counter("alive") - before; n < 4 {
				t.Errorf("%d bare ACKs in 4 idle seconds, want a probe each second and its answer", n)
			}
			other.do("write 10")
			prober.do("read 10")
			l.rule("ip saddr " + ip + " drop")
			prober.do("fails ETIMEDOUT")
		})
	}
}

// slow makes the middle's links so narrow that what is sent now arrives half a second
// later, and what is sent meanwhile by the other end passes it on the way.
func (l *lab) slow() {
	l.t.Helper()
	for _, link := range []string{"mo", "mk"} {
		l.run(l.middle, "tc", "qdisc", "add", "dev", link, "root", "tbf", "rate", "200kbit", "burst", "1600", "limit", "100000")
	}
	l.fill()
}

// fill puts 14000 octets of nothing on both links.
func (l *lab) fill() {
	l.t.Helper()
	for ns, to := range map[string]string{l.ours: kernelIP, l.kernel: oursIP} {
		l.run(ns, "bash", "-c", "for i in $(seq 10); do head -c 1400 /dev/zero >/dev/udp/"+to+"/9; done")
	}
}

// TestSimultaneousOpen: both ends dial, their SYNs cross, and it is one connection.
func TestSimultaneousOpen(t *testing.T) {
	l := newLab(t)
	s := stage{l, l.drive("ours"), l.drive("kernel")}
	for name, ip := range map[string]string{"ours": oursIP, "kernel": kernelIP} {
		l.nft("add counter ip lab " + name + "; add rule ip lab forward ip saddr " + ip + " " + synACKs + " counter name " + name)
	}
	l.slow()
	s.o.do("dialling " + kernelIP + ":7200 " + oursIP + ":7100")
	s.k.do("dialling " + oursIP + ":7100 " + kernelIP + ":7200")
	l.fill() // the SYN-ACKs come long after the SYNs
	l.kernelBecomes("SYN-RECEIVED")
	s.o.do("dialled")
	s.k.do("dialled")
	// A SYN-ACK of either end says that it was in SYN-RECEIVED.
	for _, name := range []string{"ours", "kernel"} {
		if l.counter(name) == 0 {
			t.Errorf("%s: no SYN-ACK, the SYNs did not cross", name)
		}
	}
	s.o.do("write 1000")
	s.k.do("write 1000", "read 1000", "closewrite")
	s.o.do("read 1000", "eof", "close")
	s.k.do("eof", "close")
}

// TestSimultaneousClose: both ends close, their FINs cross, and both are in CLOSING.
func TestSimultaneousClose(t *testing.T) {
	onStage(t, func(t *testing.T, s stage) {
		s.o.do("write 1000")
		s.k.do("read 1000")
		s.slow()
		s.o.do("closewrite")
		s.k.do("closewrite")
		s.fill() // the acknowledgments come long after the FINs
		s.kernelBecomes("CLOSING")
		s.o.do("becomes CLOSING", "eof", "becomes TIME-WAIT", "close")
		s.k.do("eof", "close")
		s.kernelBecomes("TIME-WAIT")
	})
}
