package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// TestSetController changes the congestion control of a connection that is busy.
func TestSetController(t *testing.T) {
	s := newScript(t, "another controller goes on with window and threshold", Config{InitialWindow: 10}, Params{})
	s.active(optSACKOK())
	s.check(s.e.SetCongestion(s.now, "nosuch") != nil, "an unknown name passes")
	s.write(200 * 1460)
	for i := range 10 {
		s.want(ACK, at(i), 1, 1460)
	}
	// The first is lost: fast recovery halves the window.
	for i := 1; i < 4; i++ {
		s.recv(ACK, 1, 1, optSACK(at(1), at(i+1)))
	}
	s.advance(30 * time.Millisecond)
	s.drain()
	before := s.e.Info()
	s.check(before.Recovery == RecoveryFast, "in %v", before.Recovery)
	for _, name := range []string{"cubic", "bbr", "reno"} {
		if err := s.e.SetCongestion(s.now, name); err != nil {
			s.check(false, "%v", err)
		}
		i := s.e.Info()
		s.check(i.CongestionControl == name && i.CongestionWindow <= before.CongestionWindow+1460, "%s: a window of %d after %d", i.CongestionControl, i.CongestionWindow, before.CongestionWindow)
		if name == "cubic" {
			s.check(i.SlowStartThreshold == before.SlowStartThreshold, "a threshold of %d after %d", i.SlowStartThreshold, before.SlowStartThreshold)
		}
	}
	s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	s.check(s.e.Info().Recovery == RecoveryOpen, "recovery goes on")
	s.check(len(s.drain()) > 0, "nothing is sent any more")
}

// TestSetControllerGrown changes it after slow start without a loss.
func TestSetControllerGrown(t *testing.T) {
	s := newScript(t, "a window that has grown is carried over, and one before the handshake is the initial one", Config{}, Params{})
	if err := s.e.SetCongestion(s.now, "cubic"); err != nil {
		t.Fatal(err)
	}
	s.active()
	s.check(s.e.Info().CongestionControl == "cubic", "it is %s", s.e.Info().CongestionControl)
	s.write(100 * 1460)
	for acked := 0; acked < 40; acked += 10 {
		s.drain()
		s.advance(scriptRTT)
		s.recv(ACK, 1, at(acked+10))
		s.drain()
	}
	was := s.e.Info()
	s.check(was.CongestionWindow > 20*1460, "a window of %d", was.CongestionWindow)
	var got congestion.Start
	s.e.SetController(s.now, func() Controller {
		return &startWatcher{Controller: congestion.NewReno(), start: &got}
	})
	i := s.e.Info()
	s.check(i.CongestionWindow == was.CongestionWindow && i.SlowStartThreshold == was.SlowStartThreshold, "%d, %d after %d, %d",
		i.CongestionWindow, i.SlowStartThreshold, was.CongestionWindow, was.SlowStartThreshold)
	s.check(got.Window == 10*1460 && got.Carried == was.CongestionWindow && got.RTT > 0, "told %+v", got)
}

// startWatcher keeps what a controller was told at the start.
type startWatcher struct {
	Controller
	start *congestion.Start
}

func (w *startWatcher) Start(s congestion.Start) {
	*w.start = s
	w.Controller.Start(s)
}

// TestInfoOfLoss follows the counts of a loss and its repair.
func TestInfoOfLoss(t *testing.T) {
	s := newScript(t, "Info counts segments through loss and repair", Config{InitialWindow: 10, NoTailLossProbe: true, DelayedACK: 70 * ms}, Params{})
	s.active(optSACKOK())
	s.recv(ACK, 1, 1, 100)
	s.recv(ACK, 1, 1, 100) // twice
	s.drain()
	s.write(12*1460 + 10)
	s.drain()
	expect := func(what string, want Info) {
		t.Helper()
		i := s.e.Info()
		got := Info{Recovery: i.Recovery, UnackedSegments: i.UnackedSegments, SackedSegments: i.SackedSegments, LostSegments: i.LostSegments,
			RetransmitsInFlight: i.RetransmitsInFlight, Backoff: i.Backoff, TimeoutsInARow: i.TimeoutsInARow, NotSent: i.NotSent}
		if got != want {
			s.fail("%s:\n got  %+v\n want %+v", what, got, want)
		}
	}
	i := s.e.Info()
	s.check(i.DataSegmentsReceived == 2 && i.DataSegmentsSent == 10 && i.DelayedACK == 70*ms && i.PathMTU == 1480, "%+v", i)
	s.check(i.SegmentsDelivered == 1, "the SYN counts: %d", i.SegmentsDelivered)
	expect("sent", Info{UnackedSegments: 10, NotSent: 2*1460 + 10})
	s.recv(ACK, 101, 1, optSACK(at(1), at(2)))
	s.drain()
	i = s.e.Info()
	expect("one beyond a hole", Info{Recovery: RecoveryDisorder, UnackedSegments: 11, SackedSegments: 1, NotSent: 1470})
	s.check(i.SegmentsDelivered == 2 && i.DuplicateACKs == 1, "%d delivered, %d duplicates", i.SegmentsDelivered, i.DuplicateACKs)
	s.recv(ACK, 101, 1, optSACK(at(1), at(4)))
	s.advance(10 * ms)
	s.drain()
	i = s.e.Info()
	s.check(i.Recovery == RecoveryFast && i.LostSegments == 1 && i.RetransmitsInFlight == 1 && i.SackedSegments == 3, "%+v", i)
	n := i.UnackedSegments
	s.advance(200 * ms) // all again
	s.drain()
	i = s.e.Info()
	s.check(i.Recovery == RecoveryLoss && i.TimeoutsInARow == 1 && i.Backoff == 1 && i.LostSegments == n-3 && i.RetransmitsInFlight >= 1, "%+v", i)
	s.recv(ACK, 101, relative(s.e.snd.nxt, s.iss))
	i = s.e.Info()
	s.check(i.Recovery == RecoveryOpen && i.LostSegments == 0 && i.TimeoutsInARow == 0 && i.SegmentsDelivered == 1+uint64(n), "%+v", i)

	s = newScript(t, "and the place of what arrived late", Config{InitialWindow: 10}, Params{})
	s.active(optSACKOK())
	s.write(10 * 1460)
	s.drain()
	s.recv(ACK, 1, 1, optSACK(at(2), at(3)))
	s.recv(ACK, 1, 1, optSACK(at(0), at(1), at(2), at(3)))
	i = s.e.Info()
	s.check(i.ReorderingSeen && i.Reorderings == 1 && i.ReorderingDegree == 3, "%+v", i)
	for st, name := range map[RecoveryState]string{RecoveryOpen: "open", RecoveryDisorder: "disorder", RecoveryCWR: "cwr", RecoveryFast: "recovery", RecoveryLoss: "loss"} {
		s.check(st.String() == name, "%d is %s", st, st)
	}
}

// TestInfoOfMarks follows an echoed mark.
func TestInfoOfMarks(t *testing.T) {
	s := newScript(t, "Info tells of a reduction by a mark for a window", Config{ECN: true}, Params{})
	s.connect()
	s.want(SYN|ECE|CWR, 0, 0)
	s.advance(scriptRTT)
	s.recv(SYN|ACK|ECE, 0, 1, optMSS(1460), optSACKOK())
	s.drain()
	s.write(20 * 1460)
	s.drain()
	s.recv(ACK|ECE, 1, at(2))
	i := s.e.Info()
	s.check(i.Recovery == RecoveryCWR && i.SegmentsDeliveredCE == 2 && i.SegmentsDelivered == 3, "%v, %d of %d", i.Recovery, i.SegmentsDeliveredCE, i.SegmentsDelivered)
	s.recv(ACK, 1, at(10))
	i = s.e.Info()
	s.check(i.Recovery == RecoveryOpen && i.SegmentsDeliveredCE == 2, "%v, %d", i.Recovery, i.SegmentsDeliveredCE)
}

// TestSetMSS makes segments smaller on an open connection.
func TestSetMSS(t *testing.T) {
	s := newScript(t, "a smaller MSS cuts what is sent from now on, again too", Config{}, Params{})
	s.active()
	s.write(2920)
	s.want(ACK, 1, 1, 1460)
	s.want(ACK, 1461, 1, 1460)
	s.e.SetMSS(1000)
	s.wantAfter(200*ms, ACK, 1, 1, 1000)
	s.recv(ACK, 1, 2921)
	s.drain()
	s.write(2000)
	s.want(ACK, 2921, 1, 1000)
	s.want(ACK, 3921, 1, 1000)
	s.recv(ACK, 1, 4921)
	s.e.SetMSS(0)
	s.write(1460)
	s.want(ACK, 4921, 1, 1460)
}
