package tcpcore

import "time"

// persistState is the probing of a closed window (RFC 9293 section 3.8.6.1).
type persistState struct {
	backoff    uint8 // doublings (SHLD-30)
	unanswered int   // probes since the last acknowledgment
}

// armPersist starts the timer of the next probe: the first after the window was
// closed for one RTO (SHLD-29).
func (e *Engine) armPersist(now Time) {
	d := e.rtt.timeout(e.cfg)
	for range e.pers.backoff {
		d = min(2*d, e.cfg.MaxRTO)
	}
	e.timer.arm(tPersist, now.Add(d))
}

// overrideMin and overrideMax bound the override timeout of the sender's silly window
// avoidance (section 3.8.6.2.1: "0.1 - 1.0 seconds").
const (
	overrideMin = 200 * time.Millisecond
	overrideMax = time.Second
)

// armOverride starts the timer that sends what the peer's window allows, however little.
func (e *Engine) armOverride(now Time) {
	e.timer.arm(tPersist, now.Add(clamp(e.rtt.rto, overrideMin, overrideMax)))
}

// persistTimeout asks for a probe, or overrides the silly window avoidance. A peer
// that answers probes may keep its window closed for ever (MUST-37, RFC 6429); one that
// does not is as dead as one that acknowledges nothing.
func (e *Engine) persistTimeout(now Time) {
	if e.snd.wnd > 0 {
		e.wanted.override = true
		return
	}
	if !e.unfinished() {
		return
	}
	if e.pers.unanswered >= max(e.cfg.Retries2, 1) {
		e.closeWith(now, ErrTimeout)
		return
	}
	if e.pers.unanswered == e.cfg.Retries1 {
		e.events |= EvSuspect
	}
	e.pers.unanswered++
	e.pers.backoff = min(e.pers.backoff+1, 31)
	e.wanted.probe = true
	e.armPersist(now)
}
