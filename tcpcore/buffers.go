package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// Buffers that tune themselves begin with these sizes. The first is what a peer may
// send before anything was read, and covers the first round trips of slow start.
const (
	tunedReceive = 128 << 10
	tunedSend    = 64 << 10
	// maxTuned is how far they grow by default: 1 Gbit/s over 100 ms, two and a half times.
	maxTuned = 32_000_000
)

// rightSize grows the receive buffer with what the application takes out of it in a round
// trip (dynamic right-sizing; RFC 7323 section 2 has the scale for it). It asks what is
// read, not what arrives: buffer that a slow reader does not empty would only hold more.
type rightSize struct {
	size   int    // of the buffer, if it has grown
	read   int    // since the round began
	begun  Time   // the round
	rtt    lowest // upper bounds of the round trip; the least is nearly it
	echo   uint32 // the last TSecr that was looked at
	edge   segment.Seq
	at     Time // when edge was offered
	timing bool // edge has not been reached
}

// headroom is how many times what was read in a round trip the buffer is: twice, since a
// retransmission takes one more during which nothing can be read; and twice that, since a
// sender in slow start doubles, and does so before its last round trip is measured.
const headroom = 4

// Where a round trip is shorter than minTrip, it is the time that processors take for it
// that counts. Over less than minRound it is not the path's rate that would be measured
// but the reader's, who finds what came while it was away and takes it at once.
const (
	minTrip  = 100 * time.Microsecond
	minRound = 4 * time.Millisecond
)

// Where a round trip is shorter than nearTrip, both ends are on one machine or beside each
// other. More than nearReceive is then of no use to the path, nor more than nearAhead written
// ahead to a writer who is back in microseconds; but what was written has left the
// processor's caches by the time it is sent, which costs more than all headers.
const (
	nearTrip    = 2 * minTrip
	nearReceive = 1 << 20
	nearAhead   = 512 << 10
)

// offered notes that the window's right edge moved to edge: what lies before it can be
// sent only now, so that its arrival bounds the round trip.
func (t *rightSize) offered(now Time, edge segment.Seq) {
	if !t.timing {
		t.edge, t.at, t.timing = edge, now, true
	}
}

// arrived takes note that the stream has arrived up to nxt.
func (t *rightSize) arrived(now Time, nxt segment.Seq) {
	if t.timing && t.edge.LessEq(nxt) {
		t.timing = false
		t.sample(now, now.Sub(t.at))
	}
}

// echoed takes a timestamp of ours that came back with data (RFC 7323 section 4): the
// time since it was sent is a round trip, and whatever the peer waited for.
func (t *rightSize) echoed(now Time, clock, echo uint32) {
	if echo == t.echo {
		return
	}
	t.echo = echo
	// A tick of the clock more, so that it is not less than the round trip.
	if ticks := int32(clock - echo); ticks >= 0 {
		t.sample(now, (time.Duration(ticks)+1)*time.Millisecond)
	}
}

// A path that has become more than headroom times as long, and longer than farTrip, is believed
// after longAfter to twice that, and not when the lowest of the samples is forgotten: until then
// its buffer would be a fraction of what it wants. Less may be the path's own queue.
const (
	farTrip   = 20 * time.Millisecond
	longAfter = 30 * time.Second
)

// sample takes what a round trip lasts at most.
func (t *rightSize) sample(now Time, d time.Duration) {
	l := &t.rtt
	far := func(d, than time.Duration) bool { return than > 0 && d > farTrip && d > headroom*than }
	if now.Sub(l.since) > longAfter && (far(d, l.window) || far(l.window, l.last)) {
		l.begin(now)
	}
	l.sample(now, d)
}

// consumed takes note of n bytes that were read out of a buffer of size, and lets it grow to
// limit. A reader whom the buffer may hold back gets it doubled as far as part, whatever the
// round trip was found to be: parts of one queue shall be equal. A part that is larger than
// what is near may have is that of few, who do better with what their own rates want, which
// leaves the caches later.
func (t *rightSize) consumed(now Time, n, limit, size, part int) {
	if t.rtt.min == 0 {
		return
	}
	t.read += n
	took := now.Sub(t.begun)
	if took < max(t.rtt.min, minRound) {
		return
	}
	want := headroom * float64(t.read) * float64(max(t.rtt.min, minTrip)) / float64(took)
	if t.read >= size && part <= nearReceive {
		want = max(want, float64(min(2*size, part)))
	}
	if t.rtt.min < nearTrip {
		limit = min(limit, nearReceive)
	}
	t.size = max(t.size, int(min(want, float64(limit))))
	t.read, t.begun = 0, now
}

// receiveLimit is how much may be held that was not read.
func (e *Engine) receiveLimit() int {
	if e.cfg.ReceiveBuffer > 0 {
		return e.cfg.ReceiveBuffer
	}
	return max(e.rcv.tune.size, min(tunedReceive, e.cfg.MaxReceiveBuffer))
}

// wakeWriter tells a writer who waits that a good part of the send buffer is free: to
// wake it for each segment would cost more than the segment.
func (e *Engine) wakeWriter() {
	if !e.snd.refused {
		return
	}
	if e.sendLimit()-e.snd.buf.len() >= e.goodRoom() {
		e.snd.refused = false
		e.events |= EvWritable
	}
}

// goodRoom is how much room is worth a writer's while.
func (e *Engine) goodRoom() int {
	good := e.sendLimit()
	if e.cfg.SendBuffer == 0 && good < e.cfg.MaxSendBuffer {
		good -= e.outstanding() // what is there to hold what was not sent
	}
	return (good + 2) / 3
}

// outstanding is how much of what is held was sent.
func (e *Engine) outstanding() int { return min(max(0, e.snd.nxt.Sub(e.sndData())), e.snd.buf.len()) }

// sendLimit is how much may be held that was not acknowledged: what was sent, since
// behind a hole that may be several windows and holds nothing back, and two windows that
// were not, one to be sent and one so that it does not run empty before the writer runs
// again; see nearAhead. The window is the controller's, whatever a recovery leaves of it for now.
func (e *Engine) sendLimit() int {
	if e.cfg.SendBuffer > 0 {
		return e.cfg.SendBuffer
	}
	n := tunedSend
	if e.ctl != nil {
		ahead := 2 * min(e.ctl.Window(), e.snd.maxWnd, maxWindow/4)
		if e.rtt.min > 0 && e.rtt.min < nearTrip {
			ahead = min(ahead, nearAhead)
		}
		n = max(n, e.outstanding()+ahead)
	}
	return min(n, e.cfg.MaxSendBuffer)
}
