package congestion

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNew checks the registry: each known name gives a new controller of that name, an
// unknown one an error that helps.
func TestNew(t *testing.T) {
	if got := strings.Join(Names(), " "); got != "bbr cubic reno" {
		t.Errorf("names are %q", got)
	}
	for _, name := range Names() {
		a, err := New(name)
		if err != nil || a.Name() != name {
			t.Errorf("New(%q) = %v, %v", name, a, err)
		}
		if b, _ := New(name); a == b {
			t.Errorf("two connections share one %s", name)
		}
	}
	_, err := New("vegas")
	if err == nil || !strings.Contains(err.Error(), `"vegas"`) || !strings.Contains(err.Error(), `"cubic"`) {
		t.Errorf("error for an unknown name: %v", err)
	}
}

// TestReplay checks that a controller is a function of its calls: the same path and seed
// give the same run, to the byte and the nanosecond.
func TestReplay(t *testing.T) {
	for _, name := range Names() {
		run := func() string {
			c, _ := New(name)
			p := newPath(20e6, 30*time.Millisecond, 3)
			p.loss = 0.003
			f := p.start(c, 30*time.Millisecond, 0)
			var log strings.Builder
			f.onAck = func(a *Ack) { fmt.Fprintln(&log, a.Now, c.Window(), c.PacingRate()) }
			p.run(8*time.Second, nil)
			return log.String()
		}
		if a, b := run(), run(); a != b || len(a) == 0 {
			t.Errorf("%s: two runs differ", name)
		}
	}
}

// TestSwitch checks that a controller may take over a connection that has been running: its
// counters do not begin at zero then.
func TestSwitch(t *testing.T) {
	for _, name := range Names() {
		p := newPath(20e6, 40*time.Millisecond, 1)
		f := p.start(NewReno(), 40*time.Millisecond, 0)
		p.run(5*time.Second, nil)
		c, _ := New(name)
		c.Start(Start{Now: p.now, MSS: testMSS, Window: f.c.Window(), RTT: f.srtt})
		f.c = c
		before := f.delivered
		p.run(12*time.Second, nil)
		if got := mbit(f.goodput(5*time.Second, before)); got < 17 {
			t.Errorf("%s: %.1f of 20 Mbit/s after it took over", name, got)
		}
	}
}

// TestNoAllocation checks that no call of the hot path allocates.
func TestNoAllocation(t *testing.T) {
	for _, name := range Names() {
		c, calls := busy(name)
		i := 0
		if n := testing.AllocsPerRun(20000, func() { calls(c, i); i++ }); n != 0 {
			t.Errorf("%s allocates %.2f times per acknowledgment", name, n)
		}
	}
}

// busy is a controller and the calls of a busy connection: a segment sent, one acknowledged,
// now and then a loss.
func busy(name string) (Controller, func(Controller, int)) {
	c, _ := New(name)
	c.Start(Start{MSS: testMSS, Window: 10 * testMSS, RTT: 20 * time.Millisecond})
	now, delivered, lost := time.Duration(0), int64(0), int64(0)
	a := new(Ack)
	l := new(Lost)
	return c, func(c Controller, i int) {
		now += 120 * time.Microsecond
		w := c.Window()
		c.OnSend(Send{Now: now, InFlight: w - testMSS})
		delivered += testMSS
		if i%5000 == 4999 {
			lost += testMSS
			*l = Lost{Now: now, Size: testMSS, TxInFlight: w, Lost: testMSS, Delivered: delivered - int64(w), InFlight: w, TotalLost: lost}
			c.OnLost(l)
			c.OnLoss(Loss{Now: now, InFlight: w, Pipe: w, Lost: testMSS})
		}
		*a = Ack{
			Now: now, Acked: testMSS, Prior: w, InFlight: w - testMSS, RTT: 20 * time.Millisecond, SRTT: 20 * time.Millisecond,
			MinRTT: 20 * time.Millisecond, CwndLimited: true, Delivered: delivered, TotalLost: lost,
			Sample: RateSample{Rate: 12_500_000, Delivered: int64(w), PriorDelivered: max(delivered-int64(w), 0), Interval: 20 * time.Millisecond, TxInFlight: w},
		}
		c.OnAck(a)
		if i%5000 == 400 {
			c.OnRecovered(now)
		}
	}
}

// BenchmarkOnAck is the work of one acknowledgment.
func BenchmarkOnAck(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			c, calls := busy(name)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				calls(c, i)
			}
		})
	}
}
