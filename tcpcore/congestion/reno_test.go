package congestion

import (
	"testing"
	"time"
)

// TestRenoSlowStart checks that an acknowledgment of many segments counts for two in slow
// start (L of RFC 3465 section 2.2), and for one in the slow start after a timeout (2.3).
//
// Shows: RFC3465-1.
func TestRenoSlowStart(t *testing.T) {
	f := newFeed(t, NewRenoWith(RenoOptions{NoHyStart: true})(), 10, 50*time.Millisecond)
	f.ack(1)
	f.want("one segment acknowledged", 11)
	f.ack(2)
	f.want("two", 13)
	f.ack(9)
	f.want("nine count for two", 15)
	f.ack(0, func(a *Ack) { a.Sacked = 5 * feedMSS })
	f.want("what is selectively acknowledged does not count", 15)

	f.lose(Timeout)
	f.want("after a timeout", 1)
	f.wantThreshold("after a timeout", 7.5)
	f.ack(5, afterRTO)
	f.want("five count for one", 2)
	f.ack(2)
	f.want("in all of the slow start that follows", 3)
	for f.c.Window() < f.c.Threshold() {
		f.ack(1)
	}
	f.c.(*Reno).Cwnd = 2 * feedMSS // as idle time would
	f.ack(2)
	f.want("and for two in the next one", 4)

	wide := newFeed(t, NewRenoWith(RenoOptions{ByteLimit: 8})(), 10, 50*time.Millisecond)
	wide.ack(20)
	wide.want("twenty count for eight, as chosen", 18)
}

// TestRenoStretchACKs has a receiver acknowledge the initial window at once, as one does whose
// system hands it over in a piece: with HyStart++ it doubles all the same, as what it grows by
// is paced (RFC 9406 section 4.3), and grows by eight segments over the shortest paths, where it
// is not.
func TestRenoStretchACKs(t *testing.T) {
	f := newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.ack(10)
	f.want("ten count for ten", 20)
	f.ack(20)
	f.want("and twenty for twenty", 40)

	f = newFeed(t, NewReno(), 10, time.Millisecond/2)
	f.ack(10)
	f.want("unpaced, ten count for eight", 18)

	f = newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.lose(Timeout)
	f.ack(5, afterRTO)
	f.want("after a timeout, five count for one", 2)
}

// TestRenoFraction checks that what halving leaves of a segment, which is never sent, does
// not make growth slower than a segment a round trip (RFC 5681 section 3.1).
func TestRenoFraction(t *testing.T) {
	f := newFeed(t, NewReno(), 15, 50*time.Millisecond)
	f.lose(FastRetransmit)
	f.want("half of fifteen", 7.5)
	f.ack(7)
	f.want("a round trip of seven", 8.5)
	f.ack(8)
	f.want("and of eight", 9.5)
}

// TestRenoAvoidance checks congestion avoidance: a segment per window acknowledged,
// however the acknowledgments are cut (RFC 5681 section 3.1, RFC 3465 section 2.1).
func TestRenoAvoidance(t *testing.T) {
	for _, cut := range []int{1, 2, 5, 10} {
		f := newFeed(t, NewReno(), 20, 50*time.Millisecond)
		f.lose(FastRetransmit)
		f.want("half", 10)
		for range 10 / cut {
			f.want("before a window is acknowledged", 10)
			f.ack(cut)
		}
		f.want("after", 11)
	}
	// What is over counts for the next segment, but not beyond a loss.
	f := newFeed(t, NewReno(), 20, 50*time.Millisecond)
	f.lose(FastRetransmit)
	f.ack(15)
	f.want("a window and a half", 11)
	f.ack(6)
	f.want("the rest of the next", 12)
	f.ack(11)
	f.lose(FastRetransmit)
	f.ack(1)
	f.want("after a loss", 6)
	// The segment in which slow start ends counts for both.
	f = newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.lose(Timeout)
	for range 4 {
		f.ack(1)
	}
	f.want("at the threshold", 5)
	f.ack(5)
	f.want("a window later", 6)
}

// TestRenoLoss checks the reductions of RFC 5681: equation (4), the loss window, and that a
// loss of a retransmission counts twice (section 4.3).
//
// Shows: RFC5681-3.
func TestRenoLoss(t *testing.T) {
	f := newFeed(t, NewReno(), 40, 50*time.Millisecond)
	f.lose(FastRetransmit)
	f.want("a loss", 20)
	f.wantThreshold("a loss", 20)
	f.ack(25, inRecovery)
	f.want("it does not grow in recovery", 20)

	f = newFeed(t, NewReno(), 40, 50*time.Millisecond)
	f.c.OnLoss(Loss{Cause: FastRetransmit, InFlight: 12 * feedMSS})
	f.want("half of FlightSize, not of cwnd", 6)

	f = newFeed(t, NewReno(), 40, 50*time.Millisecond)
	f.c.OnLoss(Loss{Cause: FastRetransmit, InFlight: 42 * feedMSS})
	f.want("without what limited transmit sent", 20)

	f = newFeed(t, NewReno(), 2, 50*time.Millisecond)
	f.lose(FastRetransmit)
	f.want("two segments at least", 2)

	f = newFeed(t, NewReno(), 40, 50*time.Millisecond)
	f.lose(Timeout)
	f.want("a timeout", 1)
	f.wantThreshold("a timeout", 20)
	f.c.OnLoss(Loss{Cause: Timeout, InFlight: 40 * feedMSS})
	f.wantThreshold("another before it is repaired", 10)

	f = newFeed(t, NewReno(), 40, 50*time.Millisecond)
	f.c.OnLoss(Loss{Cause: FastRetransmit, InFlight: 40 * feedMSS})
	f.c.OnLoss(Loss{Cause: Timeout, InFlight: 40 * feedMSS})
	f.want("a retransmission is lost", 1)
	f.wantThreshold("a retransmission is lost", 10)
}

// TestRenoUnused checks that a window that is not used does not grow (RFC 7661), that half of it is use enough in slow start, and that one that was full less
// than a round trip ago is used.
func TestRenoUnused(t *testing.T) {
	for _, avoid := range []bool{false, true} {
		f := newFeed(t, NewReno(), 20, 50*time.Millisecond)
		want := 20.0
		if avoid {
			f.lose(FastRetransmit)
			want = 10
		}
		for range 200 {
			f.now += f.rtt
			f.ack(1, appLimited)
		}
		f.want("an application that sends a segment a round trip", want)
	}
	f := newFeed(t, NewReno(), 20, 50*time.Millisecond)
	half := func(a *Ack) { a.CwndLimited, a.Prior = false, 11*feedMSS }
	f.ack(1, half)
	f.want("slow start uses half of it", 21)
	f.ack(1, half)
	f.ack(1, half)
	f.want("and no less", 22)

	f = newFeed(t, NewReno(), 20, 50*time.Millisecond)
	f.lose(FastRetransmit)
	f.ack(1)
	for range 9 {
		f.ack(1, func(a *Ack) { a.CwndLimited = false })
	}
	f.want("full less than a round trip ago", 11)
}

// TestRenoIdle checks the restart window (RFC 5681 section 4.1) and that the threshold
// remembers (RFC 7661).
func TestRenoIdle(t *testing.T) {
	f := newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.round()
	f.round()
	f.lose(FastRetransmit)
	f.want("before", 20)
	f.c.OnSend(Send{Now: f.now})
	f.want("a pipe that is empty for a moment", 20)
	f.c.OnSend(Send{Now: f.now, Idle: true})
	f.want("restart", 10)
	f.wantThreshold("restart", 20)
	for range 10 {
		f.ack(1)
	}
	f.want("slow start to the threshold", 20)

	f = newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.lose(FastRetransmit)
	for range 60 {
		f.round()
	}
	w := float64(f.c.Window()) / feedMSS
	f.c.OnSend(Send{Now: f.now, Idle: true})
	f.want("restart", 10)
	f.wantThreshold("it remembers three quarters", w-float64(int(w*feedMSS)/4)/feedMSS)

	f = newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.lose(FastRetransmit)
	f.c.OnSend(Send{Now: f.now, Idle: true})
	f.want("a window below the initial one stays", 5)
	f = newFeed(t, NewReno(), 10, 50*time.Millisecond)
	f.round()
	f.c.OnSend(Send{Now: f.now, Idle: true})
	if f.c.Threshold() != Infinite {
		t.Error("idle time made a threshold before there was congestion")
	}
}

// TestRenoSpurious checks that what a spurious recovery or timeout took is given back, once
// (RFC 4015).
func TestRenoSpurious(t *testing.T) {
	for _, cause := range []Cause{FastRetransmit, Timeout} {
		f := newFeed(t, NewReno(), 40, 50*time.Millisecond)
		f.lose(FastRetransmit)
		f.lose(cause)
		f.ack(1, afterRTO)
		f.c.OnSpurious(f.now)
		f.want("given back", 20)
		f.wantThreshold("given back", 20)
		f.c.OnSpurious(f.now)
		f.want("only the last loss", 20)
	}
	f := newFeed(t, NewReno(), 40, 50*time.Millisecond)
	f.lose(ECN)
	f.c.OnSpurious(f.now)
	f.want("a mark is never spurious", 20)
}

// TestRenoECN checks the answer to marks (RFC 3168 section 6.1.2): half, once a window, down
// to a segment, and below that by pacing; with ABE four fifths in congestion
// avoidance (RFC 8511).
func TestRenoECN(t *testing.T) {
	f := newFeed(t, NewReno(), 16, 50*time.Millisecond)
	f.c.OnLoss(Loss{Cause: FastRetransmit, InFlight: 16 * feedMSS})
	f.c.OnLoss(Loss{Cause: ECN, InFlight: 16 * feedMSS})
	f.want("a mark in a window that lost something", 8)
	f.c.OnRecovered(f.now)
	for _, want := range []float64{4, 2, 1, 1} {
		f.lose(ECN)
		f.want("a mark", want)
	}
	f.wantThreshold("two at least", 2)
	if got, want := f.c.PacingRate(), int64(feedMSS*10); got != want {
		t.Errorf("below a segment: %d bytes/s, want %d", got, want)
	}
	f.lose(ECN)
	if got, want := f.c.PacingRate(), int64(feedMSS*5); got != want {
		t.Errorf("lower still: %d bytes/s, want %d", got, want)
	}
	f.ack(1)
	f.want("no mark", 2)
	if f.c.PacingRate() != 0 {
		t.Error("paced above a segment")
	}

	f = newFeed(t, NewRenoWith(RenoOptions{ABE: true})(), 20, 50*time.Millisecond)
	f.lose(ECN)
	f.want("in slow start as without ABE", 10)
	f.lose(ECN)
	f.want("in congestion avoidance", 8)
	f.lose(FastRetransmit)
	f.want("a loss is not a mark", 4)
}

// TestRenoPath checks the sawtooth on a path whose queue holds a bandwidth-delay product:
// half the window still fills the pipe.
func TestRenoPath(t *testing.T) {
	p := newPath(10e6, 50*time.Millisecond, 1)
	f := p.start(NewReno(), 50*time.Millisecond, 0)
	p.run(5*time.Second, nil)
	before := f.delivered
	p.run(40*time.Second, nil)
	near(t, "goodput in Mbit/s", mbit(f.goodput(5*time.Second, before)), 10, 0.02)
	if f.losses < 4 || f.timeouts > 0 {
		t.Errorf("%d losses, %d timeouts", f.losses, f.timeouts)
	}
}

// TestRenoHyStart checks that the first slow start heeds HyStart++ (RFC 9406 section 4.2): it
// is paced beyond the initial window, grows by a quarter of what is acknowledged once round
// trips become longer, and ends after five such rounds; a loss instead with NoHyStart.
func TestRenoHyStart(t *testing.T) {
	for _, plain := range []bool{false, true} {
		r := NewRenoWith(RenoOptions{NoHyStart: plain})().(*Reno)
		const rtt = 50 * time.Millisecond
		r.Start(Start{MSS: 1000, Window: 10_000, RTT: rtt})
		if r.PacingRate() != 0 {
			t.Errorf("the initial window is paced, at %d", r.PacingRate())
		}
		now, delivered := time.Duration(0), int64(0)
		round := func(rtt time.Duration) (grown float64) {
			was := r.Cwnd
			for left := was; left > 0; left -= 1000 {
				now += time.Millisecond
				delivered += 1000
				r.OnAck(&Ack{Now: now, Acked: 1000, Prior: was, InFlight: was, Delivered: delivered, RTT: rtt, SRTT: rtt, CwndLimited: true})
			}
			return float64(r.Cwnd) / float64(was)
		}
		round(rtt)
		round(rtt)
		if paced := r.PacingRate() == rateOf(2*int64(r.Cwnd), rtt); paced == plain {
			t.Errorf("NoHyStart %v: paced at %d, window %d", plain, r.PacingRate(), r.Cwnd)
		}
		round(rtt + 10*time.Millisecond)
		if got := round(rtt + 10*time.Millisecond); plain != (got > 1.9) || !plain && got > 1.3 {
			t.Errorf("NoHyStart %v: grew %.2f times in a round trip that is longer", plain, got)
		}
		for range 5 {
			round(rtt + 10*time.Millisecond)
		}
		if over := r.Ssthresh != Infinite; over == plain {
			t.Errorf("NoHyStart %v: slow start is over: %v", plain, over)
		}
		if was := r.Cwnd; !plain && (round(rtt) > 1.1 || r.PacingRate() != 0) {
			t.Errorf("window %d after %d, paced at %d", r.Cwnd, was, r.PacingRate())
		}
	}
}
