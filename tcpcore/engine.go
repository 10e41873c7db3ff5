package tcpcore

import (
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// Params are what a connection is told when it opens.
type Params struct {
	LocalPort, RemotePort uint16
	// ISN is F() of RFC 6528: a keyed hash of the connection's identity. The engine
	// adds M, its clock.
	ISN uint32
	// After is a sequence number that the ISS must be behind, if Reuse is set: the last
	// that this identity used, when a connection is opened out of TIME-WAIT (RFC 9293
	// MAY-2: "larger than the largest sequence number used in the previous connection").
	After segment.Seq
	Reuse bool
	// TimestampOffset is added to the timestamp clock (RFC 7323 section 5.4); random
	// per connection identity.
	TimestampOffset uint32
	// MMS is the largest segment, header included, that the carrier believes to fit the
	// path to the peer (MMS_S of RFC 9293 section 3.7.1).
	MMS int
	// Gather lets a train leave its data in the send buffer, see Train.Data.
	Gather bool
	// MaxMMS is the largest that the carrier sends and takes at all (MMS_R), if it never
	// has one fragmented: between MMS and it the engine searches (RFC 4821), and where
	// segments vanish for their size it finds a size that passes. Default 0: MMS is all
	// there is to know of the path.
	MaxMMS int
	// MarksVisible tells that the carrier reports the traffic class of what arrives.
	MarksVisible bool
	// IPv6 selects the default send MSS of IPv6.
	IPv6 bool
}

// Engine is one connection: the TCB of RFC 9293 section 3.3.1. Its methods must not
// be called concurrently, and the times handed in must not decrease.
type Engine struct {
	cfg     *Config // perhaps shared: own before a change
	p       Params
	state   State
	passive bool // came from LISTEN (RFC 9293 MUST-11)
	owned   bool // nobody shares cfg
	orphan  bool // the user is gone: CLOSE without anybody to read
	err     error
	events  Event

	snd    sndState
	rcv    rcvState
	ts     tsState
	sack   bool   // negotiated
	scaled bool   // window scale is negotiated
	remote uint16 // the peer's port; Params.RemotePort unless LISTEN filled it in
	rtt    rttState
	sent   sentQueue
	rec    recoveryState
	rack   rackState
	tlp    tlpState
	rate   rateState
	pace   pacer
	ecn    ecnState
	pmtu   pathMTU
	trains trainState
	ack    ackState
	ctl    congestion.Controller // nil until established
	told   *told
	timer  timers
	pers   persistState
	keep   keepAliveState
	limit  challengeLimit
	reply  reply           // a reset that is due
	tw     *TimeWaitRecord // from TIME-WAIT on
	wanted wanted
	count  Counters
}

// sndState holds the send sequence variables of RFC 9293 section 3.3.1.
type sndState struct {
	una segment.Seq
	nxt segment.Seq
	max segment.Seq // one past the highest octet sent, which a window probe moves beyond nxt
	iss segment.Seq
	up  segment.Seq // end of urgent data, valid if urgent
	wl1 segment.Seq // SEG.SEQ and SEG.ACK of the last window update
	wl2 segment.Seq
	wnd int // SND.WND, scaled
	// maxWnd is MAX.SND.WND of RFC 5961 section 5.2, also for SWS avoidance.
	maxWnd   int
	shift    uint8 // Snd.Wind.Shift
	urgent   bool
	fin      bool // CLOSE was called: a FIN follows the data
	finAcked bool
	synAcked bool
	// peerMSS is SendMSS of RFC 9293 section 3.7.1, mss what fits beside the options.
	peerMSS, mss int
	buf          ring // from una on, without SYN
	lastSent     Time
	marks        marks
	limited      bool // the congestion window was the reason to stop sending
	refused      bool // Write was, and wants to be told when there is room
	loan         loan // of room behind buf
}

// rcvState holds the receive sequence variables.
type rcvState struct {
	nxt     segment.Seq
	irs     segment.Seq
	edge    segment.Seq // RCV.NXT+RCV.WND as offered to the peer; never moves left
	lastAck segment.Seq // Last.ACK.sent of RFC 7323 section 4.3
	up      segment.Seq // end of urgent data, valid if urgent
	fin     segment.Seq // where the FIN is, valid if hasFIN
	// mss is the largest segment seen, RMSS of the delayed ACK rule.
	mss     int
	shift   uint8  // Rcv.Wind.Shift
	offered uint8  // the shift in our SYN: buffers may change, it may not
	shown   uint32 // bytes at the beginning of buf that Look shows
	syn     int    // and the window in our first SYN
	freed   int    // of the room that is not offered, what Read made
	urgent  bool
	hasFIN  bool
	discard bool   // CloseRead: arriving data is acknowledged and thrown away
	lent    []byte // what is left of a reader's buffer, for data that comes in order
	got     int    // bytes that went there
	buf     ring   // read position to nxt, and beyond holes what q knows of
	q       reassembly
	tune    rightSize
	part    part
}

// wanted is what a user or Advance asked Output to send.
type wanted struct {
	probe     bool // zero-window probe
	keepAlive bool
	override  bool // the sender's SWS avoidance timed out
	tlp       bool // tail loss probe
	beyond    bool // one segment beyond the congestion window
}

// reply is a segment that answers one for which this connection has no other use.
type reply struct {
	due              bool
	srcPort, dstPort uint16
	seq, ack         segment.Seq
	flags            segment.Flags
}

// New returns an engine in CLOSED. cfg must have passed Check.
func New(cfg Config) *Engine { return Maker(cfg)() }

// Maker is New for many engines, which share the memory of cfg until they change it. The
// function that it returns may be called by any number of goroutines at once.
func Maker(cfg Config) func() *Engine {
	cfg.fill()
	return func() *Engine {
		e := &Engine{cfg: &cfg}
		e.timer.init()
		return e
	}
}

// own returns a Config that may be changed.
func (e *Engine) own() *Config {
	if !e.owned {
		c := *e.cfg
		e.cfg, e.owned = &c, true
	}
	return e.cfg
}

// State returns the connection's state.
func (e *Engine) State() State { return e.state }

// Err tells why the connection ended: nil while it lives and after an orderly close.
func (e *Engine) Err() error { return e.err }

// Events returns what happened since the last call.
func (e *Engine) Events() Event {
	v := e.events
	e.events = 0
	return v
}

// setState is the one place where the state changes (figure 5 of RFC 9293).
func (e *Engine) setState(now Time, s State) {
	e.state = s
	switch s {
	case Listen:
		e.events |= EvListen
	case Established:
		e.events |= EvEstablished | EvWritable
	case TimeWait:
		// "start the time-wait timer, turn off the other timers".
		e.timer.init()
		e.enterTimeWait(now)
		e.events |= EvTimeWait
	case Closed:
		e.timer.init()
		e.events |= EvClosed | EvReadable | EvWritable
	}
}

// closeWith deletes the connection. Data that is ready to be read stays readable.
func (e *Engine) closeWith(now Time, err error) {
	if e.state == Closed {
		return
	}
	e.err = err
	e.snd.buf.release()
	e.snd.marks = marks{}
	e.sent.release()
	e.rack.queue.release()
	e.snd.una = e.snd.nxt // nothing is outstanding any more
	e.rcv.q = reassembly{}
	e.ack = ackState{}
	e.wanted = wanted{}
	e.setState(now, Closed)
}

// Deadline tells when Advance wants to be called even if nothing else happens;
// Never if it does not.
func (e *Engine) Deadline() Time { return e.timer.next() }

// Advance runs the timers that are due (RFC 9293 section 3.10.8).
func (e *Engine) Advance(now Time) {
	if e.state == Closed || e.state == Listen {
		return
	}
	e.checkAppLimited()
	for id := range numTimers {
		// A handler may end the connection, and with it all timers.
		if e.timer.expired(id, now) {
			e.fire(now, id)
		}
	}
}

// fire does what the timer is for.
func (e *Engine) fire(now Time, id timerID) {
	switch id {
	case tRetransmit:
		e.retransmitTimeout(now)
	case tReorder:
		e.reorderTimeout(now)
	case tProbe:
		e.probeTimeout(now)
	case tPace: // Output asks the pacer
	case tPersist:
		e.persistTimeout(now)
	case tDelayedACK:
		e.ack.now = true
		e.ack.interactive = false // no answer came to ride with
	case tKeepAlive:
		e.keepAliveTimeout(now)
	case tUser:
		e.userTimeout(now)
	case tOrphan:
		e.orphanTimeout(now)
	case tTimeWait:
		e.closeWith(now, nil)
	case tCork:
		e.wanted.override = true
	case tTrim:
		e.trim()
	}
}

// trimAfter is how long an engine holds on to empty buffers.
const trimAfter = Time(1e9)

// trim gives back the storage that an idle connection does not need.
func (e *Engine) trim() {
	if e.snd.buf.len() == 0 {
		e.snd.buf.release()
		e.snd.loan = loanNone // who has it has the storage too
		if e.snd.marks.head == len(e.snd.marks.list) {
			e.snd.marks.list, e.snd.marks.head = nil, 0
		}
	}
	if e.sent.len() == 0 {
		e.sent.release()
		e.rack.queue.release()
		e.told = nil
	}
	if e.rcv.buf.len() == 0 && e.rcv.q.empty() {
		e.rcv.buf.release()
	}
}

// trimLater arms the timer of trim when there is storage to give back.
func (e *Engine) trimLater(now Time) {
	if e.state == Closed {
		e.trim()
		return
	}
	if e.timer.on(tTrim) {
		return
	}
	if e.snd.buf.len() == 0 && e.snd.buf.buf != nil || e.rcv.buf.len() == 0 && e.rcv.buf.buf != nil {
		e.timer.set(tTrim, now+trimAfter)
	}
}
