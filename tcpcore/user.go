package tcpcore

import (
	"cmp"
	"io"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// OpenActive is OPEN (RFC 9293 section 3.10.1) with an active request: a SYN is due. On a
// connection in LISTEN it changes it from passive to active. It returns ErrExists
// in any other state but CLOSED.
func (e *Engine) OpenActive(now Time, p Params) error {
	if e.state != Closed && e.state != Listen || e.err != nil {
		return ErrExists
	}
	e.open(p)
	e.passive = false
	e.chooseISS(now)
	e.setState(now, SynSent)
	e.touchUserTimeout(now)
	return nil
}

// OpenPassive is OPEN with a passive request: the state becomes LISTEN. The first
// SYN fills in RemotePort.
func (e *Engine) OpenPassive(now Time, p Params) error {
	if e.state != Closed || e.err != nil {
		return ErrExists
	}
	e.open(p)
	e.passive = true
	e.setState(now, Listen)
	return nil
}

func (e *Engine) open(p Params) {
	e.p, e.remote = p, p.RemotePort
	e.rtt.init(e.cfg)
	e.snd.peerMSS = defaultMSS(p.IPv6)
	e.pmtu.start(e.cfg, &p)
	e.rcv.offered = e.offeredShift()
	e.rcv.syn = e.wholeSegments(min(e.room(), 0xffff))
	e.setMSS()
}

// chooseISS selects the initial send sequence number: ISN = M + F(...), where M is a
// clock of 4 microseconds (RFC 9293 section 3.4.1, MUST-8, SHLD-1).
func (e *Engine) chooseISS(now Time) {
	e.snd.iss = segment.Seq(e.p.ISN + uint32(now/Time(4*time.Microsecond)))
	if e.p.Reuse && e.snd.iss.LessEq(e.p.After) {
		e.snd.iss = e.p.After.Add(reuseGap)
	}
	e.snd.una, e.snd.nxt, e.snd.max = e.snd.iss, e.snd.iss, e.snd.iss
}

// reuseGap is how far behind the last connection's numbers an ISS is put that the
// clock would put before them: half a second of M.
const reuseGap = 125_000

// Write is SEND (section 3.10.2): it takes over as much of p as the send buffer has
// room for, and owns those bytes until they are acknowledged. It returns
// ErrWouldBlock if there is no room, and before the connection is established.
func (e *Engine) Write(now Time, p []byte) (int, error) {
	room, err := e.writable(now)
	if err != nil {
		return 0, err
	}
	if len(p) > room {
		p = p[:room]
		e.snd.refused = true
	}
	e.checkAppLimited()
	if e.snd.loan == loanOut && len(p) > 0 {
		e.endLoan(p)
	}
	before := e.sndEnd()
	e.snd.buf.append(p)
	if e.cfg.PushWrites {
		e.wrote(before)
	}
	e.touchUserTimeout(now)
	return len(p), nil
}

// writable returns how many bytes SEND has room for, which is more than none without an error.
func (e *Engine) writable(now Time) (room int, err error) {
	if e.state == Listen && e.p.RemotePort != 0 {
		// "If the remote socket is specified, then change the connection from passive
		// to active"
		if err := e.OpenActive(now, e.p); err != nil {
			return 0, err
		}
	}
	if err := e.writeErr(); err != nil {
		return 0, err
	}
	room = e.sendRoom()
	if e.state == SynSent || e.state == SynReceived || room <= 0 {
		e.snd.refused = true
		return 0, ErrWouldBlock
	}
	return room, nil
}

// sendRoom is how many bytes Write would take now.
func (e *Engine) sendRoom() int {
	room := e.sendLimit() - e.snd.buf.len()
	if e.cfg.NotSentLowWater > 0 {
		room = min(room, e.cfg.NotSentLowWater-max(0, e.sndEnd().Sub(e.snd.nxt)))
	}
	return room
}

// writeErr tells why the state does not allow SEND.
func (e *Engine) writeErr() error {
	switch {
	case e.state == Closed && e.err != nil:
		return e.err
	case e.state == Closed && !e.snd.fin, e.state == Listen:
		return ErrNotOpen
	case e.snd.fin || e.state == Closed:
		return ErrClosing
	}
	return nil
}

// WriteUrgent is SEND with the urgent flag: the urgent pointer designates the octet
// behind the last one taken from p (RFC 9293 MUST-62). New programs should not use it
// (SHLD-13).
func (e *Engine) WriteUrgent(now Time, p []byte) (int, error) {
	n, err := e.Write(now, p)
	if n > 0 {
		e.snd.up, e.snd.urgent = e.sndEnd(), true
	}
	return n, err
}

// Read is RECEIVE (section 3.10.3). It returns io.EOF after the peer's FIN and after
// CloseRead, ErrWouldBlock while there is nothing.
func (e *Engine) Read(now Time, p []byte) (int, error) {
	e.unlook(now)
	n, err := e.Peek(now, p)
	if err != nil {
		return 0, err
	}
	e.consume(now, n)
	return n, nil
}

// readErr tells what there is instead of data.
func (e *Engine) readErr() error {
	switch {
	case e.finReceived():
		return io.EOF
	case e.state == Closed && e.err != nil:
		return e.err
	case e.state == Closed && e.snd.fin:
		return ErrClosing
	case e.state == Closed:
		return ErrNotOpen
	}
	return ErrWouldBlock // in LISTEN too: "queue for processing after entering ESTABLISHED state"
}

// Peek is Read that leaves the bytes where they are.
func (e *Engine) Peek(now Time, p []byte) (int, error) {
	if err := e.peekErr(); err != nil && (len(p) > 0 || e.rcv.discard) {
		return 0, err
	}
	n := min(len(p), e.rcv.buf.len())
	e.rcv.buf.peek(0, p[:n])
	return n, nil
}

// peekErr tells why there is nothing to be read now; nil if there is.
func (e *Engine) peekErr() error {
	switch {
	case e.rcv.discard:
		return io.EOF
	case e.rcv.buf.len() == 0:
		return e.readErr()
	case e.state == SynReceived || e.state == SynSent:
		return ErrWouldBlock
	}
	return nil
}

// consume takes n bytes out of the receive buffer, and tells the peer of the room
// when that is worth a segment.
func (e *Engine) consume(now Time, n int) {
	e.rcv.buf.drop(n)
	if e.rcv.got > 0 {
		e.rcv.lent = e.rcv.lent[:0] // a reader who lends gets one piece of the stream
	}
	e.consumed(now, n)
	e.trimLater(now)
}

// Lend is for a reader who waits: until TakeBack, data that arrives in order goes
// straight into p, while nothing else waits to be read, and counts as read. It reports
// whether p was taken: one reader at a time can lend.
func (e *Engine) Lend(p []byte) bool {
	if e.rcv.lent != nil {
		return false
	}
	e.rcv.lent, e.rcv.got = p, 0
	return true
}

// Lent returns what is left of what was lent: where data that is next in order would go. Who puts
// it there before Input is called with it, spares the engine the copy.
func (e *Engine) Lent() []byte {
	if e.rcv.buf.len() > 0 || e.rcv.discard {
		return nil
	}
	return e.rcv.lent
}

// TakeBack ends Lend, and returns how many bytes of p have been filled.
func (e *Engine) TakeBack() int {
	n := e.rcv.got
	e.rcv.lent, e.rcv.got = nil, 0
	return n
}

// consumed takes note of n bytes that the user has got.
func (e *Engine) consumed(now Time, n int) {
	e.rcv.freed += n
	if e.cfg.ReceiveBuffer == 0 {
		was := e.receiveLimit()
		e.rcv.tune.consumed(now, n, e.cfg.MaxReceiveBuffer, was, int(e.rcv.part.bytes))
		e.rcv.freed += e.receiveLimit() - was
	}
	e.count.BytesDelivered += uint64(n)
	if e.rcv.urgent && e.rcv.up.LessEq(e.rcv.nxt.Add(-e.rcv.buf.len())) {
		e.rcv.urgent = false
	}
	if !e.ack.now && e.state.canReceive() && !e.rcv.hasFIN && e.windowUpdateDue() {
		e.ack.now = true
	}
}

// finReceived reports whether the peer's FIN has been processed.
func (e *Engine) finReceived() bool { return e.rcv.hasFIN && e.rcv.fin.Less(e.rcv.nxt) }

// CloseRead discards what has arrived and what will. The peer is not told.
func (e *Engine) CloseRead(now Time) {
	e.unlook(now)
	e.rcv.discard = true
	e.consume(now, e.rcv.buf.len())
	e.events |= EvReadable
}

// CloseWrite is CLOSE (section 3.10.4) as RFC 9293 means it: a FIN follows what was
// written, and reading goes on.
func (e *Engine) CloseWrite(now Time) error {
	switch e.state {
	case Closed:
		if e.err != nil {
			return e.err
		}
		return ErrNotOpen
	case Listen, SynSent:
		e.closeWith(now, ErrClosing)
		return nil
	case SynReceived, Established, CloseWait:
		e.snd.fin = true // and takes its turn behind the data
		e.events |= EvWritable
		if e.state == CloseWait {
			e.setState(now, LastAck)
		} else {
			e.setState(now, FinWait1)
		}
		e.touchUserTimeout(now)
	}
	return nil // a second CLOSE: "an "ok" response would also be acceptable"
}

// Close is CLOSE by a user who will not read any more (the half-duplex close of
// section 3.6.1, MAY-1). Unread data, and data that arrives later, make it an abort,
// so that the peer knows of the loss (SHLD-3).
func (e *Engine) Close(now Time) error {
	if e.orphan {
		return ErrClosing
	}
	e.orphan = true
	e.unlook(now)
	unread := e.rcv.buf.len() > 0 || !e.rcv.q.empty()
	switch {
	case e.state == Closed || e.state == TimeWait:
		return nil
	case unread && !e.rcv.discard && e.state >= Established:
		e.Abort(now)
		return nil
	}
	e.armOrphan(now)
	return e.CloseWrite(now)
}

// Abort is ABORT (section 3.10.5): queues are flushed, a reset is due where the peer
// may believe in the connection, and the state is CLOSED.
func (e *Engine) Abort(now Time) {
	switch e.state {
	case Closed:
		return
	case SynReceived, Established, FinWait1, FinWait2, CloseWait:
		e.resetPeer()
	case Closing, LastAck:
		// The RFC sends nothing here; but the peer that has not acknowledged our
		// FIN may lack data before it too, sent or not (its window may be closed), and
		// must not take silence for an end.
		if e.unfinished() {
			e.resetPeer()
		}
	}
	e.rcv.buf.release()
	e.rcv.shown = 0
	e.closeWith(now, ErrAborted)
}

// resetPeer makes <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK> due.
func (e *Engine) resetPeer() {
	e.reply = reply{due: true, srcPort: e.p.LocalPort, dstPort: e.remote,
		seq: e.snd.nxt, ack: e.rcv.nxt, flags: segment.RST | segment.ACK}
}

// SetNoDelay switches the Nagle algorithm off (RFC 9293 MUST-17).
func (e *Engine) SetNoDelay(on bool) { e.own().NoDelay = on }

// SetCork changes Config.Cork. Taking it away lets go of what it held back.
func (e *Engine) SetCork(on bool) {
	e.own().Cork = on
	e.timer.stop(tCork)
}

// SetDelayedACK changes Config.DelayedACK, which a negative d switches off; an
// acknowledgment that waits goes out at once then.
func (e *Engine) SetDelayedACK(d time.Duration) {
	e.own().DelayedACK = d
	e.cfg.fill()
	if d < 0 && e.timer.on(tDelayedACK) {
		e.ack.now = true
	}
}

// SetQuickACK says what to do with acknowledgments for a while: on, those of what waits and
// of the next segments go out at once, as at the beginning of a connection with
// Config.QuickACKs; off, they are delayed from now on.
func (e *Engine) SetQuickACK(now Time, on bool) {
	e.ack.interactive = !on
	if !on {
		e.ack.quick = 0
		return
	}
	e.ack.quick = max(e.ack.quick, cmp.Or(e.cfg.QuickACKs, 16))
	if e.timer.on(tDelayedACK) {
		e.ack.now = true
	}
}

// SetNotSentLowWater changes Config.NotSentLowWater; 0 is no bound but SendBuffer.
func (e *Engine) SetNotSentLowWater(n int) {
	e.own().NotSentLowWater = n
	if e.snd.refused && e.sendRoom() > 0 {
		e.events |= EvWritable
	}
}

// SetWindowClamp changes Config.WindowClamp; 0 is no bound but ReceiveBuffer. What
// was offered stays offered.
func (e *Engine) SetWindowClamp(n int) {
	e.own().WindowClamp = n
}

// SetKeepAlive switches keep-alive (MUST-24) and sets its times; a zero time or
// count is the default, a negative one leaves it as it is.
func (e *Engine) SetKeepAlive(now Time, on bool, idle, interval time.Duration, count int) {
	set := func(v *time.Duration, d time.Duration) {
		if d >= 0 {
			*v = d
		}
	}
	cfg := e.own()
	set(&cfg.KeepAliveIdle, idle)
	set(&cfg.KeepAliveInterval, interval)
	if count >= 0 {
		cfg.KeepAliveCount = count
	}
	cfg.KeepAlive = on
	e.cfg.fill()
	e.armKeepAlive(now)
}

// SetUserTimeout changes Config.UserTimeout; 0 is none.
func (e *Engine) SetUserTimeout(now Time, d time.Duration) {
	e.own().UserTimeout = d
	e.timer.stop(tUser)
	e.touchUserTimeout(now)
}

// SetBuffers changes Config.SendBuffer and Config.ReceiveBuffer; 0 leaves one as it
// is. One that is set tunes itself no more. A smaller receive buffer never takes back what was offered (RFC 9293 SHLD-14).
func (e *Engine) SetBuffers(send, receive int) {
	if send > 0 {
		e.own().SendBuffer = send
		if e.snd.refused && e.sendRoom() > 0 {
			e.events |= EvWritable
		}
	}
	if receive > 0 {
		e.own().ReceiveBuffer = receive
	}
}

// SetTrafficClass changes Config.TrafficClass (RFC 9293 SHLD-21).
func (e *Engine) SetTrafficClass(tc uint8) { e.own().TrafficClass = tc &^ 3 }

// SetMSS changes Config.MSS for what is sent from now on; 0 is no bound but the carrier's and
// the peer's. What the peer was told in the handshake stays.
func (e *Engine) SetMSS(n int) {
	e.own().MSS = n
	e.setMSS()
	if e.ctl != nil {
		e.ctl.OnMSS(e.snd.mss)
	}
}

// Outstanding reports whether seq was sent and is not acknowledged: what a true report
// of the network about a segment of ours would quote (RFC 5927 section 4.1).
func (e *Engine) Outstanding(seq segment.Seq) bool {
	return e.snd.una.LessEq(seq) && seq.Less(e.snd.max)
}

// LastSent returns SND.NXT, for Params.After of a connection that takes this one's place.
func (e *Engine) LastSent() segment.Seq { return e.snd.nxt }

// SoftError tells of a network error that does not end the connection (section
// 3.9.2.2, MUST-56).
func (e *Engine) SoftError(now Time, err error) {
	if e.state == Closed {
		return
	}
	e.count.SoftErrors++
	e.count.LastSoftError = err
	e.events |= EvSoftError
}

// HardError tells of one that says the peer cannot be reached (unreachable protocol
// or port). It refuses a connection that is not yet synchronized (SHLD-26); later it
// is soft, since it may be forged or pass (RFC 5461 section 4.1).
func (e *Engine) HardError(now Time, err error) {
	switch e.state {
	case SynSent:
		e.count.LastSoftError = err
		e.closeWith(now, ErrRefused)
	case SynReceived:
		if !e.passive {
			e.closeWith(now, ErrRefused)
			return
		}
		fallthrough
	default:
		e.SoftError(now, err)
	}
}
