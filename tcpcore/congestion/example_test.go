package congestion_test

import (
	"fmt"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// Scalable is a whole congestion control: it grows by a hundredth of what is
// acknowledged, and a loss takes an eighth (Scalable TCP). All else is Base's.
type Scalable struct {
	congestion.Base
}

func (*Scalable) Name() string { return "scalable" }

func (s *Scalable) OnAck(a *congestion.Ack) {
	switch {
	case a.InRecovery || !a.CwndLimited:
	case s.Cwnd < s.Ssthresh:
		s.Cwnd += a.Acked
	default:
		s.Cwnd += a.Acked / 100
	}
}

func (s *Scalable) OnLoss(l congestion.Loss) {
	s.Ssthresh = max(s.Cwnd*7/8, 2*s.MSS)
	s.Cwnd = s.Ssthresh
	if l.Cause == congestion.Timeout {
		s.Cwnd = s.MSS
	}
}

// A controller of one's own is what embeds Base and says when to grow and what to do about
// a loss. Here it is called as an engine would; a connection gets it by its factory.
func Example() {
	factory := func() congestion.Controller { return new(Scalable) }

	c := factory()
	c.Start(congestion.Start{MSS: 1000, Window: 10_000})
	c.OnAck(&congestion.Ack{Acked: 10_000, CwndLimited: true})
	fmt.Println("slow start:", c.Window(), "reduces:", c.Reduces())
	c.OnLoss(congestion.Loss{Cause: congestion.FastRetransmit, InFlight: 20_000})
	c.OnRecovered(time.Second)
	fmt.Println("after a loss:", c.Window(), "reduces:", c.Reduces())
	c.OnAck(&congestion.Ack{Acked: 17_000, CwndLimited: true})
	fmt.Println("a window later:", c.Window())
	// Output:
	// slow start: 20000 reduces: false
	// after a loss: 17500 reduces: true
	// a window later: 17670
}
