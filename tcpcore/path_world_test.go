package tcpcore

import (
	"math/rand/v2"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// pathEpoch is when a path's time begins; an engine's zero is special.
const pathEpoch = Time(time.Second)

type pathKind uint8

const (
	pathSent   pathKind = iota // a transmitter is done with a packet
	pathArrive                 // a packet arrives
	pathTimer
	pathRate   // the bottleneck changes its rate
	pathAcks   // held acknowledgments are let go
	pathMTUs   // the path takes less or more from now on
	pathTooBig // a report of that reaches a host
)

type pathEvent struct {
	kind   pathKind
	link   *pathLink
	packet *pathPacket
	host   *pathHost
	rate   int64
	seq    segment.Seq
	mtu    int
}

// A pathWorld is flows over one path in virtual time: bulk senders on one side, readers on
// the other. A seed determines all of it.
type pathWorld struct {
	tb     testing.TB
	spec   pathSpec
	now    Time
	rng    *rand.Rand
	agenda agenda[pathEvent]
	link   *pathLink
	flows  []*pathFlow
	pool   []*pathPacket
	train  Train
	seg    segment.Segment
	data   []byte
	acks   []*pathPacket // held
}

// A pathFlow is one connection.
type pathFlow struct {
	w        *pathWorld
	snd, rcv pathHost
	ctl      congestion.Controller
	got      int64 // delivered to the reader
	sent     int   // data segments
	copies   map[segment.Seq]int8
	spurious int // sent although a copy before it arrives
	lastGot  Time
	resumed  Time // first delivery after the outage
}

// A pathHost is an engine and its timer.
type pathHost struct {
	e     *Engine
	f     *pathFlow
	armed Time
}

// pathLate is how late a host's timers may be.
const pathLate = time.Millisecond

func newPathWorld(tb testing.TB, spec pathSpec, seed uint64, make1 func() congestion.Controller) *pathWorld {
	w := &pathWorld{tb: tb, spec: spec, now: pathEpoch, rng: rand.New(rand.NewPCG(seed, 1)), data: make([]byte, 64<<10)}
	w.link = &pathLink{w: w, spec: &w.spec, rate: spec.rate, mtu: spec.mtu, rng: rand.New(rand.NewPCG(seed, 2))}
	for _, st := range spec.steps {
		w.agenda.push(pathEpoch+Time(st.at), pathEvent{kind: pathRate, rate: st.rate})
	}
	for _, st := range spec.mtuSteps {
		w.agenda.push(pathEpoch+Time(st.at), pathEvent{kind: pathMTUs, mtu: st.mtu})
	}
	if spec.ackEvery > 0 {
		w.agenda.push(pathEpoch.Add(spec.ackEvery), pathEvent{kind: pathAcks})
	}
	for i := range max(1, spec.flows) {
		f := &pathFlow{w: w, copies: make(map[segment.Seq]int8)}
		cfg := Config{SendBuffer: 8 << 20, ReceiveBuffer: 8 << 20, ECN: spec.ecn, NoSACK: spec.noSACK, NoTimestamps: spec.noTS, MaxRTO: spec.maxRTO,
			Congestion: func() congestion.Controller { f.ctl = make1(); return f.ctl }}
		if spec.tuned {
			cfg.SendBuffer, cfg.ReceiveBuffer = 0, 0
		}
		f.snd, f.rcv = pathHost{e: New(cfg), f: f, armed: Never}, pathHost{e: New(cfg), f: f, armed: Never}
		p := Params{LocalPort: uint16(1000 + i), RemotePort: 2000, ISN: w.rng.Uint32(), TimestampOffset: w.rng.Uint32(), MMS: 1452, MarksVisible: true}
		if spec.mtu > 0 {
			p.MMS, p.MaxMMS = 1452, max(1452, spec.wide-wireOverhead)
		}
		q := p
		q.LocalPort, q.RemotePort, q.ISN = p.RemotePort, p.LocalPort, w.rng.Uint32()
		if err := f.rcv.e.OpenPassive(w.now, q); err != nil {
			tb.Fatal(err)
		}
		if err := f.snd.e.OpenActive(w.now, p); err != nil {
			tb.Fatal(err)
		}
		w.flows = append(w.flows, f)
		w.flush(&f.snd)
	}
	return w
}

// run lets the world's time pass.
func (w *pathWorld) run() {
	end := pathEpoch.Add(w.spec.time)
	for w.agenda.len() > 0 {
		at, ev := w.agenda.pop()
		if at > end {
			break
		}
		w.now = at
		switch ev.kind {
		case pathSent:
			ev.link.sent(ev.packet)
		case pathArrive:
			w.arrive(ev.packet)
		case pathTimer:
			w.fire(ev.host)
		case pathRate:
			w.link.rate = ev.rate
		case pathMTUs:
			w.link.mtu = ev.mtu
		case pathTooBig:
			ev.host.e.TooBig(w.now, ev.seq, ev.mtu-wireOverhead)
			w.flush(ev.host)
		case pathAcks:
			for _, p := range w.acks {
				w.arrive(p)
			}
			w.acks = w.acks[:0]
			w.agenda.push(w.now.Add(w.spec.ackEvery), pathEvent{kind: pathAcks})
		}
	}
	w.now = end
}

func (w *pathWorld) fire(h *pathHost) {
	h.armed = Never
	if h.e.Deadline() <= w.now {
		h.e.Advance(w.now)
		w.flush(h)
	}
	w.arm(h)
}

// arrive is a packet at its destination.
func (w *pathWorld) arrive(p *pathPacket) {
	f := p.flow
	h := &f.rcv
	if p.ack {
		h = &f.snd
		if w.spec.ackEvery > 0 && p.queued == 0 {
			p.queued = w.now
			w.acks = append(w.acks, p)
			return
		}
	}
	if err := segment.Parse(&w.seg, p.buf); err != nil {
		w.tb.Fatal(err)
	}
	w.seg.TrafficClass = p.class
	h.e.Input(w.now, &w.seg)
	w.free(p)
	w.flush(h)
}

// flush lets the users do theirs and sends what may be sent.
func (w *pathWorld) flush(h *pathHost) {
	e, f := h.e, h.f
	for {
		if h == &f.snd {
			for e.State() == Established && e.sendRoom() >= w.chunk() {
				if _, err := e.Write(w.now, w.data[:w.chunk()]); err != nil {
					w.tb.Fatal(err)
				}
			}
		} else if n := e.rcv.buf.len(); n > 0 {
			for n > 0 {
				k, err := e.Read(w.now, w.data)
				if err != nil {
					w.tb.Fatal(err)
				}
				n -= k
				f.delivered(k)
			}
		}
		if !e.Output(w.now, &w.train) {
			break
		}
		for b := w.train.Buf; len(b) > 0; {
			k := min(len(b), w.train.SegmentSize)
			w.transmit(h, b[:k])
			if b = b[k:]; w.spec.spoil {
				break
			}
		}
	}
	e.Events()
	if err := e.Err(); err != nil {
		w.tb.Fatalf("%s: the connection ended: %v", w.spec.name, err)
	}
	w.arm(h)
}

func (f *pathFlow) delivered(n int) {
	w := f.w
	f.got += int64(n)
	if f.resumed == 0 && w.spec.outage[1] > 0 && w.now >= pathEpoch+Time(w.spec.outage[1]) {
		f.resumed = w.now
	}
	f.lastGot = w.now
}

// transmit puts a segment on its way.
func (w *pathWorld) transmit(h *pathHost, b []byte) {
	f := h.f
	p := w.packet(b)
	p.flow, p.ack, p.class = f, h == &f.rcv, w.train.TrafficClass
	if !p.ack {
		if len(b) > 100 {
			f.sent++
			seq := seqOf(b)
			if f.copies[seq]++; f.copies[seq] > 1 {
				f.spurious++
			}
		}
		w.link.send(p)
		return
	}
	// The way back is a wire.
	if w.link.dark(w.now) || w.spec.ackLoss > 0 && w.rng.Float64() < w.spec.ackLoss {
		w.free(p)
		return
	}
	w.agenda.push(w.now.Add(w.spec.rtt/2), pathEvent{kind: pathArrive, packet: p})
}

// dropped is told of each packet of data that the path loses.
func (f *pathFlow) dropped(p *pathPacket) {
	if p.copied || len(p.buf) <= 100 {
		return
	}
	seq := seqOf(p.buf)
	f.copies[seq]--
	// While more copies were sent than got lost, all but one of them were needless. The
	// account is exact as segments keep their borders.
	if f.copies[seq] > 0 {
		f.spurious--
	}
}

func seqOf(b []byte) segment.Seq {
	return segment.Seq(uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7]))
}

// arm sets a host's timer, as a connection does: only to fire earlier.
func (w *pathWorld) arm(h *pathHost) {
	d := h.e.Deadline()
	if d == Never {
		return
	}
	if h.armed != Never && h.armed <= d {
		return
	}
	h.armed = d
	at := max(d, w.now).Add(time.Duration(w.rng.Int64N(int64(pathLate))))
	w.agenda.push(at, pathEvent{kind: pathTimer, host: h})
}

func (w *pathWorld) packet(b []byte) *pathPacket {
	var p *pathPacket
	if n := len(w.pool); n > 0 {
		p, w.pool = w.pool[n-1], w.pool[:n-1]
	} else {
		p = &pathPacket{buf: make([]byte, 0, 1500)}
	}
	buf := append(p.buf[:0], b...)
	*p = pathPacket{buf: buf}
	return p
}

// chunk is what a writer waits for room for: little enough for a buffer that is tuned.
func (w *pathWorld) chunk() int {
	if w.spec.tuned {
		return 8 << 10
	}
	return len(w.data)
}

func (w *pathWorld) free(p *pathPacket) { w.pool = append(w.pool, p) }
