package tcpcore

import (
	"fmt"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestTimestampsEverywhere looks at all kinds of segments.
//
// Shows: RFC7323-6.
func TestTimestampsEverywhere(t *testing.T) {
	s := newScript(t, "once negotiated, timestamps are on every segment but RST", Config{NoDelay: true, KeepAlive: true, KeepAliveIdle: time.Minute}, Params{})
	s.connect()
	s.want(SYN, 0, 0, optTSOn())
	s.recv(SYN|ACK, 0, 1, optMSS(1460), optTS(500, s.tsRecent))
	s.want(ACK, 1, 1, optTSOn(), optTSEcr(500))
	s.peerTS = true
	s.write(3000)
	s.want(ACK, 1, 1, 1448, optTSOn()) // 12 octets less
	s.want(ACK, 1449, 1, 1448, optTSOn())
	s.want(ACK, 2897, 1, 104, optTSOn())
	s.wait(time.Minute)
	for _, g := range s.drain() {
		s.check(g.Options.HasTimestamps, "a retransmission without timestamps")
	}
	s.recv(ACK, 1, 3001)
	s.recv(ACK, 1, 3001, "data")
	s.wantAfter(40*ms, ACK, 3001, 5, optTSOn())
	s.recv(ACK, 100, 3001, "beyond a hole")
	s.want(ACK, 3001, 5, optTSOn())
	s.wait(time.Hour)
	s.want(ACK, 3000, 5, optTSOn()) // keep-alive
	s.closeWrite()
	s.want(FIN|ACK, 3001, 5, optTSOn())
}

// TestTimestampsNotNegotiated leaves them out on one side.
//
// Shows: RFC7323-8.
func TestTimestampsNotNegotiated(t *testing.T) {
	s := newScript(t, "a segment with timestamps that were not negotiated is processed as if it had none", Config{}, Params{})
	s.active()
	s.recv(ACK, 1, 1, "hello", optTS(1<<31, 77))
	s.wantAfter(40*ms, ACK, 1, 6, optNoTS())
	s.recv(ACK, 6, 1, " world", optTS(5, 0))
	s.wantAfter(40*ms, ACK, 1, 12, optNoTS())
	s.read("hello world")
	s = newScript(t, "nor do timestamps that we do not want disturb", Config{NoTimestamps: true}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460), optTS(1, 0))
	s.want(SYN|ACK, 0, 1, optNoTS())
}

// TestTSEcrWithoutACK has a SYN that echoes nonsense.
//
// Shows: RFC7323-8.
func TestTSEcrWithoutACK(t *testing.T) {
	s := newScript(t, "the echo of a segment without ACK means nothing", Config{}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460), optTS(1000, 123456))
	s.want(SYN|ACK, 0, 1, optTSEcr(1000))
	s.check(s.e.Info().RTT == 0, "an RTT of %v was measured", s.e.Info().RTT)
}

// TestMissingTimestamps strips the option on the way.
//
// Shows: RFC7323-7.
func TestMissingTimestamps(t *testing.T) {
	s := newScript(t, "a segment that lacks the negotiated timestamps never ends the connection", Config{}, Params{})
	s.passive(optTSOn())
	s.recv(ACK, 1, 1, "hello", optNoTS())
	for _, g := range s.drain() {
		s.check(!g.Flags.Has(RST), "it is reset")
	}
	s.wantState(Established)
	s.recv(ACK, 1, 1, "hello")
	s.advance(time.Second)
	s.drain()
	s.read("hello")
	s.recv(ACK, 6, 1, "world")
	s.advance(time.Second)
	s.drain()
	s.read("world")
}

// TestEcho follows TS.Recent.
//
// Shows: RFC7323-9.
func TestEcho(t *testing.T) {
	s := newScript(t, "the echo is of the segment that moved the left edge, or filled the hole", Config{DelayedACK: 200 * ms}, Params{})
	s.passive(optTSOn())
	// Delayed ACK: of two segments the first is echoed (RFC 7323 section 4.3, case A).
	s.recv(ACK, 1, 1, 1000, optTS(100_001, 0))
	s.recv(ACK, 1001, 1, 1920, optTS(100_005, 0))
	s.advance(200 * ms)
	s.want(ACK, 1, 2921, optTSEcr(100_001))
	// A hole (case B): what lies beyond it is not echoed, what fills it is.
	s.recv(ACK, 3921, 1, 1000, optTS(100_010, 0))
	s.want(ACK, 1, 2921, optTSEcr(100_001))
	s.recv(ACK, 2921, 1, 1000, optTS(100_008, 0))
	s.want(ACK, 1, 4921, optTSEcr(100_008))
	// An old duplicate below the left edge does not count either (PAWS).
	s.recv(ACK, 2921, 1, 1000, optTS(100_002, 0))
	s.want(ACK, 1, 4921, optTSEcr(100_008))
}

// TestPAWS gets an old duplicate from the last time around the sequence space.
//
// Shows: RFC7323-12.
func TestPAWS(t *testing.T) {
	s := newScript(t, "a segment with an old timestamp is dropped and answered, whatever its number", Config{}, Params{})
	s.passive(optTSOn())
	s.recv(ACK, 1, 1, "hello", optTS(200_000, 0))
	s.want2ndACK(6)
	s.recv(ACK, 6, 1, "forged", optTS(199_999, 0)) // would be acceptable
	s.want(ACK, 1, 6, optTSEcr(200_000))
	s.recv(FIN|ACK, 6, 1, optTS(199_000, 0))
	s.want(ACK, 1, 6)
	s.wantState(Established)
	s.recv(ACK, 500_000, 1, "x", optTS(199_999, 0)) // before the acceptability check, the same
	s.want(ACK, 1, 6)
	s.read("hello")
	s.wantReadErr(ErrWouldBlock)
	s.check(s.e.Info().PAWSDrops >= 3, "%d drops counted", s.e.Info().PAWSDrops)
	// The clock may wrap: what is ahead by less than half of the space is new.
	s.recv(ACK, 6, 1, "new", optTS(200_000+1<<31-1, 0))
	s.want2ndACK(9)
	s.read("new")
}

// TestOvertaken has a retransmission overtake what was sent before it and went round: the
// unlikely case of RFC 7323 section 5.3.
//
// Shows: RFC7323-12.
func TestOvertaken(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := newScript(t, fmt.Sprintf("what a retransmission overtook is no old duplicate, unless the letter is wanted: %v", strict),
			Config{StrictTimestamps: strict}, Params{})
		s.passive(optTSOn())
		s.recv(ACK, 1, 1, "a", optTS(200_000, 0))
		s.want2ndACK(2)
		s.recv(ACK, 4, 1, "d", optTS(200_003, 0)) // without "b" and "c"
		s.want(ACK, 1, 2, optTSEcr(200_000))
		s.recv(ACK, 2, 1, "b", optTS(200_090, 0)) // sent again
		s.want(ACK, 1, 3, optTSEcr(200_090))
		s.recv(ACK, 3, 1, "?", optTS(199_999, 0)) // older than the hole
		s.want(ACK, 1, 3, optTSEcr(200_090))
		s.recv(ACK, 3, 1, "c", optTS(200_002, 0))
		if strict {
			s.want(ACK, 1, 3, optTSEcr(200_090))
			s.read("ab")
			s.check(s.e.Info().PAWSDrops == 2, "%d drops counted", s.e.Info().PAWSDrops)
			continue
		}
		s.want(ACK, 1, 5, optTSEcr(200_090))
		s.recv(ACK, 5, 1, "?", optTS(200_002, 0)) // there is no hole any more
		s.want(ACK, 1, 5, optTSEcr(200_090))
		s.read("abcd")
		s.check(s.e.Info().PAWSDrops == 2, "%d drops counted", s.e.Info().PAWSDrops)
	}
}

// TestOvertakenExpires has holes follow one another for gigabytes.
func TestOvertakenExpires(t *testing.T) {
	ts := tsState{recent: 100}
	nxt := segment.Seq(1<<32 - 1000) // and the numbers come round
	ts.holeOpens(nxt)
	ts.recent = 200
	for _, c := range []struct {
		progress int
		val      uint32
		want     bool
	}{
		{0, 99, false}, {0, 100, true}, {1<<29 - 1, 100, true}, {1 << 29, 100, false}, {1 << 29, 200, true},
	} {
		at := nxt.Add(c.progress)
		ts.holeMoves(at)
		if got := ts.wasOvertaken(at, c.val); got != c.want {
			t.Errorf("after %d bytes, timestamp %d: overtaken %v", c.progress, c.val, got)
		}
	}
	if ts.wasOvertaken(nxt.Add(1<<29+1<<30), 200) {
		t.Error("a floor is good for more than a quarter of the sequence space")
	}
}

// TestPAWSAndRST resets with an old timestamp.
//
// Shows: RFC7323-11.
func TestPAWSAndRST(t *testing.T) {
	s := newScript(t, "a RST passes PAWS and updates no timestamp", Config{}, Params{})
	s.passive(optTSOn())
	s.recv(ACK, 1, 1, "hello", optTS(200_000, 0))
	s.want2ndACK(6)
	s.recv(RST|ACK, 7, 1, optTS(300_000, 0)) // in the window, not exact: a challenge
	s.want(ACK, 1, 6, optTSEcr(200_000))
	s.recv(RST|ACK, 6, 1, optTS(100_000, 0))
	s.wantState(Closed)
	s.wantErr(ErrReset)
}

// TestPAWSExpires leaves a connection idle for weeks.
//
// Shows: RFC7323-12.
func TestPAWSExpires(t *testing.T) {
	s := newScript(t, "after 24 days a timestamp proves nothing any more", Config{}, Params{})
	s.passive(optTSOn())
	s.recv(ACK, 1, 1, "hello", optTS(200_000, 0))
	s.want2ndACK(6)
	s.advance(23 * 24 * time.Hour)
	s.recv(ACK, 6, 1, "early", optTS(100_000, 0))
	s.want(ACK, 1, 6)
	s.advance(2 * 24 * time.Hour)
	s.recv(ACK, 6, 1, "late", optTS(100_000, 0)) // the peer's clock was half around
	s.want2ndACK(10)
	s.read("hellolate")
	s.recv(ACK, 10, 1, "old", optTS(99_999, 0)) // and PAWS goes on from there
	s.want(ACK, 1, 10)
}

// TestTimestampClock watches the clock.
//
// Shows: RFC7323-10, RFC7323-13.
func TestTimestampClock(t *testing.T) {
	s := newScript(t, "the timestamp clock ticks with real time, between 1 ms and 1 s a tick, from the connection's own offset", Config{NoDelay: true}, Params{TimestampOffset: 0xfffffff0})
	s.active(optTSOn())
	first := s.tsRecent
	s.check(first-0xfffffff0 == 1010, "the clock is at %d", first) // the script's clock began at a second, and the handshake took ten milliseconds
	for i := range 20 {
		s.advance(10 * time.Second)
		s.write("x")
		s.want(ACK, 1+i, 1, "x")
		ticks := s.tsRecent - first
		s.check(ticks == uint32(10_000*(i+1)), "%d ticks after %d s", ticks, 10*(i+1))
		s.recv(ACK, 1, 2+i)
	}
}

// TestWindowScale negotiates it.
//
// Shows: RFC7323-1, RFC7323-3, MUST-1, REC-1.
func TestWindowScale(t *testing.T) {
	s := newScript(t, "the windows of SYNs are unscaled, all others scaled both ways", Config{ReceiveBuffer: 4 << 20, InitialWindow: 1000, SendBuffer: 1 << 20, NoDelay: true}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460), optScale(7), optWin(20))
	s.want(SYN|ACK, 0, 1, optWin(65535))
	s.check(s.e.Info().SendWindow == 20, "the window of the SYN is taken for %d", s.e.Info().SendWindow)
	s.recv(ACK, 1, 1, optWin(1000))
	in := s.e.Info()
	s.check(in.SendWindow == 1000<<7 && in.SendScale == 7 && in.WindowScale, "the window is taken for %d, shift %d", in.SendWindow, in.SendScale)
	s.check(0xffff<<in.ReceiveScale >= 4<<20, "our shift of %d does not express 4 MiB", in.ReceiveScale)
	s.write(200_000)
	sent := 0
	for _, g := range s.drain() {
		sent += len(g.Payload)
	}
	s.check(sent > 127_000-1460 && sent <= 1000<<7, "sent %d octets into a window of %d", sent, 1000<<7)
	s.recv(ACK, 1, 1+sent, 1000)
	s.advance(time.Second)
	g := s.wantRaw()
	s.check(int(g.Window)<<in.ReceiveScale > 65535, "offers %d", int(g.Window)<<in.ReceiveScale)
}

// TestNoWindowScale has one side without it.
//
// Shows: RFC7323-1, RFC7323-2.
func TestNoWindowScale(t *testing.T) {
	unscaled := func(s *script) {
		t.Helper()
		in := s.e.Info()
		s.check(!in.WindowScale && in.SendScale == 0 && in.ReceiveScale == 0, "scales by %d and %d", in.SendScale, in.ReceiveScale)
		s.recv(ACK, 1, 1, optWin(60_000))
		s.check(s.e.Info().SendWindow == 60_000, "a window of %d", s.e.Info().SendWindow)
	}
	s := newScript(t, "no scaling if the peer's SYN-ACK does not have the option", Config{}, Params{})
	s.active()
	unscaled(s)
	s = newScript(t, "no scaling if we do not offer it", Config{NoWindowScale: true}, Params{})
	s.active(optScale(7))
	unscaled(s)
	s = newScript(t, "the option means nothing on a segment that is no SYN", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, optSet(func(g *segment.Segment) { g.Options.HasWindowScale, g.Options.WindowScale = true, 9 }))
	unscaled(s)
	s = newScript(t, "nor there if another shift was negotiated", Config{}, Params{})
	s.passive(optScale(2))
	s.recv(ACK, 1, 1, "x", optSet(func(g *segment.Segment) { g.Options.HasWindowScale, g.Options.WindowScale = true, 9 }))
	s.check(s.e.Info().SendScale == 2, "the shift became %d", s.e.Info().SendScale)
}

// TestWindowScaleLimit offers too much.
//
// Shows: RFC7323-4.
func TestWindowScaleLimit(t *testing.T) {
	s := newScript(t, "a shift above 14 counts as 14", Config{}, Params{})
	s.passive(optScale(200))
	s.recv(ACK, 1, 1, optWin(3))
	s.check(s.e.Info().SendScale == 14 && s.e.Info().SendWindow == 3<<14, "shift %d, window %d", s.e.Info().SendScale, s.e.Info().SendWindow)
	s = newScript(t, "we never offer more than 14", Config{ReceiveBuffer: 1 << 30}, Params{})
	s.connect()
	s.want(SYN, 0, 0, optScale(14))
}

// TestSimultaneousScale crosses two SYNs with the option.
//
// Shows: RFC7323-3, MUST-10.
func TestSimultaneousScale(t *testing.T) {
	s := newScript(t, "in a simultaneous open too, a SYN-ACK's window is unscaled", Config{NoDelay: true, InitialWindow: 100}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.recv(SYN, 0, 0, optMSS(1460), optScale(8), optWin(3000))
	s.want(SYN|ACK, 0, 1)
	s.recv(SYN|ACK, 0, 1, optMSS(1460), optScale(8), optWin(3000))
	s.wantState(Established)
	s.check(s.e.Info().SendWindow <= 3000, "a window of %d", s.e.Info().SendWindow)
}

// TestScaleStays changes the buffer before the SYN is acknowledged.
//
// Shows: RFC7323-3.
func TestScaleStays(t *testing.T) {
	s := newScript(t, "the shift of the first SYN is that of its retransmission, whatever the buffer became", Config{ReceiveBuffer: 30_000}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460), optScale(3))
	first := s.wantRaw()
	s.e.SetBuffers(0, 8<<20)
	s.wait(time.Minute)
	again := s.wantRaw()
	s.check(first.Options.WindowScale == again.Options.WindowScale, "shift %d, then %d", first.Options.WindowScale, again.Options.WindowScale)
	s.recv(ACK, 1, 1)
	s.check(s.e.Info().ReceiveScale == first.Options.WindowScale, "uses %d, offered %d", s.e.Info().ReceiveScale, first.Options.WindowScale)
}

// TestSYNWindowStays changes the buffer before the SYN is acknowledged.
//
// Shows: SHLD-14.
func TestSYNWindowStays(t *testing.T) {
	for _, size := range []int{1000, 60_000} {
		s := newScript(t, "what the first SYN offered is honoured, whatever the buffer became", Config{ReceiveBuffer: 30_000}, Params{})
		s.listen()
		s.recv(SYN, 0, 0, optMSS(1460))
		s.want(SYN|ACK, 0, 1, optWin(30_000))
		s.e.SetBuffers(0, size)
		s.wantAfter(time.Second, SYN|ACK, 0, 1, optWin(30_000))
		s.recv(ACK, 1, 1)
		s.recv(ACK, 29_001, 1, 1000)
		s.want(ACK, 1, 1)
		s.check(s.e.Info().OutOfOrder == 1000, "the end of the window was not taken")
	}
}
