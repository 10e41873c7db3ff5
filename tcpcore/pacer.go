package tcpcore

import "time"

// pacer spreads sending at the controller's rate: a bucket of bytes that fills at
// the rate. Timers are late by up to a millisecond, so it is filled by the time that
// passed, whenever the engine is asked, and the mean is right; what it holds is
// bounded, so that no burst is larger than a quantum.
type pacer struct {
	credit int64 // bytes that may be sent now
	at     Time  // when credit was computed
}

// quantumTime is how much sending is done at once: a runtime timer is not finer.
const quantumTime = time.Millisecond

// quantum is the largest burst at the given rate: a train, or a millisecond's worth, so
// that a train stays worth a system call, and never less than two segments.
func (p *pacer) quantum(rate int64, mss int) int64 {
	return max(int64(2*mss), 2*chunk(rate, mss))
}

// chunk is what is waited for before sending goes on.
func chunk(rate int64, mss int) int64 {
	return max(int64(mss), min(rate*int64(quantumTime)/int64(time.Second), MaxTrainBytes))
}

// fill brings the credit up to date.
func (p *pacer) fill(now Time, rate int64, mss int) {
	d := int64(now - p.at)
	full := p.quantum(rate, mss)
	if d >= full*int64(time.Second)/rate {
		p.credit, p.at = full, now
		return
	}
	// The clock moves by whole bytes only, so that none is lost to rounding.
	n := rate * d / int64(time.Second)
	p.at += Time(n * int64(time.Second) / rate)
	p.credit = min(full, p.credit+n)
}

// next tells when there will be enough credit to send a chunk again.
func (p *pacer) next(rate int64, mss int) Time {
	short := max(chunk(rate, mss)-p.credit, 1)
	return p.at + Time((short*int64(time.Second)+rate-1)/rate)
}
