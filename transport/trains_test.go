package transport

import (
	"log/slog"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"example.com/culvert/carrier"
	"example.com/culvert/udpcarrier"
)

// spoiler is a carrier below which something makes all segments of a train but the first
// unreadable, until it sends them one by one.
type spoiler struct {
	*memCarrier

	mu         sync.Mutex
	distrusted []netip.AddrPort
}

func (c *spoiler) WriteBatch(ds []carrier.Datagram) (int, error) {
	c.mu.Lock()
	apart := len(c.distrusted) > 0
	c.mu.Unlock()
	for i, d := range ds {
		if d.SegmentSize > 0 && !apart {
			d.Data = d.Data[:d.SegmentSize]
		}
		if _, err := c.memCarrier.WriteBatch([]carrier.Datagram{d}); err != nil {
			return i, err
		}
	}
	return len(ds), nil
}

func (c *spoiler) DistrustTrains(peer netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.distrusted = append(c.distrusted, peer)
}

// Trains that something spoils are noticed, and the stream goes on without them.
func TestSpoiledTrains(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:2222"), quick()))
		a := &spoiler{memCarrier: n.open("192.0.2.1:1111")}
		c := mustDial(t, mustEndpoint(t, a, quick()), "192.0.2.2:2222")
		roundTrip(t, c, make([]byte, 200_000))
		if len(a.distrusted) != 1 || a.distrusted[0] != netip.MustParseAddrPort("192.0.2.2:2222") {
			t.Fatalf("the carrier was told of %v", a.distrusted)
		}
		before := c.Info()
		if before.SpoiledTrains != 1 {
			t.Errorf("counted %d times", before.SpoiledTrains)
		}
		roundTrip(t, c, make([]byte, 200_000))
		if again := c.Info().Retransmits - before.Retransmits; again > 0 {
			t.Errorf("%d retransmissions without trains", again)
		}
		c.Close()
	})
}

// A report that quotes a segment in flight, and says what would have passed, is believed at once;
// one that quotes anything else is not.
//
// Shows: RFC5927-1.
func TestReportOfSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, a, _, ea, _ := twoEnds(t, quick(), quick())
		c := mustDial(t, ea, "192.0.2.2:2222")
		roundTrip(t, c, make([]byte, 10_000))
		refuse := func(forged byte) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.drop = func(from netip.AddrPort, d *carrier.Datagram) bool {
				if from.Port() != 1111 || len(d.Data) <= 900 {
					return false
				}
				quote := append([]byte(nil), d.Data[:8]...)
				quote[7] ^= forged
				a.push(carrier.Datagram{Peer: netip.MustParseAddrPort("192.0.2.2:2222"), Data: quote, SegmentSize: 900, Err: syscall.EMSGSIZE})
				return forged == 0
			}
		}
		refuse(1)
		roundTrip(t, c, make([]byte, 20_000))
		if in := c.Info(); in.TooBigReports > 0 || in.TooBigIgnored == 0 || in.SendMSS < 1000 {
			t.Errorf("forged reports: %d believed, %d not, MSS %d", in.TooBigReports, in.TooBigIgnored, in.SendMSS)
		}
		refuse(0)
		roundTrip(t, c, make([]byte, 20_000))
		if in := c.Info(); in.TooBigReports != 1 || in.PathMTU != 900 || in.Timeouts > 0 {
			t.Errorf("true reports: %d believed, PathMTU %d, %d timeouts", in.TooBigReports, in.PathMTU, in.Timeouts)
		}
		c.Close()
	})
}

// What Config says of offloads reaches the socket.
func TestConfigOffloads(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := mustSettings(t, &Config{NoGSO: true, NoGRO: true, Logger: log})
	if !s.udp.NoGSO || !s.udp.NoGRO || s.udp.Logger != log {
		t.Errorf("%+v", s.udp)
	}
	for _, c := range []struct {
		cfg  Config
		want bool
	}{{Config{NoGSO: true}, false}, {Config{}, trainsHere(t)}} {
		e, err := (&ListenConfig{Config: &c.cfg}).Endpoint(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		car, err := dialCarrier(nil, "udp", netip.AddrPort{}, netip.MustParseAddrPort(e.LocalAddr().String()), mustSettings(t, &c.cfg).udp)
		if err != nil {
			t.Fatal(err)
		}
		defer car.Close()
		if e.s.caps.Trains != c.want || car.Caps().Trains != c.want {
			t.Errorf("NoGSO %v: the sockets send trains: %v, %v", c.cfg.NoGSO, e.s.caps.Trains, car.Caps().Trains)
		}
	}
}

// trainsHere tells whether sockets of this system send trains.
func trainsHere(t *testing.T) bool {
	c, err := udpcarrier.Listen("udp", netip.MustParseAddrPort("127.0.0.1:0"), udpcarrier.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Caps().Trains
}
