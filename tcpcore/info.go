package tcpcore

import "time"

// Info is a snapshot of a connection, in the spirit of Linux's TCP_INFO. Times are
// zero when nothing was measured yet; sizes are bytes.
type Info struct {
	State             State
	CongestionControl string

	RTT, RTTVar, MinRTT time.Duration // smoothed, variance (RFC 6298), smallest seen
	RTO                 time.Duration // with back-off

	SendMSS, ReceiveMSS int // data bytes of a full segment that we send (options taken off); of the largest seen
	CongestionWindow    int
	SlowStartThreshold  int   // math.MaxInt until the first loss
	PacingRate          int64 // bytes per second; 0 is unpaced
	InFlight            int   // sent, and neither acknowledged nor taken for lost
	Unacked             int   // SND.NXT-SND.UNA
	SendQueue           int   // accepted by Write and not yet acknowledged
	ReceiveQueue        int   // ready for Read
	SendBuffer          int   // bound of SendQueue now; tunes itself unless it was set
	ReceiveBuffer       int   // bound of what is received and not read now; likewise
	OutOfOrder          int   // held beyond a hole
	SendWindow          int   // the peer's offer
	ReceiveWindow       int   // our offer
	UrgentQueue         int   // bytes up to the urgent mark that Read has not returned

	SACK, Timestamps, WindowScale, ECN bool // negotiated
	SendScale, ReceiveScale            uint8

	Counters
}

// Counters count what happened to a connection so far.
type Counters struct {
	SegmentsSent, SegmentsReceived uint64
	BytesSent, BytesReceived       uint64 // payload, retransmissions included
	BytesAcked                     uint64 // of ours, by the peer
	BytesDelivered                 uint64 // to Read
	Retransmits                    uint64 // segments
	BytesRetransmitted             uint64
	Timeouts                       uint64 // retransmission timeouts
	FastRecoveries                 uint64
	TailLossProbes                 uint64 // sent (RFC 8985 section 7)
	DSACKs                         uint64 // received: reports of duplicates (RFC 2883)
	SpuriousRecoveries             uint64 // fast recoveries that were undone
	SpuriousTimeouts               uint64 // retransmission timeouts that were undone
	DuplicateACKs                  uint64 // received
	OutOfOrderSegments             uint64 // received
	DuplicateSegments              uint64 // received, nothing new in them
	ZeroWindowProbes               uint64 // sent
	KeepAliveProbes                uint64 // sent
	ChallengeACKs                  uint64 // sent
	PAWSDrops                      uint64
	SoftErrors                     uint64
	LastSoftError                  error
	CEReceived                     uint64 // segments with data that arrived marked CE
	ECNReactions                   uint64 // reductions because the peer echoed marks
}

// Info is STATUS (RFC 9293 section 3.10.6).
func (e *Engine) Info() Info {
	i := Info{Counters: e.count}
	i.State = e.state
	i.RTT, i.RTTVar, i.MinRTT = e.rtt.srtt, e.rtt.rttvar, e.rtt.min
	i.RTO = e.rtt.timeout(e.cfg)
	i.SendMSS, i.ReceiveMSS = e.snd.mss, e.rcv.mss
	i.CongestionWindow = e.window()
	if e.ctl != nil {
		i.CongestionControl = e.ctl.Name()
		i.SlowStartThreshold = e.ctl.Threshold()
		i.PacingRate = e.ctl.PacingRate()
	}
	i.InFlight, i.Unacked = e.pipe(), e.snd.nxt.Sub(e.snd.una)
	i.SendQueue, i.ReceiveQueue = e.snd.buf.len(), e.rcv.buf.len()
	i.SendBuffer, i.ReceiveBuffer = e.sendLimit(), e.receiveLimit()
	i.OutOfOrder = e.rcv.q.bytes()
	i.SendWindow = e.snd.wnd
	i.ReceiveWindow = max(0, e.rcv.edge.Sub(e.rcv.nxt))
	if e.rcv.urgent {
		i.UrgentQueue = max(0, e.rcv.up.Sub(e.rcv.nxt.Add(-e.rcv.buf.len())))
	}
	i.SACK, i.Timestamps, i.WindowScale = e.sack, e.ts.on, e.scaled
	i.ECN = e.ecn.on
	i.SendScale, i.ReceiveScale = e.snd.shift, e.rcv.shift
	return i
}
