package tcpcore

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	flagSeed  = flag.Int64("seed", -1, "replay this seed of TestSimulation; with -v print what happens")
	flagSeeds = flag.Int64("seeds", 0, "run so many seeds of TestSimulation; 0 is the default number")
)

// TestSimulation runs pairs of engines over seeded links with everything that a network
// and a user do wrong, and checks invariants after every event. A failing seed is replayed by
//
//	go test ./tcpcore -run 'TestSimulation$' -seed=N -v
func TestSimulation(t *testing.T) {
	if *flagSeed >= 0 {
		s := newSim(uint64(*flagSeed))
		s.traceOn = testing.Verbose()
		s.printf = t.Logf
		if err := s.run(); err != nil {
			t.Fatalf("seed %d: %v", *flagSeed, err)
		}
		return
	}
	n := int64(simSeeds)
	if *flagSeeds > 0 {
		n = *flagSeeds
	} else if testing.Short() {
		n = min(n, 500)
	}
	var (
		next, failed atomic.Int64
		sum          simCoverage
		mu           sync.Mutex
		wg           sync.WaitGroup
		firstSeed    = int64(-1)
		firstErr     error
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var mine simCoverage
			for failed.Load() < 5 {
				seed := next.Add(1) - 1
				if seed >= n {
					break
				}
				s := newSim(uint64(seed))
				if err := s.run(); err != nil {
					failed.Add(1)
					mu.Lock()
					if firstSeed < 0 || seed < firstSeed {
						firstSeed, firstErr = seed, err
					}
					mu.Unlock()
				}
				mine.add(&s.coverage)
			}
			mu.Lock()
			sum.add(&mine)
			mu.Unlock()
		})
	}
	wg.Wait()
	if firstErr != nil {
		s := newSim(uint64(firstSeed))
		s.traceOn, s.keep = true, 40
		s.run()
		t.Fatalf("seed %d: %v\nreplay: go test ./tcpcore -run 'TestSimulation$' -seed=%d -v\nthe last events:\n%s",
			firstSeed, firstErr, firstSeed, strings.Join(s.lines, "\n"))
	}
	t.Logf("%d seeds: %+v", n, sum)
	if n >= 300 {
		sum.check(t)
	}
}

// TestSimulationRepeats shows that a seed determines everything that happens.
func TestSimulationRepeats(t *testing.T) {
	for seed := range uint64(20) {
		var trace [2]string
		for i := range trace {
			s := newSim(seed)
			s.traceOn, s.keep = true, 1<<20
			if err := s.run(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			trace[i] = strings.Join(s.lines, "\n")
		}
		if trace[0] != trace[1] {
			t.Fatalf("seed %d happens differently the second time", seed)
		}
	}
}

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

// A simEvent happens on one host.
type simEvent struct {
	kind simKind
	arg  simAct
	host *simHost
	data []byte
}

// push schedules an event after a delay, pushAt at a moment.
func (s *sim) push(h *simHost, k simKind, after Time) { s.pushAt(h, k, s.now+after) }

func (s *sim) pushAt(h *simHost, k simKind, at Time) { s.heap.push(at, simEvent{kind: k, host: h}) }

// A sim is two hosts, a link each way and a heap of events in virtual time.
type sim struct {
	seed   uint64
	rng    *rand.Rand
	now    Time // of the world; each host's clock has an offset to it
	heap   agenda[simEvent]
	hosts  [2]*simHost
	links  [2]*simLink // links[i] leads from host i to the other
	err    error
	events int
	free   [][]byte

	strict bool // nothing happens that may end a connection: all must be delivered
	chaos  bool // header bits are flipped: only bounds hold
	train  Train

	coverage simCoverage
	traceOn  bool
	printf   func(string, ...any)
	keep     int // trace lines kept if printf is nil
	lines    []string
}

// The bounds of a seed.
const (
	simMaxEvents = 400_000
	simMaxTime   = 24 * time.Hour
)

func (s *sim) trace(format string, args ...any) {
	if !s.traceOn {
		return
	}
	line := fmt.Sprintf("%14v ", time.Duration(s.now)) + fmt.Sprintf(format, args...)
	if s.printf != nil {
		s.printf("%s", line)
		return
	}
	if s.lines = append(s.lines, line); len(s.lines) > 2*s.keep {
		s.lines = append(s.lines[:0], s.lines[len(s.lines)-s.keep:]...)
	}
}

// fail records the first violation; the seed ends.
func (s *sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("at %v: %s", time.Duration(s.now), fmt.Sprintf(format, args...))
		s.trace("FAIL %v", s.err)
	}
}

// run plays the seed to its end.
func (s *sim) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.trace("panic: %v", p)
			err = fmt.Errorf("at %v: panic: %v\n%s", time.Duration(s.now), p, debug.Stack())
		}
	}()
	s.begin()
	for s.step() {
	}
	if s.err == nil {
		s.finish()
	}
	for _, h := range s.hosts {
		s.coverage.engine(h.info())
	}
	return s.err
}

func (s *sim) begin() {
	for _, h := range s.hosts {
		s.trace("%c: %s", h.name, h.summary())
		h.start()
	}
}

// step lets the next event happen, and reports whether there was one.
func (s *sim) step() bool {
	if s.err != nil || s.heap.len() == 0 {
		return false
	}
	at, ev := s.heap.pop()
	s.now = max(s.now, at) // a fuzz input moves the clock beyond events
	if s.events++; s.events > simMaxEvents {
		s.fail("%d events: the engines never come to rest", s.events)
		return false
	}
	if s.now > Time(simMaxTime) {
		return false // finish will tell who is not closed
	}
	ev.host.handle(at, &ev)
	return s.err == nil
}

// finish checks the end of a seed: both ends are closed, and what was accepted was
// delivered or somebody was told.
func (s *sim) finish() {
	if s.chaos {
		return
	}
	for i, h := range s.hosts {
		p := s.hosts[1-i]
		if st := h.e.State(); st != Closed && !h.retired {
			s.fail("%c ends in %v", h.name, st)
		}
		lost := p.app.delivered < h.app.accepted
		// Twice what was written is common with losses and early timers, four times is a storm.
		if in := h.info(); s.strict && in.BytesSent > uint64(4*h.app.accepted)+65536 {
			s.fail("%c sent %d bytes to deliver %d", h.name, in.BytesSent, h.app.accepted)
		}
		switch err := h.e.Err(); {
		case s.strict && lost:
			s.fail("%c accepted %d bytes, %d were delivered", h.name, h.app.accepted, p.app.delivered)
		case s.strict && h.app.accepted != h.app.total:
			s.fail("%c could write only %d bytes of %d", h.name, h.app.accepted, h.app.total)
		case s.strict && !h.app.sawEOF && h.app.style != simCloser:
			s.fail("%c never saw the end of the stream", h.name)
		case s.strict && err != nil:
			s.fail("%c ends with %v", h.name, err)
		case lost && err == nil && p.e.Err() == nil && !h.app.gaveUp && !p.app.gaveUp && !p.app.deaf:
			s.fail("%d bytes of %d that %c accepted were lost and nobody was told", h.app.accepted-p.app.delivered, h.app.accepted, h.name)
		}
	}
}

func (s *sim) buffer(n int) []byte {
	if k := len(s.free); k > 0 && cap(s.free[k-1]) >= n {
		b := s.free[k-1]
		s.free = s.free[:k-1]
		return b[:n]
	}
	return make([]byte, n, max(n, 2048))
}
