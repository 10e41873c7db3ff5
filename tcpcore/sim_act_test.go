package tcpcore

import (
	"bytes"
	"math/rand/v2"
	"time"
)

type simAct uint8

const (
	actJump      simAct = iota // the host's clock jumps forward
	actMTU                     // the path takes less or more from now on
	actOutage                  // nothing passes for a while
	actSoft                    // a soft network error
	actHard                    // a hard one, on a synchronized connection
	actNagle                   // the user changes TCP_NODELAY
	actBuffers                 // the user asks for larger buffers
	actKeepAlive               // the user changes keep-alive
	actCork                    // the user holds back what is not a full segment, or lets it go
	actClamp                   // the user bounds the window, or what is not yet sent
	actDelay                   // the user changes the delayed acknowledgment
	simActs
)

func (h *simHost) act(a simAct) {
	s := h.s
	switch a {
	case actJump:
		d := s.randTime(int64(time.Millisecond), int64(5*time.Second))
		if !s.strict && s.chance(0.3) {
			d = s.randTime(int64(time.Minute), int64(40*24*time.Hour))
		}
		s.trace("%c clock jumps by %v", h.name, time.Duration(d))
		h.offset += d
	case actMTU:
		h.link.mtu = s.between(128, 1500)
		s.trace("%c path takes %d", h.name, h.link.mtu)
	case actOutage:
		h.link.darkUntil = s.now + s.randTime(int64(time.Millisecond), int64(8*time.Second))
		s.trace("%c link is dark until %v", h.name, time.Duration(h.link.darkUntil))
	case actSoft:
		h.e.SoftError(h.now(), errSimSoft)
	case actHard:
		if h.e.State().Synchronized() {
			h.e.HardError(h.now(), errSimSoft)
		}
	case actNagle:
		h.e.SetNoDelay(s.chance(0.5))
	case actBuffers:
		// SetBuffers may also shrink, but then the bounds that check looks at are those of the past.
		h.cfg.SendBuffer = h.sendBuffer() + s.between(1, 100_000)
		h.cfg.ReceiveBuffer = h.buffer() + s.between(1, 100_000)
		h.e.SetBuffers(h.cfg.SendBuffer, h.cfg.ReceiveBuffer)
	case actKeepAlive:
		h.e.SetKeepAlive(h.now(), s.chance(0.5), 5*time.Second, time.Second, 60)
	case actCork:
		h.e.SetCork(s.chance(0.5))
	case actClamp:
		h.e.SetWindowClamp(s.between(0, 50_000))
		h.e.SetNotSentLowWater(s.between(0, 50_000))
	case actDelay:
		h.e.SetDelayedACK(s.pick(-1, 0, time.Millisecond, 300*time.Millisecond))
	}
}

const errSimSoft Error = "the network is unreachable"

// pathLimit is the network's word that a datagram was too large: a report that quotes it, and
// where that is not believed, the carrier's own knowledge.
func (h *simHost) pathLimit(mtu int, b []byte) {
	if mtu >= h.mms {
		return
	}
	h.s.trace("%c learns of MMS %d", h.name, mtu)
	if h.p.MaxMMS == 0 || !h.e.TooBig(h.now(), seqOf(b), mtu) {
		h.mms = mtu
		h.e.SetMMS(h.now(), mtu, 0)
	}
	if h.finishAt == Never {
		h.finishAt = h.s.now
		h.s.pushAt(h, evFinish, h.finishAt)
	}
}

// ---- streams ----

// simStream is what each user writes, over and over; its length is prime, so that a
// shift by any segment or buffer size shows.
var simStream = func() [2][]byte {
	var st [2][]byte
	r := rand.New(rand.NewPCG(1, 2))
	for i := range st {
		st[i] = make([]byte, 65521)
		for k := range st[i] {
			st[i][k] = byte(r.Uint32())
		}
	}
	return st
}()

// streamIs reports whether b is what stands at offset off of host i's stream.
func streamIs(i, off int, b []byte) bool {
	st := simStream[i]
	for len(b) > 0 {
		k := off % len(st)
		n := min(len(b), len(st)-k)
		if !bytes.Equal(b[:n], st[k:k+n]) {
			return false
		}
		b, off = b[n:], off+n
	}
	return true
}

// streamAt appends n bytes of host i's stream from off to b.
func streamAt(b []byte, i, off, n int) []byte {
	st := simStream[i]
	for n > 0 {
		k := off % len(st)
		m := min(n, len(st)-k)
		b = append(b, st[k:k+m]...)
		off, n = off+m, n-m
	}
	return b
}

func (h *simHost) index() int { return int(h.name - 'A') }
