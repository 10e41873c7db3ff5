package conn

import "example.com/culvert/tcpcore"

// watch is whom Notify registered.
type watch struct {
	ch   chan<- tcpcore.Event
	mask tcpcore.Event
}

// tell never blocks: who wants every event makes room for them.
func (w *watch) tell(ev tcpcore.Event) {
	if ev &= w.mask; ev == 0 || w.ch == nil {
		return
	}
	select {
	case w.ch <- ev:
	default:
	}
}

// Notify sends the events of mask to ch as they happen, without blocking, in the
// manner of signal.Notify: a channel that has no room misses them, and a buffer of
// one is enough to learn that something happened. It is how urgent data
// (tcpcore.EvUrgent; Info.UrgentQueue tells how much is left), soft errors of the
// network (EvSoftError) and an unresponsive peer (EvSuspect) are told. Each call
// replaces the one before; a nil channel or a zero mask switches it off, as Close
// does. Events are not kept for a later call.
func (x *Conn) Notify(ch chan<- tcpcore.Event, mask tcpcore.Event) {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	if x.c.closed || ch == nil || mask == 0 {
		x.c.watch = watch{}
		return
	}
	x.c.watch = watch{ch, mask}
}
