package tcpcore

import "time"

// pacer spreads sending at the controller's rate: a bucket of bytes that are earned by the
// time that passed, whenever the engine is asked, so that timers may be late. It holds
// a quantum, and no burst is larger. A quantum lasts as long as timers are late: were it
// less, the mean would be too.
type pacer struct {
	credit  int64 // bytes that may be sent
	rest    int64 // of a byte, in bytes times nanoseconds, so that none is lost to rounding
	at      Time  // when credit was computed; 0 before the first time
	waiting bool  // for due, with something to send
	due     Time
	late    time.Duration // how late the timer was of late
}

const (
	// quantumTime is how much sending is done at once: a runtime timer is not finer.
	quantumTime = time.Millisecond
	// maxLate is for how much lateness of a timer the pacer makes up.
	maxLate = 20 * time.Millisecond
	// maxPacingRate keeps products within 64 bits; it is 8 Tbit/s.
	maxPacingRate = 1e12
)

// chunk is what is waited for before sending goes on: a millisecond's worth, so that
// it is worth a system call, but a segment at least and a train at most.
func chunk(rate int64, mss int) int64 {
	return max(int64(mss), min(earned(rate, quantumTime), MaxTrainBytes))
}

// quantum is the largest burst: a chunk, and what a timer that is late by as much, or by a
// millisecond, leaves over.
func quantum(rate int64, mss int, late time.Duration) int64 {
	return chunk(rate, mss) + max(int64(mss), earned(rate, max(late, quantumTime)))
}

func earned(rate int64, d time.Duration) int64 { return rate * int64(d) / int64(time.Second) }

// fill brings the credit up to date; it never takes away.
func (p *pacer) fill(now Time, rate, size int64) {
	d := int64(now - p.at)
	first := p.at == 0
	p.at = now
	if short := max(size-p.credit, 0); first || d >= short*int64(time.Second)/rate+1 {
		p.credit, p.rest = max(p.credit, size), 0
		return
	}
	n := rate*d + p.rest
	p.credit += n / int64(time.Second)
	p.rest = n % int64(time.Second)
}

// allow reports whether size bytes may be sent now. If not, due is when to ask again.
func (p *pacer) allow(now Time, rate int64, mss, size int) bool {
	rate = min(rate, maxPacingRate)
	need := int64(size)
	if p.waiting {
		if over := now.Sub(p.due); over >= 0 {
			p.late = min(max(over, p.late-p.late/16), maxLate)
		}
		need = chunk(rate, mss)
	}
	p.fill(now, rate, quantum(rate, mss, p.late))
	if p.waiting = p.credit < need; !p.waiting {
		return true
	}
	short := chunk(rate, mss) - p.credit
	p.due = now + Time((short*int64(time.Second)-p.rest+rate-1)/rate)
	return false
}

// idle is told that something else than the pace holds sending back.
func (p *pacer) idle() { p.waiting = false }

// unpaced is told that there is no rate at present: what is sent meanwhile is no debt that a
// later rate would have to earn.
func (p *pacer) unpaced() { p.at, p.waiting = 0, false }

// sent takes what was sent out of the bucket.
func (p *pacer) sent(size int) { p.credit -= int64(size) }
