package congestion

import (
	"testing"
	"time"
)

// idleStart returns Reno and CUBIC with a window of 80 segments of 1000 bytes, an initial
// one of 10, and no threshold.
func idleStart(p AfterIdle) map[string]Controller {
	all := map[string]Controller{"reno": NewReno(), "cubic": NewCubic()}
	for _, c := range all {
		c.Start(Start{MSS: 1000, Window: 10_000, RTT: 10 * time.Millisecond, AfterIdle: p})
		switch c := c.(type) {
		case *Reno:
			c.Cwnd = 80_000
		case *Cubic:
			c.Cwnd = 80_000
		}
	}
	return all
}

// TestAfterIdle lets time pass without sending: RFC 5681 section 4.1, RFC 2861 section 3 and
// RFC 7661 section 4.4.
func TestAfterIdle(t *testing.T) {
	const rto = 200 * time.Millisecond
	for _, c := range []struct {
		name         string
		policy       AfterIdle
		idle         time.Duration
		cwnd, thresh int
	}{
		{"RFC 5681: the restart window", RestartAfterIdle, rto, 10_000, 60_000},
		{"RFC 2861: half", DecayAfterIdle, rto, 40_000, 60_000},
		{"RFC 2861: half of half", DecayAfterIdle, 2*rto + 1, 20_000, 60_000},
		{"RFC 2861: no less than the initial window", DecayAfterIdle, time.Hour, 10_000, 60_000},
		{"RFC 7661: kept", KeepAfterIdle, 4 * time.Minute, 80_000, Infinite},
		{"RFC 7661: for five minutes", KeepAfterIdle, 5 * time.Minute, 40_000, 60_000},
	} {
		for name, ctl := range idleStart(c.policy) {
			switch ctl := ctl.(type) {
			case *Reno:
				ctl.Ssthresh = min(c.thresh, 20_000)
			case *Cubic:
				ctl.Ssthresh = min(c.thresh, 20_000)
			}
			want := c.thresh
			if want == Infinite {
				want = 20_000
			}
			ctl.OnSend(Send{Now: time.Hour, Idle: true, IdleFor: c.idle, RTO: rto})
			if ctl.Window() != c.cwnd || ctl.Threshold() != want {
				t.Errorf("%s, %s: window %d, threshold %d, want %d, %d", c.name, name, ctl.Window(), ctl.Threshold(), c.cwnd, want)
			}
		}
	}
}

// TestUnusedWindow has an application that sends a little at a time, one eighth of its
// window a round trip: RFC 7661 section 4.3 (it must not grow), RFC 2861 section 3 (half of
// what is not used goes each RTO), RFC 7661 section 4.4.3 (half after five minutes).
func TestUnusedWindow(t *testing.T) {
	const rto, rtt = 200 * time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		policy AfterIdle
		want   map[time.Duration]int
	}{
		{RestartAfterIdle, map[time.Duration]int{0: 80_000, time.Second: 80_000, 6 * time.Minute: 80_000}},
		{DecayAfterIdle, map[time.Duration]int{0: 80_000, 200 * time.Millisecond: 45_000, 400 * time.Millisecond: 27_500}},
		{KeepAfterIdle, map[time.Duration]int{0: 80_000, 4 * time.Minute: 80_000, 5*time.Minute + rtt: 40_000, 9 * time.Minute: 40_000}},
	} {
		for name, ctl := range idleStart(c.policy) {
			delivered := int64(0)
			for now := time.Duration(0); now <= 10*time.Minute; now += rtt {
				ctl.OnSend(Send{Now: now, RTO: rto})
				delivered += 10_000
				ctl.OnAck(&Ack{Now: now, Acked: 10_000, Prior: 10_000, RTT: rtt, SRTT: rtt, MinRTT: rtt, Delivered: delivered})
				if want, ok := c.want[now]; ok && ctl.Window() != want {
					t.Errorf("policy %d, %s: after %v the window is %d, want %d", c.policy, name, now, ctl.Window(), want)
				}
			}
			if w := ctl.Window(); c.policy == DecayAfterIdle && w > 30_000 {
				t.Errorf("%s: ends with a window of %d", name, w)
			}
		}
	}
	// One that fills half of it keeps it.
	for name, ctl := range idleStart(DecayAfterIdle) {
		delivered := int64(0)
		for now := time.Duration(0); now < time.Minute; now += rtt {
			ctl.OnSend(Send{Now: now, RTO: rto})
			delivered += 40_000
			ctl.OnAck(&Ack{Now: now, Acked: 40_000, Prior: 40_000, RTT: rtt, SRTT: rtt, MinRTT: rtt, Delivered: delivered})
		}
		if ctl.Window() != 80_000 {
			t.Errorf("%s: half used, the window is %d", name, ctl.Window())
		}
	}
}

// TestLossUnused: a loss in the non-validated phase reduces what was used, not what was kept
// (RFC 7661 section 4.4.1).
func TestLossUnused(t *testing.T) {
	for name, ctl := range idleStart(KeepAfterIdle) {
		ctl.OnSend(Send{Now: time.Second, Idle: true, IdleFor: time.Minute, RTO: time.Second})
		ctl.OnAck(&Ack{Now: 2 * time.Second, Acked: 20_000, Prior: 20_000, Delivered: 20_000})
		ctl.OnLoss(Loss{Now: 2 * time.Second, InFlight: 18_000, Pipe: 18_000, Lost: 1000})
		if w := ctl.Window(); w > 14_000 {
			t.Errorf("%s: the window after a loss is %d, 20,000 were in use", name, w)
		}
	}
}
