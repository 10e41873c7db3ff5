package tcpcore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// newPlainSim is a world without accidents: both hosts polite, 10 ms each way.
func newPlainSim(a, b Config, opening simOpening, writeA, writeB int) *sim {
	s := &sim{rng: rand.New(rand.NewPCG(1, 1)), strict: true}
	cfgs, writes := []Config{a, b}, []int{writeA, writeB}
	for i := range s.hosts {
		h := &simHost{s: s, name: byte('A' + i), cfg: cfgs[i], mms: 1480, vanishAt: Never, mode: opening}
		h.e = New(h.cfg)
		h.p = Params{LocalPort: uint16(1000 * (i + 1)), RemotePort: uint16(2000 - 1000*i), ISN: uint32(77 + i), MMS: 1480}
		h.wire = simWire{h: h, sentScale: -1, gotScale: -1, limit: 1480}
		h.app = simApp{h: h, next: Never, actAt: Never, patience: Time(12 * time.Hour), total: writes[i], chunk: 100_000, read: 100_000}
		s.hosts[i] = h
		s.links[i] = &simLink{s: s, delay: Time(10 * time.Millisecond), mtu: 1480, tellMTU: true}
	}
	for i, h := range s.hosts {
		h.peer, h.link = s.hosts[1-i], s.links[i]
		h.link.from, h.link.to = h, h.peer
	}
	if opening == simPassive {
		s.hosts[0].mode, s.hosts[0].openAt = simActive, Time(time.Millisecond)
	}
	return s
}

// TestEveryLoss loses each packet of a short conversation in turn, and each pair of
// packets: of the handshake, of the data, of the acknowledgments, of either close.
func TestEveryLoss(t *testing.T) {
	for _, c := range []struct {
		name           string
		opening        simOpening
		writeA, writeB int
		styleA, styleB simStyle
		a, b           Config
	}{
		{"request and response", simPassive, 300, 9000, simPolite, simServer, Config{}, Config{}},
		{"both ways at once, both close at once", simPassive, 7000, 7000, simPolite, simPolite, Config{}, Config{}},
		{"simultaneous open and close", simActive, 3000, 3000, simPolite, simPolite, Config{}, Config{}},
		{"no options", simPassive, 9000, 3000, simPolite, simServer,
			Config{NoSACK: true, NoTimestamps: true, NoWindowScale: true}, Config{}},
		{"nothing is said", simPassive, 0, 0, simPolite, simServer, Config{}, Config{}},
		{"tiny windows", simPassive, 4000, 0, simPolite, simServer, Config{}, Config{ReceiveBuffer: 1000}},
		{"the client closes at once", simPassive, 6000, 0, simCloser, simServer, Config{}, Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.a.MSL, c.b.MSL = time.Hour, time.Hour
			c.a.OrphanTimeout, c.b.OrphanTimeout = 24*time.Hour, 24*time.Hour
			play := func(what string, drop func(link, n int) bool) [2]int {
				t.Helper()
				for _, again := range []bool{false, true} {
					s := newPlainSim(c.a, c.b, c.opening, c.writeA, c.writeB)
					s.hosts[0].app.style, s.hosts[1].app.style = c.styleA, c.styleB
					for i, l := range s.links {
						l.drop = func(n int) bool { return drop(i, n) }
					}
					s.traceOn, s.printf = again, t.Logf
					err := s.run()
					if err == nil {
						return [2]int{s.links[0].n, s.links[1].n}
					}
					if again {
						t.Fatalf("%s is lost: %v", what, err)
					}
				}
				return [2]int{}
			}
			total := play("nothing", func(int, int) bool { return false })
			if total[0]+total[1] < 6 {
				t.Fatalf("only %v packets", total)
			}
			type packet struct{ link, n int }
			var all []packet
			for link, n := range total {
				for i := range n {
					all = append(all, packet{link, i})
				}
			}
			for i, x := range all {
				for _, y := range all[i:] {
					play(fmt.Sprintf("packet %d of %c and %d of %c", x.n, 'A'+x.link, y.n, 'A'+y.link), func(link, n int) bool {
						return x == packet{link, n} || y == packet{link, n}
					})
				}
			}
		})
	}
}
