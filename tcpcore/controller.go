package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// Controller is congestion.Controller.
type Controller = congestion.Controller

// initialWindow is RFC 6928 section 2, in bytes.
func (e *Engine) initialWindow() int {
	n := e.cfg.InitialWindow
	return min(n*e.snd.mss, max(2*e.snd.mss, n*1460))
}

// startController makes the controller and tells it of the connection.
func (e *Engine) startController(s congestion.Start) {
	s.MSS, s.NoSACK, s.AfterIdle = e.snd.mss, !e.sack, e.cfg.AfterIdle
	// Two connections draw different lots.
	s.Seed = uint64(e.p.TimestampOffset)<<32 | uint64(e.p.LocalPort)<<16 | uint64(e.remote)
	if e.ctl = e.cfg.Congestion(); e.ctl == nil {
		e.ctl = congestion.NewReno() // a factory may fail when nobody can be told
	}
	e.ctl.Start(s)
}

// SetController changes Config.Congestion. On a connection that is established the new
// controller takes over window and slow start threshold from the old one. What the old
// one gave away for a loss that turns out to be none is not given back.
func (e *Engine) SetController(now Time, make func() Controller) {
	e.own().Congestion = make
	if e.ctl == nil {
		return
	}
	old := e.ctl
	s := congestion.Start{Now: time.Duration(now), Window: e.initialWindow(), RTT: e.rtt.srtt,
		Carried: max(old.Window(), e.snd.mss)}
	switch th := old.Threshold(); {
	case th != congestion.Infinite:
		s.Threshold = max(th, e.snd.mss)
	case !old.Reduces() && e.rate.delivered > int64(2*s.Carried):
		// It knows no threshold but the path; what it found is no place to double from.
		s.Threshold = s.Carried
	}
	e.startController(s)
	e.rec.undo.possible = false
	e.rec.prr.threshold = min(e.ctl.Threshold(), max(s.Carried, e.rec.prr.window))
	e.pace = pacer{}
	e.timer.stop(tPace)
}

// SetCongestion is SetController with a controller of congestion.Names. It returns an
// error if there is none of that name.
func (e *Engine) SetCongestion(now Time, name string) error {
	make, err := congestion.Maker(name)
	if err == nil {
		e.SetController(now, make)
	}
	return err
}
