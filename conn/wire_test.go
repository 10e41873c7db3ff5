package conn_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// delay is one way of the wire between two ends.
const delay = 5 * time.Millisecond

// end is one end of a wire in virtual time: a connection and its Host.
type end struct {
	*conn.Conn
	driver *conn.Driver
	start  time.Time
	send   chan packet
	stop   chan struct{}

	mu          sync.Mutex
	sent        []segment.Segment // all that was transmitted; payloads are copies
	calls       int               // of Transmit
	busy        bool
	overlap     bool // Transmit was called by two at once
	deaf        bool // what arrives is dropped
	hold        chan struct{}
	established int
	done        int
	how         conn.End
	over        chan struct{} // closed by Done
	up          chan struct{} // closed by Established
}

type packet struct {
	at  time.Time
	raw []byte
}

var (
	addrA = netip.MustParseAddrPort("192.0.2.1:1111")
	addrB = netip.MustParseAddrPort("192.0.2.2:2222")
)

func (e *end) Now() tcpcore.Time { return tcpcore.Time(time.Since(e.start)) }

func (e *end) Transmit(trains []*tcpcore.Train) {
	e.mu.Lock()
	e.overlap = e.overlap || e.busy
	e.busy = true
	e.calls++
	hold := e.hold
	e.mu.Unlock()
	if hold != nil {
		<-hold
	}
	for _, t := range trains {
		for b := t.Buf; len(b) > 0; {
			n := len(b)
			if t.SegmentSize > 0 {
				n = min(n, t.SegmentSize)
			}
			raw := append([]byte(nil), b[:n]...)
			b = b[n:]
			var s segment.Segment
			if err := segment.Parse(&s, raw); err != nil {
				panic(err)
			}
			e.mu.Lock()
			e.sent = append(e.sent, s)
			e.mu.Unlock()
			select {
			case e.send <- packet{time.Now().Add(delay), raw}:
			case <-e.stop:
			}
		}
	}
	e.mu.Lock()
	e.busy = false
	e.mu.Unlock()
}

func (e *end) Established() {
	e.established++
	close(e.up)
}

func (e *end) Done(how conn.End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done++
	e.how = how
	close(e.over)
}

// take returns what was transmitted since the last call.
func (e *end) take() []segment.Segment {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sent
	e.sent = nil
	return s
}

func (e *end) setDeaf(deaf bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = deaf
}

// listen delivers what the other end sends, in batches of what has arrived.
func (e *end) listen(from chan packet) {
	for {
		var p packet
		select {
		case p = <-from:
		case <-e.stop:
			return
		}
		select {
		case <-time.After(time.Until(p.at)):
		case <-e.stop:
			return
		}
		e.deliver(p)
		for more := true; more; {
			select {
			case p = <-from:
				e.deliver(p)
			default:
				more = false
			}
		}
		e.driver.Finish()
	}
}

func (e *end) deliver(p packet) {
	e.mu.Lock()
	deaf := e.deaf
	e.mu.Unlock()
	var s segment.Segment
	if segment.Parse(&s, p.raw) == nil && !deaf {
		e.driver.Receive(e.Now(), &s)
	}
}

func newEnd(cfg tcpcore.Config, active bool, start time.Time, stop chan struct{}) *end {
	e := &end{start: start, send: make(chan packet, 1<<14), stop: stop, over: make(chan struct{}), up: make(chan struct{})}
	local, remote := addrA, addrB
	mms := max(1472, cfg.MSS+segment.FixedHeaderLen)
	engine := tcpcore.New(cfg)
	var err error
	if active {
		err = engine.OpenActive(e.Now(), tcpcore.Params{LocalPort: 1111, RemotePort: 2222, ISN: 1 << 20, MMS: mms})
	} else {
		local, remote = addrB, addrA
		err = engine.OpenPassive(e.Now(), tcpcore.Params{LocalPort: 2222, ISN: 1 << 30, MMS: mms})
	}
	if err != nil {
		panic(err)
	}
	e.Conn, e.driver = conn.New(e, engine, local, remote, conn.Options{Linger: -1, KeepAlive: cfg.KeepAlive})
	return e
}

// pair returns two ends with an established connection between them. It must be
// called in a bubble.
func pair(t *testing.T, cfg tcpcore.Config) (a, b *end) {
	t.Helper()
	a, b = strangers(t, cfg)
	a.driver.Finish()
	<-a.up
	<-b.up
	a.take()
	b.take()
	return a, b
}

// strangers are two ends of a wire, of which the first one sends its SYN when its driver is told to
// finish.
func strangers(t *testing.T, cfg tcpcore.Config) (a, b *end) {
	t.Helper()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	start := time.Now()
	a, b = newEnd(cfg, true, start, stop), newEnd(cfg, false, start, stop)
	go a.listen(b.send)
	go b.listen(a.send)
	t.Cleanup(func() {
		a.driver.Fail(errStopped)
		b.driver.Fail(errStopped)
		close(stop)
		for _, e := range []*end{a, b} {
			<-e.over // whoever transmits tells the host
			if e.overlap {
				t.Error("two goroutines transmitted at once")
			}
			if e.established > 1 || e.done != 1 {
				t.Errorf("the host was told of %d handshakes and %d ends", e.established, e.done)
			}
		}
	})
	return a, b
}

type stopped struct{}

func (stopped) Error() string { return "the wire was taken away" }

var errStopped error = stopped{}

// config is a tcpcore.Config with no surprises in time.
// config has buffers of a size that does not change, larger than what tests write at once.
func config() tcpcore.Config {
	return tcpcore.Config{NoDelay: true, MSL: time.Second, SendBuffer: 1 << 20, ReceiveBuffer: 1 << 20}
}
