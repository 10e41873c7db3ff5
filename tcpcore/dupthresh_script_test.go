package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestNoRACK finds losses by count.
func TestNoRACK(t *testing.T) {
	s := newScript(t, "three segments above a hole make it lost, two do not, whatever time passes", Config{NoRACK: true, InitialWindow: 12}, Params{})
	s.active(optSACKOK())
	s.write(12 * 1460)
	s.drain()
	s.recv(ACK, 1, 1, optSACK(at(2), at(4)))
	s.wantQuiet(199 * ms) // no probe, no reordering timer
	s.recv(ACK, 1, 1, optSACK(at(2), at(4), at(7), at(8)))
	s.want(ACK, 1, 1, 1460)
	s.recv(ACK, 1, 1, optSACK(at(2), at(4), at(7), at(8))) // two segments are above the others
	s.recv(ACK, 1, 1, optSACK(at(2), at(4), at(7), at(10)))
	s.want(ACK, at(1), 1, 1460)
	s.want(ACK, at(4), 1, 1460)
	s.advance(time.Second)
	i := s.e.Info()
	s.check(i.Timeouts > 0 && i.TailLossProbes == 0, "%+v", i)
	s.drain()
	s.recv(ACK, 1, at(12))
	s.wantQuiet(time.Hour)
}

// TestNoRACKHostile has the queue of transmissions stay empty, and each hole judged once.
func TestNoRACKHostile(t *testing.T) {
	s := newScript(t, "whatever is reported, what was judged is not judged again", Config{NoRACK: true, InitialWindow: 1000, SendBuffer: 4 << 20}, Params{})
	s.active(optSACKOK(), optScale(10))
	s.recv(ACK, 1, 1)
	s.write(1000 * 1460)
	s.drain()
	for i := 1; i < 1000; i += 2 {
		s.recv(ACK, 1, 1, optSACK(at(i), at(i+1)))
	}
	s.check(s.e.rack.queue.n == 0, "%d transmissions wait", s.e.rack.queue.n)
	i := s.e.Info()
	s.check(i.SackedSegments == 500 && i.LostSegments >= 490, "%d, %d", i.SackedSegments, i.LostSegments)
}

// TestNoRACKProbe is RFC 4821 section 7.6.2: a lost probe "SHOULD NOT be interpreted as
// congestion signal", however its loss is found, and the same size fails but a few times.
func TestNoRACKProbe(t *testing.T) {
	cfg, ctl := counted(10)
	cfg.NoRACK = true
	s := narrowPath(t, "a probe that is lost by count is sent again in pieces, and nothing is made of it", cfg)
	s.write(60_000)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(1461, 1461+3*1200))
	s.want(ACK, 1, 1, 1200)
	s.want(ACK, 1201, 1, 260)
	s.drain()
	in := s.e.Info()
	s.check(len(ctl.losses) == 0 && in.FastRecoveries == 0 && in.MTUProbesLost == 1 && in.SendMSS == 1200,
		"%d reactions, %d recoveries, MSS %d", len(ctl.losses), in.FastRecoveries, in.SendMSS)
	s.advance(scriptRTT)
	s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	s.write(10_000)
	s.drain()
	s.check(s.e.Info().MTUProbes == 1, "another probe at once")
}

// TestNoRACKWrap: what was judged begins with the stream, and not at sequence number 0.
func TestNoRACKWrap(t *testing.T) {
	const clock = 250_000 // of RFC 9293 section 3.4.1 after a second
	s := newScript(t, "a loss below sequence number 0 is found as any other", Config{NoRACK: true}, Params{ISN: 1<<32 - clock - 1 - 2*1460})
	s.active(optSACKOK())
	s.write(6 * 1460)
	s.drain()
	s.check(uint32(s.iss) == 1<<32-1-2*1460, "ISS %d", s.iss)
	s.recv(ACK, 1, 1, optSACK(at(1), at(4)))
	s.want(ACK, 1, 1, 1460)
}

// TestNoRACKHighest compares the highest records that were selectively acknowledged with
// what the queue says, whatever a peer reports and whenever a timer fires.
func TestNoRACKHighest(t *testing.T) {
	seen := 0
	for _, fl := range floods {
		f := newFlood(t, 40, true)
		blocks := make([]segment.SACKBlock, segment.MaxSACK)
		for ; f.step < 3000; f.step++ {
			fl.ack(f, blocks)
			if f.step%100 == 99 {
				f.now += Time(time.Second)
				f.e.Advance(f.now)
				f.drain()
			}
			k, q := 0, &f.e.sent
			for i := q.len() - 1; i >= 0 && k < dupThresh; i-- {
				if r := q.at(i); r.state == sacked {
					if f.e.rack.highest[k].right != r.end() {
						t.Fatalf("%s, step %d: number %d of the highest is %v, not %v", fl.name, f.step, k, f.e.rack.highest[k], r.end())
					}
					k++
					seen++
				}
			}
			for ; k < dupThresh; k++ {
				if h := f.e.rack.highest[k]; h.left != h.right && f.e.snd.una.Less(h.right) {
					t.Fatalf("%s, step %d: number %d of the highest is %v, and there is none", fl.name, f.step, k, h)
				}
			}
		}
		if f.ack(f.e.snd.nxt); f.e.rack.highest != [dupThresh]held{} {
			t.Errorf("%s: %v is left when all is acknowledged", fl.name, f.e.rack.highest)
		}
	}
	if seen < 10_000 {
		t.Errorf("only %d were compared", seen)
	}
}
