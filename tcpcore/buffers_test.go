package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// TestTunedPath: without any setting a path of 1 Gbit/s and 100 ms is filled as with buffers
// that are larger than it could need, and one of 1 Mbit/s does not get buffers it cannot use.
func TestTunedPath(t *testing.T) {
	play := func(spec pathSpec, fixed int) *pathFlow {
		spec.tuned = fixed == 0
		w := newPathWorld(t, spec, 1, congestion.NewCubic)
		if fixed > 0 {
			w.flows[0].snd.e.SetBuffers(fixed, fixed)
			w.flows[0].rcv.e.SetBuffers(fixed, fixed)
		}
		w.run()
		return w.flows[0]
	}
	long := pathSpec{name: "long", rate: 1000 * mbit, rtt: 100 * ms, queue: 12_500_000, time: 2500 * ms}
	tuned, fixed := play(long, 0), play(long, 64<<20)
	if tuned.got < fixed.got*97/100 {
		t.Errorf("carried %d bytes, and %d with buffers of 64 MiB", tuned.got, fixed.got)
	}
	// The last second is full.
	begun := play(pathSpec{name: "long", rate: 1000 * mbit, rtt: 100 * ms, queue: 12_500_000, time: 1500 * ms}, 0)
	if n := tuned.got - begun.got; n < 115_000_000 {
		t.Errorf("the last second carried %d bytes", n)
	}
	thin := play(pathSpec{name: "thin", rate: mbit, rtt: 100 * ms, queue: 12_500, time: 10 * time.Second}, 0)
	if n := thin.rcv.e.Info().ReceiveBuffer; n != tunedReceive {
		t.Errorf("1 Mbit/s has a receive buffer of %d bytes", n)
	}
	if n := thin.snd.e.Info().SendBuffer; n > 2*tunedSend {
		t.Errorf("1 Mbit/s has a send buffer of %d bytes", n)
	}
}

// TestRightSize drives the measurement alone.
func TestRightSize(t *testing.T) {
	const limit = 16 << 20
	at := func(d time.Duration) Time { return pathEpoch.Add(d) }
	var r rightSize
	r.consumed(at(0), 1<<20, limit, tunedReceive, 0)
	if r.size != 0 {
		t.Errorf("without a round trip time it grew to %d", r.size)
	}
	// RFC 7323 section 4: an echo that comes back after 20 ms of waiting, then after 9.
	r.echoed(at(0), 1020, 1000)
	r.echoed(at(0), 1050, 1041)
	r.echoed(at(0), 1900, 1041) // the same echo again tells nothing
	r.echoed(at(0), 1900, 1901) // nor does one from the future
	if r.rtt.min != 10*ms {
		t.Errorf("echoes make a round trip of %v", r.rtt.min)
	}
	// What was offered at 100 ms has arrived at 108.
	r.offered(at(100*ms), 5000)
	r.offered(at(105*ms), 6000)
	r.arrived(at(107*ms), 4999)
	r.arrived(at(108*ms), 5000)
	r.arrived(at(108*ms+1), 6000)
	if r.rtt.min != 8*ms {
		t.Errorf("the window makes a round trip of %v", r.rtt.min)
	}
	r.begun = at(200 * ms)
	r.read = 0
	r.consumed(at(204*ms), 100_000, limit, tunedReceive, 0)
	if r.size != 0 {
		t.Errorf("half a round made %d", r.size)
	}
	r.consumed(at(208*ms), 100_000, limit, tunedReceive, 0)
	if r.size != headroom*200_000 {
		t.Errorf("200,000 bytes in a round trip make %d", r.size)
	}
	r.consumed(at(408*ms), 1_000_000, limit, tunedReceive, 0) // 40,000 in a round trip
	if r.size != headroom*200_000 {
		t.Errorf("a slower reader changed it to %d", r.size)
	}
	r.consumed(at(416*ms), 100_000_000, limit, tunedReceive, 0)
	if r.size != limit {
		t.Errorf("%d is beyond the limit", r.size)
	}
}

// TestRightSizeShort: over a short round trip it is the rate that counts, not how much a
// reader takes at once.
func TestRightSizeShort(t *testing.T) {
	r := rightSize{begun: pathEpoch}
	r.rtt.sample(pathEpoch, 20*time.Microsecond)
	for i := range 100 { // 1 GB/s, taken twice in a row each millisecond
		at := pathEpoch.Add(time.Duration(i) * ms)
		r.consumed(at, 500_000, 32<<20, tunedReceive, 0)
		r.consumed(at.Add(100*time.Microsecond), 500_000, 32<<20, tunedReceive, 0)
	}
	if r.size > 2*headroom*100_000 {
		t.Errorf("it grew to %d", r.size)
	}
}

// TestNearPath: where the round trip is that of one machine, buffers stay in its caches.
func TestNearPath(t *testing.T) {
	for _, rtt := range []time.Duration{50 * time.Microsecond, ms} {
		var r rightSize
		r.rtt.sample(pathEpoch, rtt)
		for i := range 100 { // 5 GB/s
			r.consumed(pathEpoch.Add(time.Duration(i)*ms), 5_000_000, 32<<20, tunedReceive, 0)
		}
		s := newScript(t, "what is written ahead is bounded where the writer is soon back", Config{MaxSendBuffer: 16 << 20, InitialWindow: 1000}, Params{})
		s.connect()
		s.want(SYN, 0, 0)
		s.now += Time(rtt)
		s.peerWindow = 65535
		s.recv(SYN|ACK, 0, 1, optScale(8))
		s.recv(ACK, 1, 1)
		s.drain()
		in := s.e.Info()
		if near := rtt < ms; near != (r.size <= nearReceive) || near != (in.SendBuffer <= nearAhead) {
			t.Errorf("with a round trip of %v, %d are received and %d written ahead", rtt, r.size, in.SendBuffer)
		}
	}
}

// TestTunedReceive: what is not read does not ask for more room, however fast it arrives;
// what is read does, unless the size was set.
func TestTunedReceive(t *testing.T) {
	for _, set := range []bool{false, true} {
		s := newScript(t, "the receive buffer grows with what is read, not with what arrives", Config{MaxReceiveBuffer: 1 << 20, DelayedACK: -1}, Params{})
		s.active(optScale(7))
		if set {
			s.e.SetBuffers(0, 100_000)
		}
		pos := 1
		for range 5 {
			for range 12 {
				s.recv(ACK, pos, 1, 1460)
				s.drain()
				pos += 1460
			}
			s.now += Time(10 * ms)
			s.read(100)
		}
		want := tunedReceive
		if set {
			want = 100_000
		}
		s.check(s.e.Info().ReceiveBuffer == want, "a slow reader has a buffer of %d", s.e.Info().ReceiveBuffer)
		s.read(pos - 1 - s.readPos)
		for range 10 {
			for range 40 {
				s.recv(ACK, pos, 1, 1460)
				s.read(1460)
				s.drain()
				pos += 1460
			}
			s.now += Time(10 * ms)
		}
		if !set {
			want = 1 << 20
		}
		s.check(s.e.Info().ReceiveBuffer <= want && (set || s.e.Info().ReceiveBuffer > 200_000), "a fast one of %d", s.e.Info().ReceiveBuffer)
	}
}

// TestTunedLonger: a path that becomes much longer has the buffer that it wants within a minute
// or so, and a queue for a while does not count as that.
func TestTunedLonger(t *testing.T) {
	const rate, limit = 20_000_000, 32 << 20 // bytes per second
	var r rightSize
	now := pathEpoch
	// over reads what the path brings over d in round trips of rtt, as far as the buffer lets it.
	over := func(d, rtt time.Duration) {
		for end := now.Add(d); now < end; {
			size := max(r.size, tunedReceive)
			n := min(int(rate*rtt.Seconds()), size)
			now = now.Add(rtt)
			r.sample(now, rtt)
			r.consumed(now, n, limit, size, 0)
		}
	}
	over(10*time.Second, 4*ms)
	near := r.size
	over(25*time.Second, 100*ms) // a queue
	over(time.Second, 4*ms)
	over(25*time.Second, 100*ms)
	over(time.Second, 4*ms)
	if r.size != near {
		t.Errorf("with a queue now and then the buffer is %d, without %d", r.size, near)
	}
	over(70*time.Second, 100*ms)
	if want := int(rate * 0.1 * 2); r.size < want {
		t.Errorf("the buffer is %d, the path wants %d", r.size, want)
	}
}

// TestTunedSend: Write takes twice the congestion window, no less than it began with, and no
// more than the peer's window or MaxSendBuffer make sense of.
func TestTunedSend(t *testing.T) {
	s := newScript(t, "Write takes as much as two windows need", Config{MaxSendBuffer: 200_000, NoDelay: true, InitialWindow: 20}, Params{})
	s.active(optScale(4))
	s.check(s.writeSome(make([]byte, 1<<20)) == tunedSend, "takes %d", s.e.Info().SendQueue)
	una := 1
	for limit := tunedSend; una < 2_000_000; {
		nxt := una
		for _, g := range s.drain() {
			nxt = max(nxt, relative(g.Seq, s.iss)+len(g.Payload))
		}
		s.now += Time(50 * ms)
		s.e.Events()
		s.events = 0
		s.recv(ACK, 1, nxt)
		una = nxt
		s.wantEvent(EvWritable)
		in := s.e.Info()
		want := min(max(2*min(in.CongestionWindow, 16*65535), tunedSend), 200_000)
		s.check(in.SendBuffer == want && in.SendBuffer >= limit, "the buffer is %d, the window %d", in.SendBuffer, in.CongestionWindow)
		limit = in.SendBuffer
		s.writeSome(make([]byte, 1<<20))
		s.check(s.e.Info().SendQueue == limit, "holds %d of %d", s.e.Info().SendQueue, limit)
	}
	s.check(s.e.Info().SendBuffer == 200_000, "ends with %d", s.e.Info().SendBuffer)
	s.e.SetBuffers(5000, 0)
	s.check(s.e.Info().SendBuffer == 5000, "what was set is %d", s.e.Info().SendBuffer)

	s = newScript(t, "what was sent behind a hole does not hold the writer back", Config{MaxSendBuffer: 1 << 24, NoDelay: true, InitialWindow: 60}, Params{})
	s.active(optScale(4), optSACKOK())
	end := 1
	for round := range 4 { // of which the first segment is lost, and lost again
		s.writeSome(make([]byte, 1<<20))
		for _, g := range s.drain() {
			end = max(end, relative(g.Seq, s.iss)+len(g.Payload))
		}
		in := s.e.Info()
		s.check(in.SendBuffer >= end-1+2*min(in.CongestionWindow, 65535), "round %d: the buffer is %d with %d sent and a window of %d", round, in.SendBuffer, end-1, in.CongestionWindow)
		s.check(in.SendQueue > end-1, "round %d: nothing is left to be sent", round)
		s.now += Time(50 * ms)
		s.events = 0
		s.recv(ACK, 1, 1, optSACK(1461, end))
	}

	s = newScript(t, "a small offer of the peer bounds the send buffer", Config{MaxSendBuffer: 1 << 20, InitialWindow: 1000}, Params{})
	s.active()
	s.check(s.e.Info().SendBuffer == 2*65535, "the buffer is %d", s.e.Info().SendBuffer)
}
