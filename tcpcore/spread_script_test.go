package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// TestSpreadWindow loses a segment, its retransmissions, and then less.
//
// Shows: RFC6298-5.
func TestSpreadWindow(t *testing.T) {
	s := newScript(t, "from the third timeout in a row on the loss window goes out in sixteenths", Config{NoTailLossProbe: true, InitialWindow: 10}, Params{})
	s.active(optSACKOK())
	s.write(10 * 1460)
	for i := range 10 {
		s.want(ACK, 1+i*1460, 1, 1460)
	}
	s.wantAfter(200*ms, ACK, 1, 1, 1460)
	s.wantAfter(400*ms, ACK, 1, 1, 1460)
	threshold := s.e.Info().SlowStartThreshold
	s.wantAfter(800*ms, ACK, 1, 1, 92)
	for i := 1; i < 14; i++ { // until the timer fires after 1.6 s
		s.wantAfter(100*ms, ACK, 1+i*92, 1, 92)
	}
	s.wantAfter(100*ms, ACK, 1+14*92, 1, 1460-14*92) // the rest goes whole, and counts as two
	s.wantAfter(200*ms, ACK, 1, 1, 92)               // not sooner than an RTO since it went out last
	s.wantAfter(200*ms, ACK, 93, 1, 92)
	s.advance(10 * ms)
	s.recv(ACK, 1, 1, optSACK(93, 185)) // the path carries again
	s.want(ACK, 1, 1, 92)
	s.check(s.e.Info().SlowStartThreshold == threshold, "the threshold fell from %d to %d", threshold, s.e.Info().SlowStartThreshold)
	s.advance(10 * ms)
	s.recv(ACK, 1, 185)
	s.want(ACK, 185, 1, 92) // as fast as the window lets it
	s.want(ACK, 277, 1, 92)
}

// TestSpreadFIN has nothing to cut in pieces.
func TestSpreadFIN(t *testing.T) {
	s := newScript(t, "a FIN alone is sent again at each timeout", Config{NoTailLossProbe: true}, Params{})
	s.active(optSACKOK())
	s.closeWrite()
	s.want(FIN|ACK, 1, 1)
	for _, d := range []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms} {
		s.wantAfter(d, FIN|ACK, 1, 1)
	}
}

// TestWholeRetransmits spreads nothing.
func TestWholeRetransmits(t *testing.T) {
	s := newScript(t, "WholeRetransmits sends the whole segment at each timeout", Config{NoTailLossProbe: true, WholeRetransmits: true}, Params{})
	s.active(optSACKOK())
	s.write(1460)
	s.want(ACK, 1, 1, 1460)
	for _, d := range []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms} {
		s.wantAfter(d, ACK, 1, 1, 1460)
	}
}

// TestSpreadOutage has outages of all lengths end.
func TestSpreadOutage(t *testing.T) {
	for length := 1600 * ms; length < 8*time.Second; length += 331 * ms {
		begin := 2 * time.Second
		w := newPathWorld(t, pathSpec{name: "outage", rate: 20 * mbit, rtt: 50 * ms, queue: 125_000,
			outage: [2]time.Duration{begin, begin + length}, time: begin + 2*length}, 1, congestion.NewCubic)
		w.run()
		gap := w.flows[0].resumed.Sub(pathEpoch.Add(begin + length))
		if w.flows[0].resumed == 0 || gap > length/16+150*ms {
			t.Errorf("an outage of %v: data again after %v", length, gap)
		}
	}
}

// TestSpreadNewData writes in an outage.
//
// Shows: RFC6675-2.
func TestSpreadNewData(t *testing.T) {
	s := newScript(t, "new data waits for lost data that goes out in pieces", Config{NoTailLossProbe: true, NoDelay: true}, Params{})
	s.active(optSACKOK())
	s.write(2 * 1460)
	s.want(ACK, 1, 1, 1460)
	s.want(ACK, 1461, 1, 1460)
	s.wantAfter(200*ms, ACK, 1, 1, 1460)
	s.wantAfter(400*ms, ACK, 1, 1, 1460)
	s.wantAfter(800*ms, ACK, 1, 1, 92)
	s.write(600)
	s.write(600)
	s.wantIdle()
	for i := 1; i < 14; i++ {
		s.wantAfter(100*ms, ACK, 1+i*92, 1, 92)
	}
	s.wantAfter(100*ms, ACK, 1+14*92, 1, 1460-14*92) // the rest goes whole, and counts as two
	s.wantAfter(200*ms, ACK, 1, 1, 92)
	s.advance(10 * ms)
	s.recv(ACK, 1, 93)
	s.want(ACK, 93, 1, 92) // the path carries again
}
