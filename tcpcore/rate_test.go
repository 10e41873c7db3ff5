package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// sampled is a Config with a window that is never in the way, and its samples. Sections
// are those of draft-ietf-ccwg-bbr, "Delivery Rate Samples".
func sampled() (Config, *sampler) {
	c := &sampler{openWindow: openWindow{congestion.NewReno()}, window: 1 << 30}
	return Config{NoDelay: true, Congestion: func() congestion.Controller { return c }}, c
}

type sampler struct {
	openWindow
	window int
	acks   []congestion.Ack
}

func (c *sampler) Window() int             { return c.window }
func (c *sampler) OnAck(a *congestion.Ack) { c.acks = append(c.acks, *a) }

func (c *sampler) last() congestion.RateSample { return c.acks[len(c.acks)-1].Sample }

// wantRate checks the last sample's rate, in segments a second.
func (s *script) wantRate(c *sampler, segments int64) {
	s.t.Helper()
	got, want := c.last().Rate, segments*1460
	s.check(got > want-want/100 && got < want+want/100, "rate %d, want %d: %+v", got, want, c.last())
}

// TestRateOfSteadyPath is "ACK Rate": a segment a millisecond, both ways.
func TestRateOfSteadyPath(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "the sample is the rate of a steady path", cfg, Params{})
	s.active(optSACKOK())
	for i := range 40 {
		s.flight(1)
		s.advance(ms)
		if i >= 9 {
			s.recv(ACK, 1, at(i-8))
		}
	}
	s.wantRate(c, 1000)
	r := c.last()
	s.check(r.Interval == 10*ms && r.Delivered == 10*1460 && r.TxInFlight == 10*1460, "%+v", r)
	s.check(c.acks[len(c.acks)-1].Delivered == int64(31*1460), "delivered %d", c.acks[len(c.acks)-1].Delivered)
}

// TestRateOfCompressedACKs is "Compression and Aggregation": the send interval bounds it.
func TestRateOfCompressedACKs(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "acknowledgments that come all at once do not exaggerate", cfg, Params{})
	s.active(optSACKOK())
	for i := range 31 {
		s.flight(1)
		s.advance(ms)
		if i >= 9 && i <= 20 {
			s.recv(ACK, 1, at(i-8))
		}
	}
	// Ten were held back; one comes, then a round trip later all of two round trips.
	s.recv(ACK, 1, at(13))
	s.flight(1)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(32))
	s.check(c.last().Delivered == 19*1460, "%+v", c.last())
	s.check(c.last().Rate <= 1050*1460, "a rate of %d", c.last().Rate)
}

// TestRateOfBurst is "Send Rate": what is sent at once is measured by how it arrives.
func TestRateOfBurst(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "a burst is measured at the rate at which it is acknowledged", cfg, Params{})
	s.active(optSACKOK())
	s.flight(20)
	s.advance(scriptRTT)
	for i := range 20 {
		s.recv(ACK, 1, at(i+1))
		s.advance(ms)
	}
	// Twenty segments within the round trip and 19 ms.
	s.check(c.last().Interval == scriptRTT+19*ms && c.last().Delivered == 20*1460, "%+v", c.last())
}

// TestRateShortInterval is GenerateRateSample: no sample over less than the shortest round trip.
func TestRateShortInterval(t *testing.T) {
	cfg, _ := sampled()
	s := newScript(t, "an interval shorter than any round trip gives no sample", cfg, Params{})
	s.active(optSACKOK())
	for _, d := range []time.Duration{scriptRTT - ms, scriptRTT} {
		var a acked
		r := record{size: 1460, sentAt: s.now.Add(-d / 2), rate: sendSnapshot{deliveredTime: s.now.Add(-d), firstSendTime: s.now.Add(-d)}}
		s.e.rate.onDelivered(s.now, &r, &a)
		rs := s.e.sampleRate(&a)
		s.check(rs.Interval == d && (rs.Rate > 0) == (d >= scriptRTT), "%+v", rs)
	}
}

// TestRateAppLimited is "Tracking application-limited phases".
func TestRateAppLimited(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "what an application sends too slowly is marked, until the bubble has passed", cfg, Params{})
	c.window = 10 * 1460
	s.active(optSACKOK())
	s.flight(2) // the window has room: nothing to send
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(2))
	s.check(c.last().AppLimited, "the first flight is not application-limited")
	s.write(30 * 1460)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(4))
	s.check(c.last().AppLimited, "what was sent into the bubble is not")
	s.drain()
	for i := 5; i <= 12; i++ {
		s.recv(ACK, 1, at(i))
		s.drain()
	}
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(14))
	s.check(!c.last().AppLimited, "a full window is application-limited: %+v", c.last())
}

// TestRateNotAppLimited gives the cases in which something else is the limit.
func TestRateNotAppLimited(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "a full window is no application's limit", cfg, Params{})
	c.window = 4 * 1460
	s.active(optSACKOK())
	s.write(4 * 1460)
	s.drain()
	s.e.rate.appLimited = 0
	s.e.checkAppLimited()
	s.check(s.e.rate.appLimited == 0, "it is taken for one")

	s = newScript(t, "nor is what is lost and waits", cfg, Params{})
	c.window = 10 * 1460
	s.active(optSACKOK())
	s.flight(4)
	s.e.sent.mark(1, lost)
	s.e.rate.appLimited = 0
	s.e.checkAppLimited()
	s.check(s.e.rate.appLimited == 0, "it is taken for one")
}

// TestRateAfterIdle is OnPacketSent with nothing in flight.
func TestRateAfterIdle(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "idle time is not the path's", cfg, Params{})
	s.active(optSACKOK())
	s.flight(5)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(5))
	s.advance(time.Minute)
	s.flight(5)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(10))
	s.wantRate(c, 500)
}

// TestRateCountsOnce delivers by SACK first and cumulatively later.
func TestRateCountsOnce(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "what was selectively acknowledged is not delivered twice, and half a segment is half", cfg, Params{})
	s.active(optSACKOK())
	s.flight(4)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(3)))
	s.check(c.acks[0].Delivered == 2*1460 && c.acks[0].Sacked == 2*1460, "%+v", c.acks[0])
	s.recv(ACK, 1, at(3))
	s.recv(ACK, 1, at(3)+700)
	s.recv(ACK, 1, at(4))
	s.check(c.acks[len(c.acks)-1].Delivered == 4*1460, "delivered %d of %d", c.acks[len(c.acks)-1].Delivered, 4*1460)
}

// TestRateLost counts what is lost between the sending of a segment and its delivery.
func TestRateLost(t *testing.T) {
	cfg, c := sampled()
	s := newScript(t, "a sample tells what was lost meanwhile", cfg, Params{})
	s.active(optSACKOK())
	s.flight(6)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(2), at(6))) // two are lost
	s.drain()
	a := c.acks[len(c.acks)-1]
	s.check(a.Lost == 2*1460 && a.TotalLost == 2*1460 && a.Sample.Lost == 2*1460, "%+v", a)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(6)) // of what was sent since nothing is
	s.check(c.last().Lost == 0, "%+v", c.last())
}
