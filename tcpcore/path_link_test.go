package tcpcore

import (
	"math"
	"math/rand/v2"
	"time"
)

// wireOverhead is what IPv4 and UDP add to a segment on the wire.
const wireOverhead = 28

// A pathPacket is a datagram on its way.
type pathPacket struct {
	buf    []byte // of the world's pool
	flow   *pathFlow
	ack    bool // on its way back
	copied bool // by the path, which duplicates
	class  uint8
	queued Time
}

// aqm is what manages a queue.
type aqm uint8

const (
	dropTail  aqm = iota
	coDel         // RFC 8289: 5 ms, 100 ms; marks what is ECN-capable
	threshold     // marks what arrives while more than pathSpec.mark bytes wait, drops at the end
)

// A pathSpec is a path as a table names it. Rates are bytes per second.
type pathSpec struct {
	name     string
	rate     int64 // of the bottleneck; 0 is without limit
	rtt      time.Duration
	queue    int // bytes
	aqm      aqm
	mark     int
	ecn      bool // the flows ask for it
	loss     float64
	burst    float64 // chance that a burst of losses begins, of burstLen
	burstLen time.Duration
	// reorder of the packets are late by reorderBy, and overtaken.
	reorder   float64
	reorderBy time.Duration
	dup       float64
	jitter    time.Duration // of each packet, which keeps the order
	ackLoss   float64
	ackEvery  time.Duration // acknowledgments are held back and let go all at once
	outage    [2]time.Duration
	steps     []rateStep
	// mtu is what the path takes, 0 without limit; what is larger vanishes, and is reported
	// if told. The hosts' interfaces take wide, 0 being 1480, and they search the path.
	mtu, wide int
	told      bool
	mtuSteps  []mtuStep
	spoil     bool // of each train, the first segment is good and the rest is not
	flows     int  // 0 is one
	tuned     bool // buffers are left to tune themselves; otherwise they are 8 MiB
	noSACK    bool
	noTS      bool
	maxRTO    time.Duration
	time      time.Duration
}

type rateStep struct {
	at   time.Duration
	rate int64
}

type mtuStep struct {
	at  time.Duration
	mtu int
}

// A pathLink is the way there: a queue before a transmitter, then the wire.
type pathLink struct {
	w     *pathWorld
	spec  *pathSpec
	rng   *rand.Rand
	rate  int64
	mtu   int
	q     []*pathPacket
	bytes int
	busy  bool
	last  Time // latest arrival so far
	badTo Time // the burst of losses ends then
	codel coDelState

	// What the table tells.
	packets, drops, marks int
	waited                time.Duration // in the queue, of all that were transmitted
	sentOn                int
}

// send is a packet's arrival at the queue. What the path loses is lost here, and takes
// nothing of the bottleneck.
func (l *pathLink) send(p *pathPacket) {
	s := l.spec
	l.packets++
	now := l.w.now
	if s.burst > 0 && now >= l.badTo && l.rng.Float64() < s.burst {
		l.badTo = now.Add(s.burstLen)
	}
	switch {
	case l.dark(now), now < l.badTo, s.loss > 0 && l.rng.Float64() < s.loss:
		l.drop(p)
		return
	case l.mtu > 0 && len(p.buf)+wireOverhead > l.mtu:
		if s.told {
			l.w.agenda.push(now.Add(s.rtt/2), pathEvent{kind: pathTooBig, host: &p.flow.snd, seq: seqOf(p.buf), mtu: l.mtu})
		}
		l.drop(p)
		return
	case l.bytes+len(p.buf) > s.queue && s.rate > 0:
		l.drop(p)
		return
	}
	if s.aqm == threshold && l.bytes > s.mark {
		l.mark(p)
	}
	p.queued = now
	if s.rate == 0 {
		l.propagate(p)
		return
	}
	l.q = append(l.q, p)
	l.bytes += len(p.buf) + wireOverhead
	l.transmit()
}

func (l *pathLink) dark(now Time) bool {
	return now >= Time(l.spec.outage[0])+pathEpoch && now < Time(l.spec.outage[1])+pathEpoch
}

func (l *pathLink) drop(p *pathPacket) {
	l.drops++
	p.flow.dropped(p)
	l.w.free(p)
}

// mark marks a packet that is ECN-capable, and reports whether it is.
func (l *pathLink) mark(p *pathPacket) bool {
	if p.class&3 == 0 {
		return false
	}
	p.class |= 3
	l.marks++
	return true
}

// transmit puts the first packet of the queue onto the wire.
func (l *pathLink) transmit() {
	if l.busy {
		return
	}
	p := l.next()
	if p == nil {
		return
	}
	l.busy = true
	l.waited += l.w.now.Sub(p.queued)
	l.sentOn++
	d := Time(int64(len(p.buf)+wireOverhead) * int64(time.Second) / l.rate)
	l.w.agenda.push(l.w.now+d, pathEvent{kind: pathSent, link: l, packet: p})
}

// next takes the packet to be sent out of the queue.
func (l *pathLink) next() *pathPacket {
	for {
		p := l.pull()
		if p == nil || l.spec.aqm != coDel || !l.codel.condemns(l, p) {
			return p
		}
		if l.mark(p) {
			return p
		}
		l.drop(p)
	}
}

func (l *pathLink) pull() *pathPacket {
	if len(l.q) == 0 {
		return nil
	}
	p := l.q[0]
	l.q[0] = nil
	l.q = l.q[1:]
	l.bytes -= len(p.buf) + wireOverhead
	return p
}

// sent is the end of a transmission.
func (l *pathLink) sent(p *pathPacket) {
	l.busy = false
	l.propagate(p)
	l.transmit()
}

// propagate has the packet arrive.
func (l *pathLink) propagate(p *pathPacket) {
	s := l.spec
	at := l.w.now.Add(s.rtt / 2)
	if s.jitter > 0 {
		at = at.Add(time.Duration(l.rng.Int64N(int64(s.jitter))))
	}
	at = max(at, l.last)
	if s.reorder > 0 && l.rng.Float64() < s.reorder {
		at = at.Add(s.reorderBy)
	} else {
		l.last = at
	}
	if s.dup > 0 && l.rng.Float64() < s.dup {
		c := l.w.packet(p.buf)
		c.flow, c.class, c.copied = p.flow, p.class, true
		l.w.agenda.push(at, pathEvent{kind: pathArrive, packet: c})
	}
	l.w.agenda.push(at, pathEvent{kind: pathArrive, packet: p})
}

// coDelState is CoDel (RFC 8289 section 5) in its simplest form.
type coDelState struct {
	above    Time // when the delay will have been above the target for an interval; 0 if it is not
	dropping bool
	next     Time
	count    int
	lastCnt  int
}

const (
	coDelTarget   = 5 * time.Millisecond
	coDelInterval = 100 * time.Millisecond
)

// condemns reports whether p, at the head of the queue, is to be dropped or marked.
func (c *coDelState) condemns(l *pathLink, p *pathPacket) bool {
	now := l.w.now
	law := func(t Time) Time { return t.Add(time.Duration(float64(coDelInterval) / math.Sqrt(float64(c.count)))) }
	tall := false // for an interval
	if now.Sub(p.queued) < coDelTarget || l.bytes <= 1500 {
		c.above = 0
	} else if c.above == 0 {
		c.above = now.Add(coDelInterval)
	} else {
		tall = now >= c.above
	}
	switch {
	case c.dropping && !tall:
		c.dropping = false
		return false
	case c.dropping:
		if now < c.next {
			return false
		}
		c.count++
		c.next = law(c.next)
		return true
	case !tall:
		return false
	}
	c.dropping = true
	delta := c.count - c.lastCnt
	c.count = 1
	if delta > 1 && now.Sub(c.next) < 16*coDelInterval {
		c.count = delta
	}
	c.lastCnt = c.count
	c.next = law(now)
	return true
}
