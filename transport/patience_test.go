package transport

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/carrier"
)

// pollable is a memCarrier that can be asked: each look takes time, and at some look something is
// there.
type pollable struct {
	*memCarrier
	looks int
	each  func(look int) (takes time.Duration, there bool) // looks are counted from 1 in each wait
	now   int
}

func (p *pollable) Caps() carrier.Caps {
	c := p.memCarrier.Caps()
	c.Poll = true
	return c
}

func (*pollable) Reads(carrier.Carrier) bool { return true }

func (p *pollable) ReadInto([]byte) (*carrier.Batch, error) { return p.ReadBatch() }

func (p *pollable) Poll([]byte) (*carrier.Batch, error) {
	p.looks++
	p.now++
	takes, there := p.each(p.now)
	<-time.After(takes)
	if !there {
		return nil, nil
	}
	return &carrier.Batch{}, nil
}

// wait does what a leader does before it waits, and reports whether it polled, and got something.
func (p *pollable) wait(mood *patience) (polled, got bool) {
	if mood.begin(defaultPoll); mood.left == 0 {
		return false, false
	}
	p.now = 0
	b, _ := mood.poll(p, nil)
	if b != nil {
		mood.answered()
	}
	return true, b != nil
}

const brief = time.Microsecond

// Whether polling goes on depends on what it was good for.
func TestPatience(t *testing.T) {
	for name, test := range map[string]struct {
		each func(int) (time.Duration, bool)
		got  bool // each poll brings something
		next int  // waits until it is tried again, after a poll that was the first
	}{
		"at the tenth look": {func(n int) (time.Duration, bool) { return brief, n == 10 }, true, 1},
		"never":             {func(int) (time.Duration, bool) { return brief, false }, false, 2},
		"while others had the CPU": {func(n int) (time.Duration, bool) {
			return map[bool]time.Duration{true: elsewhere, false: brief}[n == 3], n == 3
		}, true, 2},
		"others had it in vain": {func(n int) (time.Duration, bool) { return elsewhere, n == 3 }, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, mood := &pollable{each: test.each}, patience{}
				begin := time.Now()
				if polled, got := p.wait(&mood); !polled || got != test.got {
					t.Fatalf("polled: %t, and got something: %t, want %t", polled, got, test.got)
				}
				if d := time.Since(begin); d > defaultPoll+2*brief {
					t.Errorf("it took %v", d)
				}
				next := 1
				for ; ; next++ {
					if polled, _ := p.wait(&mood); polled {
						break
					}
				}
				if next != test.next {
					t.Errorf("the next poll is in the %d. wait, want the %d.", next, test.next)
				}
			})
		})
	}
}

// What is there at once says nothing of what waiting is like; what never comes is asked for ever
// more rarely, but still is.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := 0 // the look at which something is there; 0 never
		p := &pollable{each: func(look int) (time.Duration, bool) { return brief, look == at }}
		mood := newPatience()
		count := func(waits int) (polls int) {
			for range waits {
				if polled, _ := p.wait(&mood); polled {
					polls++
				}
			}
			return polls
		}
		if n := count(early); n > 0 {
			t.Errorf("%d polls in the first waits", n)
		}
		if n := count(256); n < 5 || n > 10 {
			t.Errorf("%d polls in 256 waits for nothing", n)
		}
		if n := count(2560); n < 9 || n > 11 {
			t.Errorf("%d polls in 2560 waits, want one in 256", n)
		}
		vain := mood.vain
		at = 1
		count(300)
		if mood.vain != vain {
			t.Error("what was there already is taken for an answer to a poll")
		}
		at = 2
		if n := count(300); n < 300-256 {
			t.Errorf("%d polls in 300 waits once they are worth it again", n)
		}
		at = 0
		if n := count(3); n != 2 {
			t.Errorf("%d polls in 3 waits after one was in vain", n)
		}
	})
}

// A Read polls that follows a Write, unless its Config says no.
func TestReadPollsForAnswer(t *testing.T) {
	for busy, want := range map[time.Duration]bool{defaultPoll: true, -1: false} {
		bubble(t, func(t *testing.T) {
			n := newMemNet()
			car := &pollable{memCarrier: n.open("192.0.2.1:1111").interruptible(), each: func(int) (time.Duration, bool) { return brief, false }}
			cfg := quick()
			cfg.BusyPoll = busy
			e := mustEndpoint(t, car, cfg)
			serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:2222"), quick()))
			c := mustDial(t, e, "192.0.2.2:2222")
			settle(t, e, c)
			n.mu.Lock()
			n.drop = func(netip.AddrPort, *carrier.Datagram) bool { return true } // no answer comes
			n.mu.Unlock()
			read := func() (looks int) {
				e.s.turn.mood, car.looks = patience{}, 0
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				c.Read(make([]byte, 10))
				return car.looks
			}
			if got := read(); got != 0 {
				t.Errorf("BusyPoll %v: %d looks of a Read that follows none", busy, got)
			}
			c.Write([]byte("hello"))
			if got := read(); got > 0 != want {
				t.Errorf("BusyPoll %v: %d looks", busy, got)
			}
			c.SetLinger(0)
			c.Close()
		})
	}
}

// What keeps coming without being the answer, as acknowledgments do, prolongs no poll, and does not
// make it worth while.
func TestPollIsNotProlonged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		car := &pollable{memCarrier: n.open("192.0.2.1:1111").interruptible(), each: func(look int) (time.Duration, bool) { return brief, look%10 == 0 }}
		cfg := quick()
		cfg.BusyPoll = defaultPoll
		e := mustEndpoint(t, car, cfg)
		serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:2222"), quick()))
		c := mustDial(t, e, "192.0.2.2:2222")
		settle(t, e, c)
		n.mu.Lock()
		n.drop = func(netip.AddrPort, *carrier.Datagram) bool { return true } // no answer comes
		n.mu.Unlock()
		e.s.turn.mood = patience{}
		c.Write([]byte("hello"))
		total := 0
		for range 100 {
			car.looks = 0
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			c.Read(make([]byte, 10))
			if most := int(defaultPoll / brief); car.looks > most+most/5 {
				t.Fatalf("%d looks in one Read, of %v each, with %v to poll", car.looks, brief, defaultPoll)
			}
			total += car.looks
		}
		if total > 8*int(defaultPoll/brief) {
			t.Errorf("%d looks in 100 waits without an answer", total)
		}
		c.SetLinger(0)
		c.Close()
	})
}
