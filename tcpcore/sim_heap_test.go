package tcpcore

// The kinds of events.
type simKind uint8

const (
	evOpen simKind = iota
	evDeliver
	evFinish
	evTimer
	evApp
	evAct
)

// A simEvent happens at one moment on one host.
type simEvent struct {
	at    Time
	order uint64 // events of one moment happen in the order they were pushed
	kind  simKind
	arg   simAct
	host  *simHost
	data  []byte
}

// A simHeap is a binary heap of events, the earliest on top.
type simHeap struct {
	evs   []simEvent
	order uint64
}

func (h *simHeap) len() int { return len(h.evs) }

func (h *simHeap) less(i, j int) bool {
	a, b := &h.evs[i], &h.evs[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (h *simHeap) push(ev simEvent) {
	h.order++
	ev.order = h.order
	h.evs = append(h.evs, ev)
	for i := len(h.evs) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			break
		}
		h.evs[i], h.evs[up] = h.evs[up], h.evs[i]
		i = up
	}
}

func (h *simHeap) pop() simEvent {
	top := h.evs[0]
	n := len(h.evs) - 1
	h.evs[0] = h.evs[n]
	h.evs[n] = simEvent{}
	h.evs = h.evs[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && h.less(c+1, c) {
			c++
		}
		if !h.less(c, i) {
			break
		}
		h.evs[i], h.evs[c] = h.evs[c], h.evs[i]
		i = c
	}
	return top
}

// push schedules an event after a delay, pushAt at a moment.
func (s *sim) push(h *simHost, k simKind, after Time) { s.pushAt(h, k, s.now+after) }

func (s *sim) pushAt(h *simHost, k simKind, at Time) { s.heap.push(simEvent{at: at, kind: k, host: h}) }
