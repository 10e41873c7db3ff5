package tcpcore

import "time"

// Info is a snapshot of a connection, in the spirit of Linux's TCP_INFO. Times are
// zero when nothing was measured yet; sizes are bytes unless they say segments.
type Info struct {
	State             State
	CongestionControl string

	RTT, RTTVar, MinRTT time.Duration // smoothed, variance (RFC 6298), smallest seen
	RTO                 time.Duration // with back-off

	SendMSS, ReceiveMSS int // data bytes of a full segment that we send (options taken off); of the largest seen
	CongestionWindow    int
	SlowStartThreshold  int   // math.MaxInt until slow start ended, by a loss or HyStart++; with BBR always
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

	Recovery            RecoveryState
	UnackedSegments     int           // as Unacked
	SackedSegments      int           // of those: reported as received
	LostSegments        int           // taken for lost and not yet acknowledged, sent again or not
	RetransmitsInFlight int           // segments sent again and believed to be on their way
	Backoff             int           // doublings of RTO, or of the time between window probes
	TimeoutsInARow      int           // of the same segment
	UnansweredProbes    int           // of a closed window or an idle peer
	ReorderingSeen      bool          // segments were acknowledged out of the order they were sent in
	NotSent             int           // accepted by Write and not sent once
	DelayedACK          time.Duration // how long an acknowledgment waits for company; negative not at all
	PathMTU             int           // the largest segment that the path is believed to take, header included

	Counters
}

// Counters count since the connection began, and are part of Info.
type Counters struct {
	SegmentsSent, SegmentsReceived uint64
	DataSegmentsSent               uint64 // with payload, retransmissions included
	DataSegmentsReceived           uint64 // with payload, duplicates included
	SegmentsDelivered              uint64 // ours that the peer acknowledged in some way, SYN and FIN included
	SegmentsDeliveredCE            uint64 // of those, by acknowledgments that echo congestion
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
	Reorderings                    uint64 // segments sent once that were acknowledged after later ones
	ReorderingDegree               int    // by how many segments at most
	OutOfOrderSegments             uint64 // received
	DuplicateSegments              uint64 // received, nothing new in them
	ZeroWindowProbes               uint64 // sent
	KeepAliveProbes                uint64 // sent
	ChallengeACKs                  uint64 // sent
	PAWSDrops                      uint64
	SoftErrors                     uint64
	LastSoftError                  error
	SpoiledTrains                  uint64 // times that losses were found to follow the segments' place in the train
	MTUProbes, MTUProbesLost       uint64 // sent to find out whether it takes larger ones (RFC 4821), and lost
	BlackHoles                     uint64 // times that segments were made smaller since full ones timed out (RFC 4821 section 7.7)
	TooBigReports, TooBigIgnored   uint64 // ICMP reports of segments too large for the path: believed, and not (RFC 5927)
	CEReceived                     uint64 // segments with data that arrived marked CE
	ECNReactions                   uint64 // reductions because the peer echoed marks
}

// RecoveryState is what a connection makes of losses and marks, in the terms of Linux's
// TCP_INFO.
type RecoveryState uint8

// The states.
const (
	RecoveryOpen     RecoveryState = iota // nothing suspicious
	RecoveryDisorder                      // selective or duplicate acknowledgments, nothing taken for lost
	RecoveryCWR                           // the window was reduced at the peer's echo of a mark
	RecoveryFast                          // fast recovery
	RecoveryLoss                          // after a retransmission timeout
)

// String returns Linux's name for the state.
func (s RecoveryState) String() string {
	switch s {
	case RecoveryOpen:
		return "open"
	case RecoveryDisorder:
		return "disorder"
	case RecoveryCWR:
		return "cwr"
	case RecoveryFast:
		return "recovery"
	case RecoveryLoss:
		return "loss"
	}
	return "BUG: no recovery state"
}

// recoveryState tells which it is.
func (e *Engine) recoveryState() RecoveryState {
	r := &e.rec
	switch {
	case r.phase == afterTimeout:
		return RecoveryLoss
	case r.phase == fastRecovery:
		return RecoveryFast
	case r.answer.valid && r.answer.ecn && e.snd.una.Less(r.answer.until):
		return RecoveryCWR
	case e.sent.count[sacked] > 0 || r.dupACKs > 0:
		return RecoveryDisorder
	}
	return RecoveryOpen
}

// Info is STATUS (RFC 9293 section 3.10.6).
func (e *Engine) Info() Info {
	i := Info{Counters: e.count}
	i.State = e.state
	i.RTT, i.RTTVar, i.MinRTT = e.rtt.srtt, e.rtt.rttvar, e.rtt.min
	i.RTO = e.rtt.timeout(e.cfg)
	i.PathMTU = e.pmtu.size
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
	i.Recovery = e.recoveryState()
	e.infoSent(&i)
	i.Backoff = int(max(e.rtt.backoff, e.pers.backoff))
	i.TimeoutsInARow = e.rec.timeouts
	i.UnansweredProbes = max(e.pers.unanswered, e.keep.probes)
	i.ReorderingSeen = e.rack.reordered
	i.NotSent = max(0, e.sndEnd().Sub(e.snd.nxt))
	i.DelayedACK = e.cfg.DelayedACK
	i.SACK, i.Timestamps, i.WindowScale = e.sack, e.ts.on, e.scaled
	i.ECN = e.ecn.on
	i.SendScale, i.ReceiveScale = e.snd.shift, e.rcv.shift
	return i
}

// infoSent counts segments: Info is asked for seldom enough to look at them all where some
// were sent again.
func (e *Engine) infoSent(i *Info) {
	i.UnackedSegments, i.SackedSegments, i.LostSegments = e.sent.len(), e.sent.count[sacked], e.sent.count[lost]
	if e.count.Retransmits == 0 {
		return
	}
	for k := range e.sent.len() {
		r := e.sent.at(k)
		if r.state != inFlight || r.times == 1 {
			continue
		}
		i.RetransmitsInFlight++
		if !e.tlp.active || !e.tlp.retrans || r.end() != e.tlp.end { // a probe repeats what is not taken for lost
			i.LostSegments++
		}
	}
}
