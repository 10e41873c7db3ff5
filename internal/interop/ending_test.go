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

// TestFINWithData: the last octets and the end in one segment.
func TestFINWithData(t *testing.T) {
	onStage(t, func(t *testing.T, s stage) {
		s.k.do("write 5", "closewrite")
		s.o.do("read 5", "eof", "write 7", "closewrite")
		s.k.do("read 7", "eof", "close")
		s.o.do("close")
	})
}

// TestTimeWait: whoever closes first waits, and the same ports serve again at once.
func TestTimeWait(t *testing.T) {
	again := func(t *testing.T, dial func(s stage), first, second func(s stage) *driven) {
		l := newLab(t)
		s := stage{l, l.drive("ours", "-msl", "30s"), l.drive("kernel")}
		s.k.do("listen :7000")
		s.o.do("listen :7001")
		for range 3 {
			dial(s)
			s.o.do("write 100000")
			s.k.do("write 100000", "read 100000")
			s.o.do("read 100000")
			first(s).do("closewrite")
			second(s).do("eof", "closewrite")
			first(s).do("eof", "close")
			if second(s) == s.o {
				s.o.do("becomes CLOSED") // our port is free with the acknowledgment of our FIN
			}
			second(s).do("close")
		}
	}
	ours := func(s stage) *driven { return s.o }
	kernel := func(s stage) *driven { return s.k }
	weDial := func(s stage) {
		s.o.do("dial " + kernelIP + ":7000 " + oursIP + ":7500")
		s.k.do("accept")
	}
	kernelDials := func(s stage) {
		s.k.do("dial " + oursIP + ":7001 " + kernelIP + ":7500")
		s.o.do("accept")
	}
	t.Run("ours, the kernel dials again", func(t *testing.T) { again(t, kernelDials, ours, kernel) })
	t.Run("the kernel's, we dial again", func(t *testing.T) { again(t, weDial, kernel, ours) })
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
	l.nft("add counter ip lab synack; add rule ip lab forward tcp flags & (syn|ack) == syn|ack counter name synack")
	l.slow()
	s.o.do("dialling " + kernelIP + ":7200 " + oursIP + ":7100")
	s.k.do("dialling " + oursIP + ":7100 " + kernelIP + ":7200")
	s.o.do("dialled")
	s.k.do("dialled")
	if n := l.counter("synack"); n < 2 {
		t.Errorf("%d SYN-ACKs, want one of each end: the SYNs did not cross", n)
	}
	s.o.do("write 1000")
	s.k.do("write 1000", "read 1000", "closewrite")
	s.o.do("read 1000", "eof", "close")
	s.k.do("eof", "close")
}

// TestSimultaneousClose: both ends close, and their FINs cross.
func TestSimultaneousClose(t *testing.T) {
	onStage(t, func(t *testing.T, s stage) {
		s.o.do("write 1000")
		s.k.do("read 1000")
		s.slow()
		s.o.do("closewrite")
		s.k.do("closewrite")
		s.o.do("eof")
		s.k.do("eof")
		if state := s.o.do("state"); state != "CLOSING" && state != "TIME-WAIT" {
			t.Errorf("state %s, want CLOSING or what follows", state)
		}
		s.o.do("close")
		s.k.do("close")
	})
}
