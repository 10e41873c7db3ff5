package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// A simHost is an engine with its clock, its user and what its network saw of it.
type simHost struct {
	s    *sim
	name byte
	e    *Engine
	cfg  Config
	p    Params
	peer *simHost
	link *simLink
	app  simApp
	wire simWire

	mode      simOpening
	openAt    Time
	offset    Time // of the host's clock
	mms       int
	timerAt   Time // when the armed timer event comes, of the world
	late      Time // how late timers may come
	finishAt  Time // a finish event is due then; Never if none
	process   Time // time from a segment's arrival to its batch's end
	gap       Time // time that the carrier takes for a train
	busyUntil Time
	spin      int
	open      bool
	retired   bool // in TIME-WAIT, only the record is left
	record    TimeWaitRecord
	mayRetire bool
	vanishAt  Time // the host goes dark
}

type simOpening uint8

// How a host opens.
const (
	simActive simOpening = iota
	simPassive
	simNever // nobody listens
)

// now is the host's own time.
func (h *simHost) now() Time { return h.s.now + h.offset }

func (h *simHost) info() Info { return h.e.Info() }

func (h *simHost) start() {
	h.timerAt, h.finishAt = Never, Never
	if h.mode != simNever {
		h.s.push(h, evOpen, h.openAt)
	}
}

// handle does what an event says that was to happen at a moment.
func (h *simHost) handle(at Time, ev *simEvent) {
	s := h.s
	switch ev.kind {
	case evOpen:
		h.openUp()
	case evDeliver:
		h.deliver(ev.data)
		s.free = append(s.free, ev.data)
	case evFinish:
		if at != h.finishAt {
			return
		}
		h.finishAt = Never
		h.flush()
	case evTimer:
		if at != h.timerAt {
			return // armed anew since
		}
		h.timerAt = Never
		if h.retired || !h.open {
			return
		}
		if h.e.Deadline() > h.now() {
			h.arm() // the deadline moved; nothing else may be due
			return
		}
		s.trace("%c timer", h.name)
		h.wire.excuses++
		h.e.Advance(h.now())
		h.flush()
		if d := h.e.Deadline(); d > h.now() {
			h.spin = 0
		} else if h.spin++; h.spin > 20 {
			s.fail("%c spins: Deadline stays at %v, its clock is at %v", h.name, time.Duration(d), time.Duration(h.now()))
		}
	case evApp:
		if at == h.app.next {
			h.app.next = Never
			h.app.step()
			h.flush()
		}
	case evAct:
		h.act(ev.arg)
		h.flush()
	}
}

func (h *simHost) openUp() {
	h.open = true
	if h.e.State() == Closed {
		var err error
		if h.mode == simActive {
			err = h.e.OpenActive(h.now(), h.p)
		} else {
			err = h.e.OpenPassive(h.now(), h.p)
		}
		if err != nil {
			h.s.fail("%c open: %v", h.name, err)
		}
		h.s.trace("%c open: %v", h.name, h.e.State())
	}
	h.app.schedule(h.s.now)
	h.flush()
}

// deliver is a datagram's arrival.
func (h *simHost) deliver(b []byte) {
	s := h.s
	var g segment.Segment
	if err := segment.Parse(&g, b); err != nil {
		if !s.chaos {
			s.fail("BUG: %c gets what does not parse: %v", h.name, err)
		}
		return
	}
	if s.traceOn {
		s.trace("%c <- %s", h.name, h.peer.wire.describe(&g))
	}
	if h.vanishAt <= s.now {
		return
	}
	if h.retired {
		reply, reopen := h.record.Input(h.now(), &g, nil)
		if h.now() >= h.record.Expires() {
			return
		}
		h.checkReopen(reopen)
		if len(reply) > 0 {
			h.transmitReply(reply)
		}
		return
	}
	if h.e.State() == Closed {
		if reply := Refuse(nil, &g); len(reply) > 0 {
			if g.Flags.Has(RST) {
				s.fail("%c answers a reset", h.name)
			}
			h.transmitReply(reply)
		}
		return
	}
	h.wire.arrived(&g)
	reopen := h.e.Input(h.now(), &g)
	for i := range b {
		b[i] = 0xdd // the engine must not have kept a reference
	}
	h.checkReopen(reopen)
	if h.finishAt == Never {
		h.finishAt = s.now + s.upTo(h.process)
		s.pushAt(h, evFinish, h.finishAt)
	}
}

// checkReopen fails if a duplicate of this connection's own SYN passes for a new one (RFC 6191
// section 2).
func (h *simHost) checkReopen(reopen bool) {
	if reopen && !h.s.chaos {
		h.s.fail("%c: an old duplicate ends TIME-WAIT", h.name)
	}
}

// transmitReply sends what no connection is behind.
func (h *simHost) transmitReply(b []byte) {
	if h.s.traceOn {
		var g segment.Segment
		if err := segment.Parse(&g, b); err != nil {
			h.s.fail("%c replies with what does not parse: %v", h.name, err)
		}
		h.s.trace("%c -> %s (no connection)", h.name, h.wire.describe(&g))
	}
	h.link.send(b)
}

// flush is the end of a batch: all that may be sent is sent, the user is woken, the timer armed.
func (h *simHost) flush() {
	s := h.s
	if h.retired || !h.open || s.err != nil {
		return
	}
	for n := 0; ; n++ {
		if h.busyUntil > s.now {
			if h.finishAt == Never || h.finishAt > h.busyUntil {
				h.finishAt = h.busyUntil
				s.pushAt(h, evFinish, h.finishAt)
			}
			break
		}
		if n > 10000 {
			s.fail("%c: Output has no end", h.name)
			return
		}
		before := h.wire.sndMax
		h.wire.limit = h.mms
		if !h.e.Output(h.now(), &s.train) {
			break
		}
		h.transmit(&s.train)
		if h.wire.sndMax > before {
			h.wire.checkWindow()
		}
		h.busyUntil = s.now + s.upTo(h.gap)
		if s.err != nil {
			return
		}
	}
	h.wake()
	h.check()
	if h.busyUntil <= s.now {
		h.arm()
	}
	h.retire()
}

// transmit takes a train apart and puts it on the link.
func (h *simHost) transmit(t *Train) {
	s := h.s
	n := len(t.Buf)
	if n == 0 || n > MaxTrainBytes || t.SegmentSize <= 0 || t.SegmentSize > n || (n+t.SegmentSize-1)/t.SegmentSize > MaxTrainSegments {
		s.fail("%c: a train of %d bytes in segments of %d", h.name, n, t.SegmentSize)
		return
	}
	for b := t.Buf; len(b) > 0 && s.err == nil; {
		k := min(t.SegmentSize, len(b))
		var g segment.Segment
		if err := segment.Parse(&g, b[:k]); err != nil {
			s.fail("%c sends what does not parse: %v", h.name, err)
			return
		}
		if s.traceOn {
			s.trace("%c -> %s", h.name, h.wire.describe(&g))
		}
		h.wire.sent(&g, k)
		h.link.send(b[:k])
		b = b[k:]
	}
	for i := range t.Buf {
		t.Buf[i] = 0xcc // the train is ours: the engine must not count on it
	}
}

// wake tells the user of events.
func (h *simHost) wake() {
	ev := h.e.Events()
	if ev == 0 {
		return
	}
	h.s.trace("%c events %012b, %v", h.name, ev, h.e.State())
	h.app.wake(ev)
}

// arm sets the timer to the engine's deadline. One in the past is due now.
func (h *simHost) arm() {
	s := h.s
	d := h.e.Deadline()
	if d == Never {
		h.timerAt = Never
		return
	}
	at := d - h.offset
	if at <= s.now {
		at = s.now
	} else {
		at += s.upTo(h.late)
	}
	if h.timerAt == Never || at < h.timerAt || h.timerAt < s.now {
		h.timerAt = at
		s.pushAt(h, evTimer, at)
	}
}

// retire reduces TIME-WAIT to its record, as an endpoint does once the user is gone.
func (h *simHost) retire() {
	if !h.mayRetire || !h.app.closed || h.e.State() != TimeWait || h.e.Deadline() <= h.now() {
		return
	}
	rec, ok := h.e.Retire()
	if !ok {
		if h.info().ReceiveQueue == 0 && h.busyUntil <= h.s.now {
			h.s.fail("%c is in TIME-WAIT without a user and does not retire", h.name)
		}
		return
	}
	if rec.Expires() < h.now() {
		h.s.fail("%c retires after its end", h.name)
	}
	h.s.coverage.Retired++
	h.record, h.retired, h.timerAt = rec, true, Never
}
