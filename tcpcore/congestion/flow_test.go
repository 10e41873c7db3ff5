package congestion

import (
	"slices"
	"testing"
	"time"
)

const testMSS = 1500

// packet is one transmission of a segment. The fields of the rate sampler are named as in
// draft-ietf-ccwg-bbr.
type packet struct {
	id, seq       int
	sentAt        time.Duration
	acked, lost   bool
	again         bool
	delivered     int64
	deliveredTime time.Duration
	firstSendTime time.Duration
	lostBefore    int64
	txInFlight    int
	appLimited    bool
	marked        bool
}

// flow is a sender with its controller, and the receiver that acknowledges each packet.
type flow struct {
	p   *path
	c   Controller
	rtt time.Duration // without queue

	appRate int64 // bytes per second; 0 is without limit
	written int64
	paused  bool

	nextID, nextSeq, una int
	out                  []*packet // sent, neither acknowledged nor given up, in order
	gone                 []*packet // given up in this episode
	again                []int     // segments to send again
	got                  map[int]bool

	inflight                   int
	delivered, lost            int64
	deliveredTime, firstSend   time.Duration
	appLimited                 int64
	limited                    bool
	nextSend, wake             time.Duration
	srtt, rttvar, min          time.Duration
	rtoAt                      time.Duration
	backoff                    int
	inRecovery, afterRTO       bool
	point                      int // recovery ends when una reaches it
	reacted                    int // ECN: marks of packets up to this id have been reacted to
	reorder                    func(id int) time.Duration
	batch                      map[time.Duration][]*packet
	losses, timeouts, spurious int
	onAck                      func(*Ack) // the test looks on, after the controller
	ackAt                      time.Duration
	lastSent                   time.Duration
	sumQueue                   time.Duration
	rttSamples                 int
}

// start begins a flow at the given time.
func (p *path) start(c Controller, rtt, at time.Duration) *flow {
	f := &flow{p: p, c: c, rtt: rtt, got: map[int]bool{}, batch: map[time.Duration][]*packet{}, reacted: -1}
	p.at(at, func() {
		f.c.Start(Start{Now: p.now, MSS: testMSS, Window: 10 * testMSS, RTT: rtt, Seed: p.draw.next()})
		f.srtt, f.rttvar, f.min = rtt, rtt/2, rtt
		f.send()
	})
	return f
}

// available is how much the application has to send.
func (f *flow) available() int64 {
	if f.paused {
		return 0
	}
	if f.appRate > 0 {
		return volume(f.appRate, f.p.now) - f.written
	}
	return testMSS
}

func (f *flow) wakeAt(t time.Duration) {
	if f.wake > f.p.now && f.wake <= t {
		return
	}
	f.wake = t
	f.p.at(t, func() {
		if f.wake == f.p.now {
			f.wake = 0
			f.send()
		}
	})
}

// send sends what it may.
func (f *flow) send() {
	for {
		if len(f.again) == 0 && f.available() < testMSS {
			f.limited = false
			if f.inflight < f.c.Window() {
				f.appLimited = max(f.delivered+int64(f.inflight), 1)
			}
			if f.appRate > 0 && !f.paused {
				f.wakeAt(f.p.now + time.Duration(mulDiv(testMSS-f.available(), 1e9, f.appRate)) + 1)
			}
			return
		}
		if f.inflight > 0 && f.inflight+testMSS > f.c.Window() {
			f.limited = true
			return
		}
		if rate := f.c.PacingRate(); rate > 0 {
			if f.nextSend > f.p.now {
				f.wakeAt(f.nextSend)
				return
			}
			f.nextSend = max(f.nextSend, f.p.now-time.Millisecond) + time.Duration(mulDiv(testMSS, 1e9, rate))
		}
		f.transmit()
	}
}

func (f *flow) transmit() {
	now := f.p.now
	k := &packet{id: f.nextID, seq: f.nextSeq, sentAt: now}
	if len(f.again) > 0 {
		k.seq, k.again = f.again[0], true
		f.again = f.again[1:]
		if f.got[k.seq] || k.seq < f.una {
			return // it came after all
		}
	} else {
		f.nextSeq++
		f.written += testMSS
	}
	f.nextID++
	f.c.OnSend(Send{
		Now: now, InFlight: f.inflight, Retransmit: k.again,
		Idle:           f.inflight == 0 && now-f.lastSent > f.rto(),
		IdleAppLimited: f.inflight == 0 && f.appLimited > 0,
	})
	f.lastSent = now
	if f.inflight == 0 {
		f.firstSend, f.deliveredTime = now, now
		f.rtoAt = now + f.rto()
		f.armRTO()
	}
	f.inflight += testMSS
	k.firstSendTime, k.deliveredTime, k.delivered = f.firstSend, f.deliveredTime, f.delivered
	k.appLimited, k.txInFlight, k.lostBefore = f.appLimited > 0, f.inflight, f.lost
	f.out = append(f.out, k)
	through, marked, ok := f.p.send(testMSS)
	if !ok {
		return
	}
	k.marked = marked
	at := through + f.rtt
	if f.reorder != nil {
		at += f.reorder(k.id)
	}
	if g := f.p.aggregate; g > 0 {
		at = (at + g - 1) / g * g
		if at < f.ackAt {
			at = f.ackAt
		}
		f.ackAt = at
		if f.batch[at] = append(f.batch[at], k); len(f.batch[at]) > 1 {
			return
		}
		f.p.at(at, func() {
			ks := f.batch[at]
			delete(f.batch, at)
			f.ack(ks)
		})
		return
	}
	f.p.at(at, func() { f.ack([]*packet{k}) })
}

func (f *flow) rto() time.Duration {
	return max(f.srtt+4*f.rttvar, 200*time.Millisecond) << f.backoff
}

// ack is one acknowledgment, of the given packets.
func (f *flow) ack(ks []*packet) {
	now := f.p.now
	a := Ack{Now: now, Prior: f.inflight}
	var newest *packet
	marked := false
	for _, k := range ks {
		fresh := !f.got[k.seq] && k.seq >= f.una
		if !k.lost {
			f.inflight -= testMSS
			if i := slices.Index(f.out, k); i == 0 {
				f.out = f.out[1:]
			} else {
				f.out = slices.Delete(f.out, i, i+1)
			}
		}
		k.acked = true
		marked = marked || k.marked && k.id > f.reacted
		if fresh {
			f.got[k.seq] = true
			f.delivered += testMSS
			f.deliveredTime = now
			if newest == nil || k.id > newest.id {
				newest = k
			}
		}
		a.RTT = now - k.sentAt
	}
	before := f.una
	for f.got[f.una] {
		delete(f.got, f.una)
		f.una++
	}
	a.Acked = (f.una - before) * testMSS
	f.measure(a.RTT)
	if f.appLimited > 0 && f.delivered > f.appLimited {
		f.appLimited = 0
	}
	if newest != nil {
		f.sample(&a.Sample, newest)
		if newest.seq >= f.una {
			a.Sacked = testMSS
		}
	}
	f.detect(now, ks[len(ks)-1].id, &a)
	f.afterwards(now, marked)
	if newest != nil {
		a.SRTT, a.MinRTT, a.InFlight = f.srtt, f.min, f.inflight
		a.InRecovery, a.AfterRTO, a.CwndLimited = f.inRecovery, f.afterRTO, f.limited || f.afterRTO
		a.Delivered, a.TotalLost = f.delivered, f.lost
		f.c.OnAck(&a)
		if f.onAck != nil {
			f.onAck(&a)
		}
		f.backoff = 0
		f.rtoAt = now + f.rto()
	}
	f.send()
}

// sample is GenerateRateSample.
func (f *flow) sample(s *RateSample, k *packet) {
	f.firstSend = k.sentAt
	s.Interval = max(k.sentAt-k.firstSendTime, f.deliveredTime-k.deliveredTime)
	s.Delivered, s.PriorDelivered = f.delivered-k.delivered, k.delivered
	s.AppLimited, s.TxInFlight, s.Lost = k.appLimited, k.txInFlight, f.lost-k.lostBefore
	if s.Interval >= f.min && s.Interval > 0 {
		s.Rate = rateOf(s.Delivered, s.Interval)
	}
}

func (f *flow) measure(rtt time.Duration) {
	f.min = min(f.min, rtt)
	f.rttvar = (3*f.rttvar + max(f.srtt-rtt, rtt-f.srtt)) / 4
	f.srtt = (7*f.srtt + rtt) / 8
	f.sumQueue += rtt - f.rtt
	f.rttSamples++
}

// detect gives up what was sent three packets before one that arrived.
func (f *flow) detect(now time.Duration, id int, a *Ack) {
	for len(f.out) > 0 && f.out[0].id+3 <= id {
		a.Lost += testMSS
		f.giveUp(now, f.out[0])
	}
	if a.Lost > 0 && !f.inRecovery && !f.afterRTO {
		f.inRecovery, f.point = true, f.nextSeq
		f.losses++
		f.c.OnLoss(Loss{Now: now, Cause: FastRetransmit, InFlight: (f.nextSeq - f.una) * testMSS, Pipe: f.inflight, Lost: a.Lost})
	}
}

func (f *flow) giveUp(now time.Duration, k *packet) {
	f.out = f.out[1:]
	k.lost = true
	f.gone = append(f.gone, k)
	f.again = append(f.again, k.seq)
	f.inflight -= testMSS
	f.lost += testMSS
	f.c.OnLost(&Lost{
		Now: now, Seq: uint32(k.seq * testMSS), Size: testMSS, TxInFlight: k.txInFlight, Lost: f.lost - k.lostBefore,
		Delivered: k.delivered, AppLimited: k.appLimited, InFlight: f.inflight, TotalLost: f.lost,
	})
}

// afterwards ends recoveries, takes back what was spurious and answers marks.
func (f *flow) afterwards(now time.Duration, marked bool) {
	if f.inRecovery || f.afterRTO {
		switch {
		case !slices.ContainsFunc(f.gone, func(k *packet) bool { return !k.acked }):
			f.inRecovery, f.afterRTO, f.gone = false, false, nil
			f.spurious++
			f.c.OnSpurious(now)
		case f.una >= f.point:
			f.inRecovery, f.afterRTO, f.gone = false, false, nil
			f.c.OnRecovered(now)
		}
	}
	if marked {
		f.reacted = f.nextID - 1
		f.c.OnLoss(Loss{Now: now, Cause: ECN, InFlight: (f.nextSeq - f.una) * testMSS, Pipe: f.inflight})
	}
}

func (f *flow) armRTO() {
	f.p.at(f.rtoAt, func() {
		switch {
		case len(f.out) == 0:
		case f.p.now < f.rtoAt:
			f.armRTO()
		default:
			f.timeout()
		}
	})
}

func (f *flow) timeout() {
	now := f.p.now
	f.timeouts++
	if !f.afterRTO {
		f.c.OnLoss(Loss{Now: now, Cause: Timeout, InFlight: (f.nextSeq - f.una) * testMSS, Pipe: f.inflight, Lost: f.inflight})
		f.gone = nil
	}
	f.inRecovery, f.afterRTO, f.point = false, true, f.nextSeq
	f.backoff++
	for len(f.out) > 0 {
		f.giveUp(now, f.out[0])
	}
	slices.Sort(f.again)
	f.send()
}

// goodput is the mean rate since, in bytes per second, of what was delivered.
func (f *flow) goodput(since time.Duration, before int64) int64 {
	return rateOf(f.delivered-before, f.p.now-since)
}

// jain is Jain's index of fairness.
func jain(x ...int64) float64 {
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	return sum * sum / (float64(len(x)) * squares)
}

// near fails unless got is within part of want.
func near(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if got < want*(1-part) || got > want*(1+part) {
		t.Errorf("%s is %.4g, want %.4g within %.2g %%", what, got, want, 100*part)
	}
}

func mbit(rate int64) float64 { return float64(rate) * 8 / 1e6 }
