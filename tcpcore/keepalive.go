package tcpcore

import "time"

// keepAliveState is RFC 9293 section 3.8.4.
type keepAliveState struct {
	lastRecv Time
	probes   int // since anything was received
}

// armKeepAlive starts the timer if keep-alive is on (MUST-25: it is not by default).
func (e *Engine) armKeepAlive(now Time) {
	e.timer.stop(tKeepAlive)
	if e.cfg.KeepAlive && e.snd.synAcked && e.state != TimeWait && e.state != Closed {
		e.timer.set(tKeepAlive, max(now, e.keep.lastRecv.Add(e.cfg.KeepAliveIdle)))
	}
}

// keepAliveTimeout asks for a probe when nothing is outstanding and nothing arrived
// for the interval (MUST-26). It is armed lazily: arriving segments do not touch the timer.
func (e *Engine) keepAliveTimeout(now Time) {
	due := e.keep.lastRecv.Add(e.cfg.KeepAliveIdle + time.Duration(e.keep.probes)*e.cfg.KeepAliveInterval)
	switch {
	case e.unfinished():
		e.timer.set(tKeepAlive, now.Add(e.cfg.KeepAliveInterval))
	case now < due:
		e.timer.set(tKeepAlive, due)
	case e.keep.probes >= e.cfg.KeepAliveCount:
		// Not before several went unanswered (MUST-29).
		e.resetPeer()
		e.closeWith(now, ErrTimeout)
	default:
		e.keep.probes++
		e.wanted.keepAlive = true
		e.timer.set(tKeepAlive, now.Add(e.cfg.KeepAliveInterval))
	}
}

// touchUserTimeout starts the user timeout (RFC 9293 section 3.10.8, RFC 5482) when
// something begins to wait for the peer.
func (e *Engine) touchUserTimeout(now Time) {
	if e.cfg.UserTimeout > 0 && e.state != Closed && (e.unfinished() || e.state == SynSent) {
		e.timer.arm(tUser, now.Add(e.cfg.UserTimeout))
	}
}

// progress begins the user timeout anew, since the peer acknowledged something.
func (e *Engine) progress(now Time) {
	e.timer.stop(tUser)
	e.touchUserTimeout(now)
	if e.orphan {
		e.armOrphan(now)
	}
}

func (e *Engine) userTimeout(now Time) {
	if e.unfinished() || !e.snd.synAcked {
		e.closeWith(now, ErrTimeout)
	}
}

// armOrphan starts Config.OrphanTimeout anew.
func (e *Engine) armOrphan(now Time) { e.timer.set(tOrphan, now.Add(e.cfg.OrphanTimeout)) }

// orphanTimeout ends a connection without a user that waits for a FIN that does not
// come, for the acknowledgment of nothing but its own, or at a window that does not
// open (resource policy of RFC 6429). While data is on its way R2 decides.
func (e *Engine) orphanTimeout(now Time) {
	switch {
	case e.state == FinWait2, e.snd.synAcked && e.snd.buf.len() == 0:
		e.closeWith(now, nil)
	case e.snd.wnd == 0 && e.unfinished():
		e.Abort(now)
	default:
		e.armOrphan(now)
	}
}
