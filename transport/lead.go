package transport

import (
	"sync/atomic"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
)

// turn is the right to read a shard's carrier, of which one goroutine at a time has it.
// The shard has a goroutine for that in the background. But where the shard has a single
// connection, whoever waits in Read or Write leads: what arrives need not be handed over
// then, which costs more than all else that a small message does. Who leaves is mostly
// back in no time, so the background takes over only when nobody led for a while, or is
// called at once when nobody will come back.
type turn struct {
	car    carrier.Interrupter // nil if nobody but the background may read
	placer carrier.Placer      // car, if it is one itself
	poller carrier.Poller      // car, if it is one itself
	mood   patience
	taken  atomic.Bool
	// inside: a leader is in ReadBatch, or about to enter and look whether it may.
	inside atomic.Bool
	flows  atomic.Int32  // connections that the shard has
	over   atomic.Bool   // the carrier has come to its end
	called chan struct{} // calls the background

	left  atomic.Uint32 // how often a leader has left
	armed atomic.Bool   // the timer is; who sets it may touch timer and seen
	timer *time.Timer
	seen  uint32
}

const (
	// absence is for how long nobody may lead before the background takes over. The
	// runtime's timers are no finer.
	absence = time.Millisecond
	// settled is after how many batches that woke somebody the background stands back;
	// a connection for one request is not worth it.
	settled = 4
)

func (t *turn) init(car carrier.Carrier) {
	t.called = make(chan struct{}, 1)
	if car != nil && car.Caps().Interrupt {
		t.car, _ = car.(carrier.Interrupter)
		if p, ok := car.(carrier.Placer); ok && p.Reads(car) {
			t.placer = p
		}
		if p, ok := car.(carrier.Poller); ok && car.Caps().Poll && p.Reads(car) {
			t.poller = p
		}
		t.mood = newPatience()
	}
}

var _ conn.Leader = (*flow)(nil)

// read is the shard's goroutine in the background: it processes batches while nobody
// leads, until the carrier ends.
func (s *shard) read() {
	t := &s.turn
	for stand := false; ; stand = true {
		for stand || !t.taken.CompareAndSwap(false, true) {
			stand = false
			select {
			case <-t.called:
			case <-s.gone:
				return
			}
		}
		// How many batches woke somebody.
		for woken := 0; woken < settled || !s.alone(); {
			b, err := s.car.ReadBatch()
			switch {
			case err == carrier.ErrInterrupted:
			case err != nil:
				s.fail(err)
				return // with the turn: nobody else can do better
			case s.readers[0].batch(b):
				woken++
			}
			if t.flows.Load() == 0 {
				woken = 0 // the next connection may be another one for one request
			}
		}
		s.yield(false)
	}
}

// readMore is the goroutine of a reader beside the first: it processes batches until the carrier
// ends.
func (r *reader) readMore() {
	for {
		b, err := r.car.ReadBatch()
		switch {
		case err == carrier.ErrInterrupted:
		case err != nil:
			r.s.fail(err)
			return
		default:
			r.batch(b)
		}
	}
}

// alone reports whether the shard's only connection may lead.
func (s *shard) alone() bool {
	t := &s.turn
	return t.car != nil && t.flows.Load() == 1 && !t.over.Load()
}

// count notes how many connections there are, the lock held.
func (s *shard) count() {
	s.turn.flows.Store(int32(len(s.flows)))
	if !s.alone() {
		s.attend()
	}
}

// attend calls the background if nobody has the turn.
func (s *shard) attend() {
	if s.turn.taken.Load() {
		return
	}
	select {
	case s.turn.called <- struct{}{}:
	default:
	}
}

// yield gives the turn back; somebody should have it soon, or after an absence.
func (s *shard) yield(soon bool) {
	t := &s.turn
	t.left.Add(1)
	t.taken.Store(false)
	if soon || !s.alone() {
		s.attend()
		return
	}
	s.watch()
}

// watch makes sure that the timer runs.
func (s *shard) watch() {
	t := &s.turn
	if !t.armed.CompareAndSwap(false, true) {
		return
	}
	t.seen = t.left.Load()
	if t.timer == nil {
		t.timer = time.AfterFunc(time.Hour, s.lookAfter) // which may touch timer only from Reset on
	}
	t.timer.Reset(absence)
}

// lookAfter is the timer: it calls the background if nobody led since it was set.
func (s *shard) lookAfter() {
	t := &s.turn
	if !t.taken.Load() {
		if left := t.left.Load(); left != t.seen {
			t.seen = left
			t.timer.Reset(absence)
			return
		}
		t.armed.Store(false)
		s.attend()
		return
	}
	t.armed.Store(false)
	if !t.taken.Load() {
		s.watch() // who left in between found the timer running
	}
}

// TryLead takes the turn for whoever waits for the connection; see conn.Leader.
func (f *flow) TryLead() bool {
	return f.s.alone() && f.s.turn.taken.CompareAndSwap(false, true)
}

// Lead reads until stop is set or the carrier is at its end.
func (f *flow) Lead(stop *atomic.Bool, why conn.Reason) {
	t := &f.s.turn
	t.mood.begin(f.patient(why))
	for {
		t.inside.Store(true)
		if stop.Load() {
			t.inside.Store(false)
			return
		}
		b, err := f.readFor(why)
		t.inside.Store(false)
		switch {
		case err == carrier.ErrInterrupted:
		case err != nil:
			t.over.Store(true)
			f.s.fail(err)
			return
		default:
			f.s.readers[0].batch(b)
			if stop.Load() {
				t.mood.answered()
			}
		}
	}
}

// patient is for how long who waits for why may poll.
func (f *flow) patient(why conn.Reason) time.Duration {
	if why != conn.ForAnswer || f.s.turn.poller == nil || f.s.turn.placer == nil {
		return 0
	}
	return f.cfg.poll
}

// readFor reads a batch for who leads. For a Read, data goes from the carrier right to where it is
// wanted, as far as the carrier can tell; where that is is asked each time, since data may have
// come.
func (f *flow) readFor(why conn.Reason) (*carrier.Batch, error) {
	t := &f.s.turn
	if why == conn.ForChange || t.placer == nil {
		return t.car.ReadBatch()
	}
	into := f.driver.Lent()
	if t.mood.left > 0 {
		if b, err := t.mood.poll(t.poller, into); b != nil || err != nil {
			return b, err
		}
	}
	return t.placer.ReadInto(into)
}

// Rouse calls a leader back who waits for the carrier.
func (f *flow) Rouse() {
	if f.s.turn.inside.Load() {
		f.s.turn.car.Interrupt()
	}
}

// Leave gives the turn back.
func (f *flow) Leave(soon bool) { f.s.yield(soon) }

// Attend has the background read, unless somebody does.
func (f *flow) Attend() { f.s.attend() }
