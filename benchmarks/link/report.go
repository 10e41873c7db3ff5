package link

import "time"

// Report is what a forwarder has seen of one run. It travels as JSON between
// processes. Times are in seconds.
type Report struct {
	AToB, BToA Counts
	// Queueing of A to B and of B to A: how long packets waited for the link.
	Queueing, QueueingBack Summary
	// Late is by how much packets left later than they should have.
	Late Summary
	// Work is the time that deliveries took: the kernel's receiving of packets, which
	// happens in the forwarder's system calls.
	Work float64
	// CPU is what the forwarding thread has used, Work included.
	CPU float64
	// Resumed is how long after each outage A sent again.
	Resumed []float64 `json:",omitempty"`
	// Refused counts packets that a TUN device did not take.
	Refused uint64
	// Trace samples A to B every TraceEvery.
	Trace []Sample
}

// TraceEvery is the time between samples.
const TraceEvery = 20 * time.Millisecond

// Sample is the state of a link at a time since the start of the transfer.
type Sample struct {
	At    float64
	Queue float64 // how long a packet that comes now has to wait, in seconds
}

// Tolerance is how late a forwarder may be before a run does not count.
type Tolerance struct{ P99, Max time.Duration }

// Exceeded returns why the run does not count, or "".
func (t Tolerance) Exceeded(r *Report) string {
	ms := func(s float64) string {
		return time.Duration(s * float64(time.Second)).Round(time.Microsecond).String()
	}
	switch {
	case r.Late.P99 > t.P99.Seconds():
		return "1 % of packets were late by more than " + ms(r.Late.P99)
	case r.Late.Max > t.Max.Seconds():
		return "a packet was late by " + ms(r.Late.Max)
	case r.Refused > 0:
		return "a TUN device did not take all packets"
	}
	return ""
}
