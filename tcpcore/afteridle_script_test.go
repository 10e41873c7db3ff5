package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// TestAfterIdle: Config.AfterIdle reaches the controller, with how long nothing was sent
// (RFC 5681 section 4.1, RFC 2861, RFC 7661).
func TestAfterIdle(t *testing.T) {
	for policy, want := range map[congestion.AfterIdle]int{
		congestion.RestartAfterIdle: 2 * 1460, congestion.DecayAfterIdle: 8 * 1460, congestion.KeepAfterIdle: 16 * 1460,
	} {
		s := newScript(t, "what was not used is validated", Config{AfterIdle: policy, InitialWindow: 2, NoDelay: true}, Params{})
		s.active()
		s.write(14 * 1460)
		una := 1
		for una < 14*1460 { // slow start doubles up to 16 segments
			for _, g := range s.drain() {
				una = max(una, relative(g.Seq, s.iss)+len(g.Payload))
				s.now += Time(time.Millisecond)
				s.recv(ACK, 1, una)
			}
		}
		before := s.e.Info()
		s.check(before.CongestionWindow == 16*1460, "the window is %d", before.CongestionWindow)
		s.advance(before.RTO + before.RTO/2)
		s.write(1)
		s.drain()
		in := s.e.Info()
		s.check(in.CongestionWindow == want, "policy %d: the window is %d", policy, in.CongestionWindow)
	}
}
