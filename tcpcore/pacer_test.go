package tcpcore

import (
	"math/rand/v2"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

const pacedMSS = 1420

// paced sends for a second of virtual time whatever the pacer allows, asked again by timers
// that are late by up to the given time, and returns what was sent when.
func paced(rate int64, late time.Duration) (sent []int64) {
	var p pacer
	rng := rand.New(rand.NewPCG(uint64(rate), uint64(late)))
	now := Time(5 * time.Second)
	p.at = now
	end := now + Time(time.Second)
	for now < end {
		n := int64(0)
		for p.allow(now, rate, pacedMSS, pacedMSS) {
			p.sent(pacedMSS)
			n += pacedMSS
		}
		if n > 0 {
			sent = append(sent, n)
		}
		now = p.due + Time(rng.Int64N(int64(late)+1))
	}
	return sent
}

// TestPacerMean sends at rates from 1 Mbit/s to 10 Gbit/s with timers of all kinds.
func TestPacerMean(t *testing.T) {
	for _, rate := range []int64{mbit, 10 * mbit, 100 * mbit, 1000 * mbit, 10_000 * mbit} {
		for _, late := range []time.Duration{0, 100 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
			sum := int64(0)
			for _, n := range paced(rate, late) {
				sum += n
				if most := quantum(rate, pacedMSS, late); n > most {
					t.Fatalf("%d bytes a second, timers late by %v: a burst of %d, a quantum is %d", rate, late, n, most)
				}
			}
			off := float64(sum-rate) / float64(rate)
			// A second holds but 88 segments at 1 Mbit/s: a segment more or less is no error.
			if slack := 0.01 + 2*pacedMSS/float64(rate); off > slack || off < -slack {
				t.Errorf("%d bytes a second, timers late by up to %v: the mean is off by %.2f %%", rate, late, 100*off)
			}
		}
	}
}

// TestPacerIdle has nothing to send for a while.
func TestPacerIdle(t *testing.T) {
	const rate = 100 * mbit
	var p pacer
	now := Time(time.Second)
	burst := func() (n int64) {
		for p.allow(now, rate, pacedMSS, pacedMSS) {
			p.sent(pacedMSS)
			n += pacedMSS
		}
		return n
	}
	burst()
	p.idle() // the congestion window was the limit
	now = now.Add(time.Minute)
	most := quantum(rate, pacedMSS, 0)
	if n := burst(); n > most {
		t.Errorf("after a minute without anything to send, %d bytes leave at once, a quantum is %d", n, most)
	}
	// A timer that fires a minute late has not saved up a minute either,
	now = now.Add(time.Minute)
	if n := burst(); n > quantum(rate, pacedMSS, maxLate) {
		t.Errorf("a late timer makes %d bytes leave at once", n)
	}
	// and once timers are on time again, it is forgotten.
	for range 200 {
		now = p.due
		burst()
	}
	p.idle()
	now = now.Add(time.Minute)
	if n := burst(); n > most {
		t.Errorf("long after a late timer %d bytes leave at once, a quantum is %d", n, most)
	}
}

// TestPacerSlowRates waits for seconds, and is let go when the rate rises.
func TestPacerSlowRates(t *testing.T) {
	var p pacer
	now := Time(time.Second)
	for p.allow(now, 100, pacedMSS, pacedMSS) {
		p.sent(pacedMSS)
	}
	if d := p.due.Sub(now); d < 13*time.Second || d > 29*time.Second {
		t.Errorf("1420 bytes at 100 a second are due after %v", d)
	}
	now = now.Add(10 * time.Millisecond)
	if !p.allow(now, 10*mbit, pacedMSS, pacedMSS) && p.due.Sub(now) > 10*time.Millisecond {
		t.Errorf("at a higher rate they are still due after %v", p.due.Sub(now))
	}
}

// pacedWindow is a wide window with a rate.
type pacedWindow struct {
	openWindow
	rate int64
}

func (p *pacedWindow) PacingRate() int64 { return p.rate }

// TestPacing sends through the engine.
func TestPacing(t *testing.T) {
	ctl := &pacedWindow{openWindow{congestion.NewReno()}, 10 * mbit}
	s := newScript(t, "data leaves at the rate that the congestion control asks for, a quantum at a time",
		Config{Congestion: func() congestion.Controller { return ctl }}, Params{})
	s.peerWindow = 65535
	s.active(optSACKOK(), optScale(8))
	s.recv(ACK, 1, 1)
	s.write(400_000)
	begin, sent := s.now, 0
	most := int(quantum(ctl.rate, 1460, 0))
	for s.now.Sub(begin) < 200*ms {
		n := 0
		for _, g := range s.drain() {
			n += len(g.Payload)
		}
		s.check(n <= most, "%d bytes leave at once, a quantum is %d", n, most)
		sent += n
		s.wait(time.Second)
	}
	want := int(earned(ctl.rate, 200*ms))
	s.check(sent > want-want/50 && sent < want+want/50+most, "%d bytes left in 200 ms, want %d", sent, want)
}

// TestPacingBegins has a congestion control that asks for no pace at first, and then for one:
// what left without is not held against what leaves then.
func TestPacingBegins(t *testing.T) {
	ctl := &pacedWindow{openWindow{congestion.NewReno()}, 10 * mbit}
	s := newScript(t, "a pace that begins does not begin with a debt",
		Config{Congestion: func() congestion.Controller { return ctl }}, Params{})
	s.peerWindow = 65535
	s.active(optSACKOK(), optScale(8))
	s.recv(ACK, 1, 1)
	sent := 0
	during := func(rate int64) int { // sends what may be sent in 100 ms, all of it acknowledged at once
		ctl.rate = rate
		begin := sent
		for range 100 {
			for _, g := range s.drain() {
				sent += len(g.Payload)
			}
			s.recv(ACK, 1, 1+sent)
			if free := 1<<20 - s.e.snd.buf.len(); free > 0 {
				s.write(free)
			}
			s.now = s.now.Add(ms)
			s.e.Advance(s.now)
		}
		return sent - begin
	}
	paced := int(earned(10*mbit, 100*ms))
	during(10 * mbit)
	n := during(0)
	s.check(n > 10*paced, "without a pace %d bytes leave in 100 ms, no more than with one", n)
	n = during(10 * mbit)
	s.check(n > paced*9/10, "%d bytes leave in the first 100 ms of a pace, want %d", n, paced)
}
