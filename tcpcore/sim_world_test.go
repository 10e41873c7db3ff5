package tcpcore

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// newSim makes the world of a seed.
func newSim(seed uint64) *sim {
	s := &sim{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x9293))}
	switch r := s.rng.IntN(10); {
	case r < 6:
		s.strict = true
	case r < 7:
		s.chaos = true
	}
	for i := range s.hosts {
		s.hosts[i] = &simHost{s: s, name: byte('A' + i)}
		s.links[i] = &simLink{s: s}
	}
	mms := s.between(100, 1500)
	switch {
	case s.chance(0.3):
		mms = 1480
	case s.chance(0.1):
		mms = s.between(4000, 65507)
	}
	s.makeLinks(mms)
	for i, h := range s.hosts {
		h.peer, h.link = s.hosts[1-i], s.links[i]
		h.link.from, h.link.to = h, h.peer
		s.makeHost(h, mms)
	}
	a, b := s.hosts[0], s.hosts[1]
	a.p.LocalPort, a.p.RemotePort = 49999, 80
	b.p.LocalPort, b.p.RemotePort = 80, 49999
	a.mode, b.mode = simActive, simPassive
	a.openAt = s.randTime(int64(time.Millisecond), int64(20*time.Millisecond))
	switch {
	case s.chance(0.15): // simultaneous open
		b.mode, a.openAt = simActive, 0
	case !s.strict && s.chance(0.05):
		b.mode = simNever
	case !s.strict && s.chance(0.05):
		b.openAt = s.randTime(0, int64(time.Second))
	}
	s.makeApps()
	s.makeActs()
	return s
}

func (s *sim) makeLinks(mms int) {
	delay := s.randTime(int64(50*time.Microsecond), int64(2*time.Millisecond))
	if s.chance(0.7) {
		delay = s.randTime(int64(time.Millisecond), int64(150*time.Millisecond))
	}
	for _, l := range s.links {
		l.delay, l.mtu, l.tellMTU = delay, mms, true
		if s.chance(0.2) {
			l.delay = s.randTime(int64(50*time.Microsecond), int64(100*time.Millisecond))
		}
		if s.chance(0.5) {
			l.jitter = s.upTo(l.delay)
		}
		if s.chance(0.5) {
			l.rate = int64(s.between(4_000, 2_000_000))
			l.queue = s.between(3*mms, 100*mms)
		}
		if s.chance(0.6) {
			l.loss = s.rng.Float64() * 0.15
		}
		if s.chance(0.3) {
			l.burst = s.rng.Float64() * 0.6
		}
		if s.chance(0.3) {
			l.dup = s.rng.Float64() * 0.1
		}
		if s.chance(0.4) {
			l.reorder = s.rng.Float64() * 0.3
		}
		if s.chance(0.3) {
			l.corrupt = s.rng.Float64() * 0.05
		}
		if s.chaos {
			l.flip = 0.005 + s.rng.Float64()*0.2
		}
		if s.chance(0.15) && mms > 200 {
			l.mtu = s.between(128, mms) // less than the hosts think
			l.tellMTU = s.strict || s.chance(0.5)
		}
	}
}

// makeHost draws a host's configuration.
func (s *sim) makeHost(h *simHost, mms int) {
	c := &h.cfg
	if s.chance(0.2) {
		c.MSS = s.between(MinMSS, 1460)
	}
	if s.chance(0.3) {
		c.InitialWindow = s.between(1, 20)
	}
	c.MaxSendBuffer, c.MaxReceiveBuffer = 1<<20, 1<<20 // for those that tune themselves
	if s.chance(0.6) {
		c.SendBuffer, c.ReceiveBuffer = s.between(1000, 100_000), s.between(1000, 300_000)
	}
	if s.chance(0.15) {
		c.ReceiveBuffer = s.between(1, 3000)
	}
	if s.chance(0.15) {
		c.SendBuffer = s.between(1, 3000)
	}
	if s.chance(0.4) {
		c.MinRTO = s.pick(time.Millisecond, 10*time.Millisecond, 50*time.Millisecond, time.Second)
	}
	if s.chance(0.2) {
		c.MaxRTO = s.pick(2*time.Second, 10*time.Second, 2*time.Minute)
	}
	if s.chance(0.2) {
		c.InitialRTO = s.pick(10*time.Millisecond, 500*time.Millisecond, 2*time.Second)
	}
	c.MSL = s.pick(10*time.Millisecond, time.Second, 30*time.Second, 2*time.Minute)
	if s.chance(0.4) {
		c.DelayedACK = s.pick(-1, time.Millisecond, 10*time.Millisecond, 200*time.Millisecond, 500*time.Millisecond)
	}
	c.NoDelay = s.chance(0.5)
	c.Cork = s.chance(0.1)
	if s.chance(0.1) {
		c.NotSentLowWater = s.between(1, 30_000)
	}
	if s.chance(0.1) {
		c.WindowClamp = s.between(1, 100_000)
		if s.chance(0.3) {
			c.WindowClamp = s.between(1, 2000)
		}
	}
	c.NoSACK, c.NoTimestamps, c.NoWindowScale = s.chance(0.25), s.chance(0.25), s.chance(0.25)
	if s.chance(0.2) {
		c.KeepAlive = true
		c.KeepAliveIdle = s.pick(time.Second, 10*time.Second, time.Minute)
		c.KeepAliveInterval = s.pick(time.Second, 5*time.Second)
	}
	// Drawn apart, so that older seeds keep their story otherwise.
	p := rand.New(rand.NewPCG(s.seed, uint64(c.SendBuffer)<<40^uint64(c.MSL)^uint64(c.MinRTO)))
	bit := func() bool { return p.IntN(4) == 0 }
	c.PushWrites, c.RoundWindow, c.ScaleFirst, c.NoRACK, c.NoFRTO, c.NoECN = bit(), bit(), bit(), bit(), bit(), !c.ECN && bit()
	c.QuickACKs, c.ACKRule, c.WindowScale, c.SYNLinear = p.IntN(3)*8, ACKRule(p.IntN(3)), max(p.IntN(32)-17, -1), p.IntN(2)*3
	c.WholeRetransmits = bit()
	if s.strict {
		// Outages must not end a connection here: what a user closed may wait as long as the other side stalls.
		c.OrphanTimeout, c.KeepAliveCount = 24*time.Hour, 60
		// And TIME-WAIT must outlast the other side's retransmissions of its FIN.
		c.MSL = s.pick(10*time.Minute, time.Hour)
		c.Retries2, c.SYNRetries = 40, 40
	} else {
		if s.chance(0.2) {
			c.UserTimeout = s.pick(time.Second, 30*time.Second, 10*time.Minute)
		}
		if s.chance(0.2) {
			c.OrphanTimeout = s.pick(time.Second, 10*time.Second)
		}
		if s.chance(0.2) {
			c.Retries1 = s.between(1, 3)
			c.Retries2 = s.between(3, 8)
			c.SYNRetries = s.between(1, 4)
		}
	}
	if c.InitialRTO > 0 && c.MaxRTO > 0 {
		c.InitialRTO = min(c.InitialRTO, c.MaxRTO)
	}
	if err := c.Check(); err != nil {
		panic(fmt.Sprintf("BUG: seed %d: %v", s.seed, err))
	}
	h.mms = mms
	h.p = Params{ISN: s.rng.Uint32(), TimestampOffset: s.rng.Uint32(), MMS: mms, IPv6: s.chance(0.5)}
	// By lots of its own, so that seeds mean what they did before.
	if lot := rand.New(rand.NewPCG(uint64(s.seed), uint64(h.name))); lot.IntN(2) == 0 {
		h.p.MaxMMS = mms // a path to be searched
		if lot.IntN(2) == 0 && mms > 200 {
			h.p.MMS = 100 + lot.IntN(mms-100)
		}
	}
	if s.chance(0.2) {
		h.p.ISN = -uint32(s.rng.IntN(100_000)) // wraps soon
	}
	if s.chance(0.2) {
		h.p.TimestampOffset = -uint32(s.rng.IntN(1000))
	}
	h.offset = s.randTime(0, int64(100*time.Second))
	h.late = s.upTo(Time(time.Millisecond))
	if s.chance(0.3) {
		h.process = s.upTo(Time(3 * time.Millisecond))
	}
	if s.chance(0.2) {
		h.gap = s.upTo(Time(2 * time.Millisecond))
	}
	h.mayRetire = s.chance(0.5)
	h.vanishAt = Never
	if !s.strict && s.chance(0.15) {
		h.vanishAt = s.randTime(0, int64(3*time.Second))
	}
	h.e = New(h.cfg)
	h.wire = simWire{h: h, sentScale: -1, gotScale: -1, limit: mms}
}

func (s *sim) makeApps() {
	for i, h := range s.hosts {
		a := &h.app
		*a = simApp{h: h, next: Never, actAt: Never}
		// Small enough that a seed is quick, large enough that windows fill.
		seg := min(h.mms, s.links[i].mtu, s.hosts[1-i].mms)
		if h.cfg.MSS > 0 {
			seg = min(seg, h.cfg.MSS)
		}
		small := min(seg, h.buffer(), s.hosts[1-i].buffer())
		for _, bound := range []int{h.cfg.SendBuffer, h.cfg.NotSentLowWater, s.hosts[1-i].cfg.WindowClamp} {
			if bound > 0 {
				small = min(small, bound)
			}
		}
		a.total = s.between(0, 60*small)
		if s.chance(0.1) {
			a.total = s.between(0, 200*small)
		}
		a.total = min(a.total, 1<<20) // the path may take little later
		a.chunk = s.between(1, 4*seg)
		if s.chance(0.3) {
			a.chunk = s.between(1, 64<<10)
		}
		if n := a.total / 60; a.chunk < n {
			a.chunk = n // not thousands of tiny writes
		}
		a.read = s.between(1+h.buffer()/50, max(h.buffer(), 2))
		if s.chance(0.3) {
			a.pause = s.upTo(Time(200 * time.Millisecond))
		}
		if s.chance(0.2) {
			a.stall = s.randTime(int64(time.Millisecond), int64(5*time.Second))
			if s.chance(0.15) {
				a.stall = Time(2 * time.Minute)
			}
			a.stallEvery = s.between(1, max(2, s.hosts[1-i].app.total+a.total))
		}
		if s.chance(0.1) {
			a.urgent = 0.2
		}
		a.patience = Time(12 * time.Hour)
		if !s.strict {
			a.patience = Time(time.Hour)
		}
	}
	a, b := &s.hosts[0].app, &s.hosts[1].app
	if s.strict {
		switch s.rng.IntN(5) {
		case 0:
			a.style = simServer
		case 1:
			b.style = simServer
		case 2:
			a.style, b.total = simCloser, 0
		}
		return
	}
	for _, h := range s.hosts {
		h.app.style = simStyle(s.rng.IntN(int(simStyles)))
		switch h.app.style {
		case simAborter, simDeaf, simRude:
			h.app.actAt = s.randTime(0, int64(2*time.Second))
		}
	}
	if a.style == simServer && b.style == simServer {
		a.style = simPolite // or both would wait for the other's end
	}
}

// makeActs schedules what happens beside the traffic.
func (s *sim) makeActs() {
	for _, h := range s.hosts {
		for range s.between(-4, 3) {
			a := simAct(s.rng.IntN(int(simActs)))
			s.heap.push(s.randTime(0, int64(3*time.Second)), simEvent{kind: evAct, arg: a, host: h})
		}
	}
}

// simCoverage counts what a run of seeds met, so that a simulation that stopped
// simulating something shows.
type simCoverage struct {
	Segments, Retransmits, Timeouts, FastRecoveries, OutOfOrder, Duplicates uint64
	Probes, KeepAlives, Challenges, PAWSDrops, SoftErrors, SACKs            uint64
	Resets, Retired                                                         uint64
}

func (c *simCoverage) engine(in Info) {
	c.Segments += in.SegmentsSent
	c.Retransmits += in.Retransmits
	c.Timeouts += in.Timeouts
	c.FastRecoveries += in.FastRecoveries
	c.OutOfOrder += in.OutOfOrderSegments
	c.Duplicates += in.DuplicateSegments
	c.Probes += in.ZeroWindowProbes
	c.KeepAlives += in.KeepAliveProbes
	c.Challenges += in.ChallengeACKs
	c.PAWSDrops += in.PAWSDrops
	c.SoftErrors += in.SoftErrors
}

func (c *simCoverage) add(d *simCoverage) {
	v, w := reflect.ValueOf(c).Elem(), reflect.ValueOf(d).Elem()
	for i := range v.NumField() {
		v.Field(i).SetUint(v.Field(i).Uint() + w.Field(i).Uint())
	}
}

// check fails if something was never met.
func (c *simCoverage) check(t *testing.T) {
	t.Helper()
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if v.Field(i).Uint() == 0 {
			t.Errorf("no seed met %s", v.Type().Field(i).Name)
		}
	}
}

func (h *simHost) summary() string {
	l := h.link
	return fmt.Sprintf("strict=%v chaos=%v mode=%d mms=%d cfg=%+v | link delay=%v jitter=%v rate=%d queue=%d loss=%.3f burst=%.2f dup=%.3f reorder=%.2f mtu=%d | style=%d total=%d chunk=%d read=%d pause=%v stall=%v/%d vanish=%v process=%v gap=%v",
		h.s.strict, h.s.chaos, h.mode, h.mms, h.cfg, time.Duration(l.delay), time.Duration(l.jitter), l.rate, l.queue, l.loss, l.burst, l.dup, l.reorder, l.mtu,
		h.app.style, h.app.total, h.app.chunk, h.app.read, time.Duration(h.app.pause), time.Duration(h.app.stall), h.app.stallEvery, time.Duration(h.vanishAt), time.Duration(h.process), time.Duration(h.gap))
}
