package transport_test

import (
	"io"
	"testing"

	"example.com/culvert/transport"
)

// TestNoAllocations: in the steady state neither Read nor Write nor the segments between them cost
// memory, whatever the socket and however it sends.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		return // the detector has pools forget
	}
	for name, change := range map[string]func(*transport.Config){
		"trains":   func(*transport.Config) {},
		"Ethernet": func(c *transport.Config) { c.MSS = 1448 },
		"no trains": func(c *transport.Config) {
			c.MSS, c.NoGSO, c.NoGRO = 1448, true, true
		},
		"BBR": func(c *transport.Config) { c.CongestionControl = "bbr" },
	} {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
			for _, kind := range []string{"Dialer", "Endpoint"} {
				t.Run(name+"/"+address+"/"+kind, func(t *testing.T) {
					cfg := quick()
					change(cfg)
					noAllocations(t, cfg, address, kind == "Endpoint")
				})
			}
		}
	}
}

// noAllocations counts what a connection costs in small messages and in transfers of 64 KiB.
func noAllocations(t *testing.T, cfg *transport.Config, address string, shared bool) {
	lc := &transport.ListenConfig{Config: cfg}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := (&transport.Dialer{Config: cfg}).Dial
	if shared {
		e, err := lc.Endpoint(ctx, "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		d = e.Dial
	}
	a, err := d("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, size := range []int{64, 64 << 10} {
		p, q := content(3, size), make([]byte, size)
		round := func() {
			for range 2 {
				if _, err := a.Write(p); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(b, q); err != nil {
					t.Fatal(err)
				}
				a, b = b, a
			}
		}
		for range 50 { // buffers and windows grow at first
			round()
		}
		if n := testing.AllocsPerRun(300, round); n > 0 {
			t.Errorf("%v allocations for %d bytes there and back", n, size)
		}
	}
}
