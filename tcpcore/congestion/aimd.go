package congestion

import "time"

// aimd is what Reno and CUBIC have in common: a window that grows until a loss reduces
// it by a factor.
type aimd struct {
	Base
	initial    int
	used       usage
	srtt       time.Duration
	recovering bool // from a loss: its window has reacted to congestion
	halvings   uint // of the rate, below a window of one segment
	policy     AfterIdle
	valid      time.Duration // when the window was last known to be of use
	rto        time.Duration
}

func (w *aimd) start(s Start) {
	w.Base.Start(s)
	w.initial, w.srtt = s.Window, s.RTT
	w.policy, w.valid = s.AfterIdle, s.Now
}

// onAck takes note of what every acknowledgment tells.
func (w *aimd) onAck(a *Ack) {
	w.used.onAck(a)
	w.recovering = a.InRecovery || a.AfterRTO
	if a.SRTT > 0 {
		w.srtt = a.SRTT
	}
	w.unused(a)
}

func (w *aimd) slowStart() bool { return w.Cwnd < w.Ssthresh }

// OnSend validates the window after idle time: the ACK clock has stopped, and it would
// leave in one burst.
func (w *aimd) OnSend(s Send) {
	w.rto = s.RTO
	if s.Idle {
		w.idled(s)
	}
}

// OnRecovered ends recovery; the window is at the threshold since it began.
func (w *aimd) OnRecovered(time.Duration) { w.recovering = false }

// reacts reports whether l asks for a reaction: marks of a window that has reacted to a
// loss do not (RFC 3168 section 6.1.2: once per window of data).
func (w *aimd) reacts(l Loss) bool { return l.Cause != ECN || !w.recovering }

// base is what l reduces: flight, the FlightSize of RFC 5681 equation (4) or better, but
// no more than the window was, since limited transmit and what was selectively
// acknowledged do not count (section 3.2, step 2). A timeout that strikes before the last
// loss is repaired reduces what that one left: "cwnd (and ssthresh) MUST be lowered twice"
// (section 4.3).
func (w *aimd) base(l Loss, flight int) int {
	limit := w.Cwnd
	if l.Cause == Timeout && w.recovering && w.Ssthresh != Infinite {
		limit = max(limit, w.Ssthresh)
	}
	return min(limit, flight)
}

// reduce sets window and threshold to target as far as the cause asks for it.
func (w *aimd) reduce(l Loss, target int) {
	was := w.Cwnd
	w.Ssthresh = max(target, 2*w.MSS)
	switch l.Cause {
	case Timeout:
		w.Cwnd = w.MSS // the loss window
		w.recovering = true
	case FastRetransmit:
		w.Cwnd = w.Ssthresh
		w.recovering = true
	case ECN:
		// RFC 3168 section 6.1.2, RFC 9438 section 4.6: down to one segment, and with a
		// window of one segment the rate must fall further.
		w.Cwnd = max(min(target, was), w.MSS)
		if was <= w.MSS {
			w.halvings = min(w.halvings+1, maxHalvings)
		}
	}
}

// maxHalvings: one segment in 64 round trips.
const maxHalvings = 6

// grew ends what reduce began below one segment.
func (w *aimd) grew() {
	if w.Cwnd > w.MSS {
		w.halvings = 0
	}
}

// slowRate is the rate below one segment a round trip, and 0 above.
func (w *aimd) slowRate() int64 {
	if w.halvings == 0 || w.srtt <= 0 {
		return 0
	}
	return max(rateOf(int64(w.MSS), w.srtt<<w.halvings), 1)
}
