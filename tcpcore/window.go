package tcpcore

import "time"

// offer returns the window field, and moves the offered right edge. It moves only by
// amounts that are worth it (receiver's silly window avoidance, section 3.8.6.2.2, MUST-39),
// and never left (SHLD-14); where scaling rounds the field down, what was offered
// before is honoured all the same (RFC 7323 section 2.4).
func (e *Engine) offer(now Time) uint16 {
	r := &e.rcv
	free := e.room()
	wnd := r.edge.Sub(r.nxt)
	shift := r.shift
	if shift == 0 {
		free = e.wholeSegments(free)
	}
	if free-wnd >= min(e.maxOffer()/2, e.rmss()) {
		wnd = max(wnd, free&^(1<<shift-1))
	} else if up := (wnd + 1<<shift - 1) &^ (1<<shift - 1); up <= free {
		wnd = up // down would look like a window that shrinks
	}
	field := min(max(wnd, 0)>>shift, 0xffff)
	if edge := r.nxt.Add(field << shift); r.edge.Less(edge) {
		r.edge = edge
		r.tune.offered(now, edge)
	}
	r.freed = min(r.freed, max(0, free-field<<shift))
	return uint16(field)
}

// wholeSegments rounds a window down to a multiple of what we announced where Config.RoundWindow says so.
func (e *Engine) wholeSegments(wnd int) int {
	mss := e.receiveMSS()
	if e.ts.on {
		mss -= timestampsLen
	}
	if e.cfg.RoundWindow && wnd > mss {
		wnd -= wnd % mss
	}
	return wnd
}

// synWindow is the window that our SYN offers, which is never scaled. Whatever buffers
// become during the handshake, it is what the first one offered.
func (e *Engine) synWindow() int {
	if e.state == SynSent {
		return e.rcv.syn
	}
	return min(max(0, e.rcv.edge.Sub(e.rcv.nxt)), 0xffff)
}

// room is the largest window that may be offered now.
func (e *Engine) room() int {
	return max(0, min(max(e.receiveLimit(), 1<<e.rcv.shift)-e.rcv.buf.len(), e.maxOffer(), 0xffff<<e.rcv.shift))
}

// maxOffer is RCV.BUFF of section 3.8.6.2.2: the largest window ever offered. It is
// no less than the window scale can express, or the window would never open.
func (e *Engine) maxOffer() int {
	n := e.receiveLimit()
	if e.cfg.WindowClamp > 0 {
		n = min(n, e.cfg.WindowClamp)
	}
	n = e.rcv.part.bound(n, e.rcv.tune.rtt.min)
	return max(n, 1<<e.rcv.shift)
}

// corkMax is how long a cork holds, as in Linux.
const corkMax = 200 * time.Millisecond

// windowUpdateDue reports whether the room that Read made is worth an ACK of its own:
// a segment or two, and a peer that may be near the end of what it was offered. Room that
// was there before it read is none of its making (section 3.8.6.2.2).
func (e *Engine) windowUpdateDue() bool {
	free := e.room()
	wnd := e.rcv.edge.Sub(e.rcv.nxt)
	mss := e.rmss()
	return min(free-wnd, e.rcv.freed) >= min(e.maxOffer()/2, 2*mss) && (free >= 2*wnd || wnd < 2*mss)
}
