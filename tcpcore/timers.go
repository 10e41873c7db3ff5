package tcpcore

// timerID names one of the engine's timers.
type timerID uint8

const (
	// Those of one moment fire in this order: the first two may put the third off.
	tReorder    timerID = iota // RACK's reordering timer (RFC 8985 section 6.2, step 5)
	tProbe                     // tail loss probe (RFC 8985 section 7)
	tRetransmit                // RFC 6298 section 5
	tPace                      // the pacer lets more be sent
	tPersist                   // zero-window probes and the override of sender SWS avoidance
	tDelayedACK
	tKeepAlive
	tUser     // user timeout
	tOrphan   // Config.OrphanTimeout
	tTimeWait // 2 MSL
	tCork     // the end of the patience with what is not a full segment: Config.Cork, a rest
	tTrim     // gives unused buffers back
	numTimers
)

// timers holds the time at which each timer fires, Never if it is off.
type timers [numTimers]Time

func (t *timers) init() {
	for i := range t {
		t[i] = Never
	}
}

func (t *timers) set(id timerID, at Time) { t[id] = at }
func (t *timers) stop(id timerID)         { t[id] = Never }
func (t *timers) on(id timerID) bool      { return t[id] != Never }

// arm sets the timer unless it is running.
func (t *timers) arm(id timerID, at Time) {
	if t[id] == Never {
		t[id] = at
	}
}

// expired turns the timer off and returns true if it is due.
func (t *timers) expired(id timerID, now Time) bool {
	if t[id] > now {
		return false
	}
	t[id] = Never
	return true
}

// next returns the earliest.
func (t *timers) next() Time {
	at := Never
	for _, v := range t {
		at = min(at, v)
	}
	return at
}
