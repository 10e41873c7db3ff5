package tcpcore

import (
	"bytes"
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

	"example.com/culvert/tcpcore/segment"
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

// A sim is two hosts, a link each way and a heap of events in virtual time.
type sim struct {
	seed   uint64
	rng    *rand.Rand
	now    Time // of the world; each host's clock has an offset to it
	heap   simHeap
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
	ev := s.heap.pop()
	s.now = max(s.now, ev.at) // a fuzz input moves the clock beyond events
	if s.events++; s.events > simMaxEvents {
		s.fail("%d events: the engines never come to rest", s.events)
		return false
	}
	if s.now > Time(simMaxTime) {
		return false // finish will tell who is not closed
	}
	ev.host.handle(&ev)
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

// ---- hosts ----

// A simHost is an engine with its clock, its user and what its network saw of it.
type simHost struct {
	s    *sim
	name byte
	e    *Engine
	cfg  Config
	p    Params
	peer *simHost
	link *simLink
	app  simApp
	wire simWire

	mode      simOpening
	openAt    Time
	offset    Time // of the host's clock
	mms       int
	timerAt   Time // when the armed timer event comes, of the world
	late      Time // how late timers may come
	finishAt  Time // a finish event is due then; Never if none
	process   Time // time from a segment's arrival to its batch's end
	gap       Time // time that the carrier takes for a train
	busyUntil Time
	spin      int
	open      bool
	retired   bool // in TIME-WAIT, only the record is left
	record    TimeWaitRecord
	mayRetire bool
	vanishAt  Time // the host goes dark
}

type simOpening uint8

// How a host opens.
const (
	simActive simOpening = iota
	simPassive
	simNever // nobody listens
)

// now is the host's own time.
func (h *simHost) now() Time { return h.s.now + h.offset }

func (h *simHost) info() Info { return h.e.Info() }

func (h *simHost) start() {
	h.timerAt, h.finishAt = Never, Never
	if h.mode != simNever {
		h.s.push(h, evOpen, h.openAt)
	}
}

// handle does what an event says.
func (h *simHost) handle(ev *simEvent) {
	s := h.s
	switch ev.kind {
	case evOpen:
		h.openUp()
	case evDeliver:
		h.deliver(ev.data)
		s.free = append(s.free, ev.data)
	case evFinish:
		if ev.at != h.finishAt {
			return
		}
		h.finishAt = Never
		h.flush()
	case evTimer:
		if ev.at != h.timerAt {
			return // armed anew since
		}
		h.timerAt = Never
		if h.retired || !h.open {
			return
		}
		if h.e.Deadline() > h.now() {
			h.arm() // the deadline moved; nothing else may be due
			return
		}
		s.trace("%c timer", h.name)
		h.wire.excuses++
		h.e.Advance(h.now())
		h.flush()
		if d := h.e.Deadline(); d > h.now() {
			h.spin = 0
		} else if h.spin++; h.spin > 20 {
			s.fail("%c spins: Deadline stays at %v, its clock is at %v", h.name, time.Duration(d), time.Duration(h.now()))
		}
	case evApp:
		if ev.at == h.app.next {
			h.app.next = Never
			h.app.step()
			h.flush()
		}
	case evAct:
		h.act(ev.arg)
		h.flush()
	}
}

func (h *simHost) openUp() {
	h.open = true
	if h.e.State() == Closed {
		var err error
		if h.mode == simActive {
			err = h.e.OpenActive(h.now(), h.p)
		} else {
			err = h.e.OpenPassive(h.now(), h.p)
		}
		if err != nil {
			h.s.fail("%c open: %v", h.name, err)
		}
		h.s.trace("%c open: %v", h.name, h.e.State())
	}
	h.app.schedule(h.s.now)
	h.flush()
}

// deliver is a datagram's arrival.
func (h *simHost) deliver(b []byte) {
	s := h.s
	var g segment.Segment
	if err := segment.Parse(&g, b); err != nil {
		if !s.chaos {
			s.fail("BUG: %c gets what does not parse: %v", h.name, err)
		}
		return
	}
	if s.traceOn {
		s.trace("%c <- %s", h.name, h.peer.wire.describe(&g))
	}
	if h.vanishAt <= s.now {
		return
	}
	if h.retired {
		reply, reopen := h.record.Input(h.now(), &g, nil)
		if h.now() >= h.record.Expires() {
			return
		}
		h.checkReopen(reopen)
		if len(reply) > 0 {
			h.transmitReply(reply)
		}
		return
	}
	if h.e.State() == Closed {
		if reply := Refuse(nil, &g); len(reply) > 0 {
			if g.Flags.Has(RST) {
				s.fail("%c answers a reset", h.name)
			}
			h.transmitReply(reply)
		}
		return
	}
	h.wire.arrived(&g)
	reopen := h.e.Input(h.now(), &g)
	for i := range b {
		b[i] = 0xdd // the engine must not have kept a reference
	}
	h.checkReopen(reopen)
	if h.finishAt == Never {
		h.finishAt = s.now + s.upTo(h.process)
		s.pushAt(h, evFinish, h.finishAt)
	}
}

// checkReopen fails if a duplicate of this connection's own SYN passes for a new one,
// which only a SYN with timestamps after a connection without may (RFC 6191 section 2).
func (h *simHost) checkReopen(reopen bool) {
	if reopen && !h.s.chaos && h.wire.sentTS == h.wire.gotTS {
		h.s.fail("%c: an old duplicate ends TIME-WAIT", h.name)
	}
}

// transmitReply sends what no connection is behind.
func (h *simHost) transmitReply(b []byte) {
	if h.s.traceOn {
		var g segment.Segment
		if err := segment.Parse(&g, b); err != nil {
			h.s.fail("%c replies with what does not parse: %v", h.name, err)
		}
		h.s.trace("%c -> %s (no connection)", h.name, h.wire.describe(&g))
	}
	h.link.send(b)
}

// flush is the end of a batch: all that may be sent is sent, the user is woken, the timer armed.
func (h *simHost) flush() {
	s := h.s
	if h.retired || !h.open || s.err != nil {
		return
	}
	for n := 0; ; n++ {
		if h.busyUntil > s.now {
			if h.finishAt == Never || h.finishAt > h.busyUntil {
				h.finishAt = h.busyUntil
				s.pushAt(h, evFinish, h.finishAt)
			}
			break
		}
		if n > 10000 {
			s.fail("%c: Output has no end", h.name)
			return
		}
		before := h.wire.sndMax
		h.wire.limit = h.mms
		if !h.e.Output(h.now(), &s.train) {
			break
		}
		h.transmit(&s.train)
		if h.wire.sndMax > before {
			h.wire.checkWindow()
		}
		h.busyUntil = s.now + s.upTo(h.gap)
		if s.err != nil {
			return
		}
	}
	h.wake()
	h.check()
	if h.busyUntil <= s.now {
		h.arm()
	}
	h.retire()
}

// transmit takes a train apart and puts it on the link.
func (h *simHost) transmit(t *Train) {
	s := h.s
	n := len(t.Buf)
	if n == 0 || n > MaxTrainBytes || t.SegmentSize <= 0 || t.SegmentSize > n || (n+t.SegmentSize-1)/t.SegmentSize > MaxTrainSegments {
		s.fail("%c: a train of %d bytes in segments of %d", h.name, n, t.SegmentSize)
		return
	}
	for b := t.Buf; len(b) > 0 && s.err == nil; {
		k := min(t.SegmentSize, len(b))
		var g segment.Segment
		if err := segment.Parse(&g, b[:k]); err != nil {
			s.fail("%c sends what does not parse: %v", h.name, err)
			return
		}
		if s.traceOn {
			s.trace("%c -> %s", h.name, h.wire.describe(&g))
		}
		h.wire.sent(&g, k)
		h.link.send(b[:k])
		b = b[k:]
	}
	for i := range t.Buf {
		t.Buf[i] = 0xcc // the train is ours: the engine must not count on it
	}
}

// wake tells the user of events.
func (h *simHost) wake() {
	ev := h.e.Events()
	if ev == 0 {
		return
	}
	h.s.trace("%c events %012b, %v", h.name, ev, h.e.State())
	h.app.wake(ev)
}

// arm sets the timer to the engine's deadline. One in the past is due now.
func (h *simHost) arm() {
	s := h.s
	d := h.e.Deadline()
	if d == Never {
		h.timerAt = Never
		return
	}
	at := d - h.offset
	if at <= s.now {
		at = s.now
	} else {
		at += s.upTo(h.late)
	}
	if h.timerAt == Never || at < h.timerAt || h.timerAt < s.now {
		h.timerAt = at
		s.pushAt(h, evTimer, at)
	}
}

// retire reduces TIME-WAIT to its record, as an endpoint does once the user is gone.
func (h *simHost) retire() {
	if !h.mayRetire || !h.app.closed || h.e.State() != TimeWait || h.e.Deadline() <= h.now() {
		return
	}
	rec, ok := h.e.Retire()
	if !ok {
		if h.info().ReceiveQueue == 0 && h.busyUntil <= h.s.now {
			h.s.fail("%c is in TIME-WAIT without a user and does not retire", h.name)
		}
		return
	}
	if rec.Expires() < h.now() {
		h.s.fail("%c retires after its end", h.name)
	}
	h.s.coverage.Retired++
	h.record, h.retired, h.timerAt = rec, true, Never
}

// ---- what happens beside the traffic ----

type simAct uint8

const (
	actJump      simAct = iota // the host's clock jumps forward
	actMTU                     // the path takes less or more from now on
	actOutage                  // nothing passes for a while
	actSoft                    // a soft network error
	actHard                    // a hard one, on a synchronized connection
	actNagle                   // the user changes TCP_NODELAY
	actBuffers                 // the user asks for larger buffers
	actKeepAlive               // the user changes keep-alive
	actCork                    // the user holds back what is not a full segment, or lets it go
	actClamp                   // the user bounds the window, or what is not yet sent
	actDelay                   // the user changes the delayed acknowledgment
	simActs
)

func (h *simHost) act(a simAct) {
	s := h.s
	switch a {
	case actJump:
		d := s.randTime(int64(time.Millisecond), int64(5*time.Second))
		if !s.strict && s.chance(0.3) {
			d = s.randTime(int64(time.Minute), int64(40*24*time.Hour))
		}
		s.trace("%c clock jumps by %v", h.name, time.Duration(d))
		h.offset += d
	case actMTU:
		h.link.mtu = s.between(128, 1500)
		s.trace("%c path takes %d", h.name, h.link.mtu)
	case actOutage:
		h.link.darkUntil = s.now + s.randTime(int64(time.Millisecond), int64(8*time.Second))
		s.trace("%c link is dark until %v", h.name, time.Duration(h.link.darkUntil))
	case actSoft:
		h.e.SoftError(h.now(), errSimSoft)
	case actHard:
		if h.e.State().Synchronized() {
			h.e.HardError(h.now(), errSimSoft)
		}
	case actNagle:
		h.e.SetNoDelay(s.chance(0.5))
	case actBuffers:
		// SetBuffers may also shrink, but then the bounds that check looks at are those of the past.
		h.cfg.SendBuffer = h.sendBuffer() + s.between(1, 100_000)
		h.cfg.ReceiveBuffer = h.buffer() + s.between(1, 100_000)
		h.e.SetBuffers(h.cfg.SendBuffer, h.cfg.ReceiveBuffer)
	case actKeepAlive:
		h.e.SetKeepAlive(h.now(), s.chance(0.5), 5*time.Second, time.Second, 60)
	case actCork:
		h.e.SetCork(s.chance(0.5))
	case actClamp:
		h.e.SetWindowClamp(s.between(0, 50_000))
		h.e.SetNotSentLowWater(s.between(0, 50_000))
	case actDelay:
		h.e.SetDelayedACK(s.pick(-1, 0, time.Millisecond, 300*time.Millisecond))
	}
}

const errSimSoft Error = "the network is unreachable"

// pathLimit is the network's word that a datagram was too large.
func (h *simHost) pathLimit(mtu int) {
	if mtu < h.mms {
		h.s.trace("%c learns of MMS %d", h.name, mtu)
		h.mms = mtu
		h.e.SetMMS(h.now(), mtu)
		if h.finishAt == Never {
			h.finishAt = h.s.now
			h.s.pushAt(h, evFinish, h.finishAt)
		}
	}
}

// ---- streams ----

// simStream is what each user writes, over and over; its length is prime, so that a
// shift by any segment or buffer size shows.
var simStream = func() [2][]byte {
	var st [2][]byte
	r := rand.New(rand.NewPCG(1, 2))
	for i := range st {
		st[i] = make([]byte, 65521)
		for k := range st[i] {
			st[i][k] = byte(r.Uint32())
		}
	}
	return st
}()

// streamIs reports whether b is what stands at offset off of host i's stream.
func streamIs(i, off int, b []byte) bool {
	st := simStream[i]
	for len(b) > 0 {
		k := off % len(st)
		n := min(len(b), len(st)-k)
		if !bytes.Equal(b[:n], st[k:k+n]) {
			return false
		}
		b, off = b[n:], off+n
	}
	return true
}

// streamAt appends n bytes of host i's stream from off to b.
func streamAt(b []byte, i, off, n int) []byte {
	st := simStream[i]
	for n > 0 {
		k := off % len(st)
		m := min(n, len(st)-k)
		b = append(b, st[k:k+m]...)
		off, n = off+m, n-m
	}
	return b
}

func (h *simHost) index() int { return int(h.name - 'A') }
