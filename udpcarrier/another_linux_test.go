package udpcarrier

import (
	"net"
	"net/netip"
	"testing"
)

// TestAnother: what many peers send is spread over the sockets of one address, of every kind, and
// nobody else can take the port.
func TestAnother(t *testing.T) {
	for _, c := range []struct{ network, local, to string }{
		{"udp4", "127.0.0.1:0", "127.0.0.1"},
		{"udp4", "0.0.0.0:0", "127.0.0.1"},
		{"udp6", "[::]:0", "::1"},
		{"udp", "[::]:0", "127.0.0.1"},
	} {
		first, err := Listen(c.network, netip.MustParseAddrPort(c.local), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		second, err := first.Another()
		if err != nil {
			t.Fatalf("%s %s: %v", c.network, c.local, err)
		}
		defer second.Close()
		if second.LocalAddr() != first.LocalAddr() {
			t.Errorf("%s %s: they are at %v and %v", c.network, c.local, first.LocalAddr(), second.LocalAddr())
		}
		if third, err := Listen(c.network, first.LocalAddr(), Options{}); err == nil {
			third.Close()
			t.Errorf("%s %s: a stranger got the port", c.network, c.local)
		}
		from := make(chan *Carrier)
		done := make(chan struct{})
		for _, car := range []*Carrier{first, second} {
			go func() {
				for {
					b, err := car.ReadBatch()
					if err != nil {
						return
					}
					n := len(b.Datagrams)
					b.Release()
					for range n {
						select {
						case from <- car:
						case <-done:
							return
						}
					}
				}
			}()
		}
		to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.to), first.LocalAddr().Port()))
		// Which peer is where is a hash's choice: ask until both have had one, which 64 ask in vain
		// once in 2^63.
		had := make(map[*Carrier]int)
		for range 64 {
			u, err := net.DialUDP("udp", nil, to)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			had[<-from]++
			u.Close()
		}
		close(done)
		if len(had) != 2 {
			t.Errorf("%s %s: one socket of two got everything", c.network, c.local)
		}
	}
}

// TestAnotherNot: a socket with one peer has no others beside it.
func TestAnotherNot(t *testing.T) {
	c, err := Dial("udp", netip.AddrPort{}, netip.MustParseAddrPort("127.0.0.1:9"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if another, err := c.Another(); err == nil {
		another.Close()
		t.Error("a connected socket got another")
	}
}
