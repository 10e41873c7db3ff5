package tcpcore

import "time"

// pacer spreads sending at the controller's rate. Timers are late, so that bytes are
// earned by the time that passed, whenever the engine is asked: the mean is right. What
// was earned while a timer was late is kept for longer than what nobody wanted to send,
// and is caught up with at twice the rate, so that no burst is larger than a quantum.
type pacer struct {
	mean    bucket // fills at the rate
	burst   bucket // fills at twice the rate, and holds a quantum
	waiting bool   // for due, with something to send
	due     Time
}

// bucket earns bytes as time passes.
type bucket struct {
	credit int64
	at     Time
	rest   int64 // of a byte, in bytes times nanoseconds, so that none is lost to rounding
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

// quantum is the largest burst: a chunk, and what a timer that is a millisecond late
// leaves over.
func quantum(rate int64, mss int) int64 {
	return chunk(rate, mss) + max(int64(mss), earned(rate, quantumTime))
}

func earned(rate int64, d time.Duration) int64 { return rate * int64(d) / int64(time.Second) }

// fill brings the bucket up to date; it never takes away.
func (b *bucket) fill(now Time, rate, size int64) {
	d := int64(now - b.at)
	b.at = now
	if short := max(size-b.credit, 0); d >= short*int64(time.Second)/rate+1 {
		b.credit, b.rest = max(b.credit, size), 0
		return
	}
	n := rate*d + b.rest
	b.credit += n / int64(time.Second)
	b.rest = n % int64(time.Second)
}

// when tells when there will be n bytes.
func (b *bucket) when(n, rate int64) Time {
	short := n - b.credit
	if short <= 0 {
		return b.at
	}
	return b.at + Time((short*int64(time.Second)-b.rest+rate-1)/rate)
}

// allow reports whether size bytes may be sent now. If not, due is when to ask again.
func (p *pacer) allow(now Time, rate int64, mss, size int) bool {
	rate = min(rate, maxPacingRate)
	most := quantum(rate, mss)
	keep := most
	if p.waiting {
		keep += earned(rate, min(max(now.Sub(p.due), 0), maxLate))
	} else if now.Sub(p.mean.at) > maxLate {
		p.mean.credit = min(p.mean.credit, most) // nobody wanted to send
	}
	p.mean.fill(now, rate, keep)
	p.burst.fill(now, 2*rate, most)
	need := int64(size)
	if p.waiting {
		need = chunk(rate, mss)
	}
	if p.mean.credit >= need && p.burst.credit >= need {
		p.waiting = false
		return true
	}
	need = chunk(rate, mss)
	p.waiting = true
	p.due = max(p.mean.when(need, rate), p.burst.when(need, 2*rate))
	return false
}

// idle is told that something else than the pace holds sending back.
func (p *pacer) idle() { p.waiting = false }

// sent takes what was sent out of the buckets.
func (p *pacer) sent(size int) {
	p.mean.credit -= int64(size)
	p.burst.credit -= int64(size)
}
