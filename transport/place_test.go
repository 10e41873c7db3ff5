package transport_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore/segment"
	"example.com/culvert/transport"
	"example.com/culvert/udpcarrier"
)

// mangler is a path that loses, doubles and reorders segments, and where somebody else sends
// rubbish, and segments that have arrived before with other data.
type mangler struct {
	*udpcarrier.Carrier

	mu   sync.Mutex
	r    *rand.Rand
	held *carrier.Datagram // to be overtaken
	old  [][]byte
}

func newMangler(t *testing.T) *mangler {
	c, err := udpcarrier.Listen("udp", netip.MustParseAddrPort("127.0.0.1:0"), udpcarrier.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &mangler{Carrier: c, r: rand.New(rand.NewPCG(9, 10))}
}

// Caps are those of one that wants segments one by one and whole.
func (m *mangler) Caps() carrier.Caps {
	c := m.Carrier.Caps()
	c.Gather, c.Trains = false, false
	return c
}

// window is more than the receiver ever offers: what lies farther back has arrived.
const window = 1 << 20

func (m *mangler) WriteBatch(ds []carrier.Datagram) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range ds {
		for b := range ds[i].Segments {
			d := ds[i]
			d.Data, d.SegmentSize = bytes.Clone(b), 0
			m.send(&d)
		}
	}
	return len(ds), nil
}

func (m *mangler) send(d *carrier.Datagram) {
	again := 1
	switch m.r.IntN(100) {
	case 0:
		again = 0
	case 1, 2:
		again = 2
	case 3, 4:
		if m.held == nil {
			m.held = d
			return
		}
	case 5, 6:
		m.rubbish(d)
	}
	for range again {
		m.Carrier.WriteBatch([]carrier.Datagram{*d})
	}
	if d := m.held; d != nil {
		m.held = nil
		m.Carrier.WriteBatch([]carrier.Datagram{*d})
	}
	if m.old = append(m.old, d.Data); len(m.old) > 4096 {
		m.old = m.old[1:]
	}
}

// rubbish sends to where d goes what must not change the stream.
func (m *mangler) rubbish(d *carrier.Datagram) {
	b := make([]byte, 1+m.r.IntN(65000))
	for i := range b {
		b[i] = byte(m.r.Uint32())
	}
	var now, then segment.Segment
	if len(m.old) > 0 && m.r.IntN(2) == 0 && segment.Parse(&now, d.Data) == nil && segment.Parse(&then, m.old[0]) == nil &&
		now.Seq.Sub(then.Seq) > 2*window {
		b = m.old[0]
		m.old = m.old[1:]
		head := len(b) - len(then.Payload)
		for i := range b[head:] {
			b[head+i] ^= 0x55
		}
	} else if len(b) > 3 {
		b[0] = 0 // a port where nobody listens
	}
	m.Carrier.WriteBatch([]carrier.Datagram{{Peer: d.Peer, Data: b}})
}

// overMangler is a connection whose first end sends over such a path, and whose second leads.
func overMangler(t *testing.T, cfg *transport.Config) (c, s net.Conn) {
	t.Helper()
	cfg.MinRTO = 5 * time.Millisecond
	server, err := (&transport.ListenConfig{Config: cfg}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	e, err := transport.NewEndpoint(newMangler(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if c, err = e.Dial("tcp", server.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if s, err = server.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c, s
}

// pattern is what the stream has, over and over.
var pattern = content(1, 1<<20-3)

// Over a path that does all that a path may do, to a reader whose buffers are of all sizes and
// who gives up now and then, every octet arrives in its place, and a buffer is left alone from
// the moment that Read returns.
func TestReadInPlace(t *testing.T) {
	total := 64 << 20
	if testing.Short() || raceEnabled {
		total = 12 << 20
	}
	cfg := quick()
	cfg.ReceiveBuffer = window
	c, s := overMangler(t, cfg)
	c.(interface{ SetNoDelay(bool) error }).SetNoDelay(true)
	go func() { // until Close
		r := rand.New(rand.NewPCG(11, 12))
		for at := 0; ; {
			p := pattern[at:]
			n, err := c.Write(p[:min(len(p), 1+r.IntN([]int{100, 20000, 300000}[r.IntN(3)]))])
			if err != nil {
				return
			}
			at = (at + n) % len(pattern)
		}
	}()
	r := rand.New(rand.NewPCG(13, 14))
	buf, last := make([]byte, 300<<10), []byte(nil)
	var closed chan struct{}
	for got := 0; ; {
		p := buf[:1+r.IntN([]int{100, 70000, len(buf)}[r.IntN(3)])]
		deadline := time.Time{}
		if r.IntN(4) == 0 {
			deadline = time.Now().Add(time.Duration(r.IntN(300)) * time.Microsecond)
		}
		s.SetReadDeadline(deadline)
		if got >= total && closed == nil {
			closed = make(chan struct{})
			go func() { s.Close(); close(closed) }()
		}
		n, err := s.Read(p)
		for i := 0; i < n; {
			want := pattern[(got+i)%len(pattern):]
			k := min(n-i, len(want))
			if !bytes.Equal(p[i:i+k], want[:k]) {
				t.Fatalf("from octet %d of the stream on something else arrived", got+i)
			}
			i += k
		}
		got += n
		if !allBytes(last, 0xA5) {
			t.Fatal("a buffer was written after its Read had returned")
		}
		if errors.Is(err, net.ErrClosed) && closed != nil {
			break
		} else if err != nil && (n > 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			t.Fatalf("Read after %d octets: %d, %v", got, n, err)
		}
		for i := range p {
			p[i] = 0xA5
		}
		buf, last = last, p
		if len(buf) < 300<<10 {
			buf = make([]byte, 300<<10)
		}
	}
	<-closed
	if !allBytes(last, 0xA5) {
		t.Error("a buffer was written after its Read had returned")
	}
}

func allBytes(b []byte, v byte) bool { return bytes.Count(b, []byte{v}) == len(b) }

// WriteTo and ReadFrom agree with each other over the same path.
func TestCopyInPlace(t *testing.T) {
	c, s := overMangler(t, quick())
	want := content(2, 8<<20)
	go func() {
		io.Copy(c, bytes.NewReader(want))
		c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	var got bytes.Buffer
	if _, err := io.Copy(&got, s); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "the copy", got.Bytes(), want)
}

// sealed is a carrier around another one's, whose segments it changes.
type sealed struct{ *udpcarrier.Carrier }

func (s sealed) Caps() carrier.Caps {
	c := s.Carrier.Caps()
	c.Gather, c.Trains = false, false
	return c
}

func (s sealed) WriteBatch(ds []carrier.Datagram) (int, error) {
	for i := range ds {
		for b := range ds[i].Segments {
			d := ds[i]
			d.Data, d.SegmentSize = bytes.Clone(b), 0
			invert(d.Data)
			s.Carrier.WriteBatch([]carrier.Datagram{d})
		}
	}
	return len(ds), nil
}

func (s sealed) ReadBatch() (*carrier.Batch, error) {
	b, err := s.Carrier.ReadBatch()
	if err == nil {
		for _, d := range b.Datagrams {
			invert(d.Data)
		}
	}
	return b, err
}

func invert(b []byte) {
	for i := range b {
		b[i] ^= 0xFF
	}
}

// A carrier that embeds one which places data, and reads in a way of its own, is read in that way,
// also by who leads.
func TestEmbeddedPlacer(t *testing.T) {
	open := func() *transport.Endpoint {
		c, err := udpcarrier.Listen("udp", netip.MustParseAddrPort("127.0.0.1:0"), udpcarrier.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := transport.NewEndpoint(sealed{c}, quick())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		return e
	}
	a, b := open(), open()
	l, err := b.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if s, err := l.Accept(); err == nil {
			io.Copy(s, s)
		}
	}()
	c, err := a.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, 20000)
	for i := range 50 {
		want := content(i, len(got))
		if _, err := c.Write(want); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		sameBytes(t, "the echo", got, want)
	}
}
