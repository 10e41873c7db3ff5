package conn

import (
	"os"
	"sync"
	"time"

	"example.com/culvert/tcpcore"
)

// side is one direction's waiting room: who waits for it, and until when. core.mu
// guards it.
type side struct {
	c        *core
	cond     sync.Cond
	waiting  int
	deadline tcpcore.Time // Never if there is none
	timer    *time.Timer
	due      tcpcore.Time // when timer fires; Never if it is not armed
}

func newSide(c *core) *side {
	s := new(side)
	s.init(c)
	return s
}

func (s *side) init(c *core) {
	s.c = c
	s.cond.L = &c.mu
	s.deadline, s.due = tcpcore.Never, tcpcore.Never
}

// wait lets go of the lock until wake is called or the deadline passes; or for no
// reason. Meanwhile it reads the carrier, if it may.
func (s *side) wait(why Reason) {
	if s.deadline != tcpcore.Never {
		s.arm(s.c.now())
	}
	s.waiting++
	if !s.lead(why) {
		s.cond.Wait()
	}
	s.waiting--
}

// wake calls all who wait; nobody does where there is no side.
func (s *side) wake() {
	if s == nil || s.waiting == 0 {
		return
	}
	c := s.c
	c.woken = true
	s.cond.Broadcast()
	if c.leading == s && !c.roused.Swap(true) {
		c.leader.Rouse()
	}
}

// lead waits by reading the carrier, and reports whether it could. It lets go of the lock
// meanwhile.
func (s *side) lead(why Reason) bool {
	c := s.c
	if c.leader == nil || !c.leader.TryLead() {
		return false
	}
	c.leading = s
	c.roused.Store(false)
	c.mu.Unlock()
	c.leader.Lead(&c.roused, why)
	c.mu.Lock()
	c.leading = nil
	c.leader.Leave(c.closed)
	// Who else waits takes over.
	for _, o := range [...]*side{&c.rd, &c.wr, c.bye} {
		if o == nil {
			continue
		}
		if o.waiting > 1 || o != s && o.waiting > 0 {
			o.cond.Signal()
			break
		}
	}
	return true
}

// expired returns os.ErrDeadlineExceeded when the deadline has passed.
func (s *side) expired(now tcpcore.Time) error {
	if now >= s.deadline {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// set takes over a deadline. No timer is touched unless somebody waits: programs
// set a deadline for every operation and hardly ever reach one.
func (s *side) set(now tcpcore.Time, t time.Time) {
	s.deadline = tcpcore.Never
	if !t.IsZero() {
		// A deadline too far away to count is none.
		if d := time.Until(t); d < time.Duration(tcpcore.Never-max(now, 0)) {
			s.deadline = now.Add(max(d, 0))
		}
	}
	if s.waiting == 0 {
		return
	}
	if s.expired(now) != nil {
		s.wake()
		return
	}
	s.arm(now)
}

// arm makes sure that the timer fires at the deadline or before; tick finds out
// which, so that a deadline that moves later costs nothing.
func (s *side) arm(now tcpcore.Time) {
	if s.deadline == tcpcore.Never || s.due <= s.deadline {
		return
	}
	s.due = s.deadline
	d := max(s.deadline.Sub(now), 0)
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.tick)
		return
	}
	s.timer.Reset(d)
}

func (s *side) tick() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.due = tcpcore.Never
	if s.waiting == 0 {
		return
	}
	now := s.c.now()
	if s.expired(now) != nil {
		s.wake()
		return
	}
	s.arm(now)
}

// stop leaves no timer behind.
func (s *side) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.due = tcpcore.Never
}
