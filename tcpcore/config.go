package tcpcore

import (
	"fmt"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// Config holds the tunables of one connection. The zero value works: every field
// that is zero means its default, which ends its comment.
type Config struct {
	// Congestion makes the connection's congestion controller. Default Reno.
	Congestion func() congestion.Controller
	// MSS bounds the segments' data in both directions, in bytes, below what the
	// carrier allows: at least 64, at most 65487. Default no further bound.
	MSS int
	// InitialWindow is the congestion window to begin with, in segments
	// (RFC 6928). Default 10.
	InitialWindow int
	// AfterIdle is what Reno and CUBIC do with a window that was not used (RFC 5681 section
	// 4.1, RFC 2861, RFC 7661). Default restarts.
	AfterIdle congestion.AfterIdle
	// SendBuffer bounds the bytes that Write accepted and the peer has not
	// acknowledged. Default tunes itself: what was sent and two congestion windows beyond,
	// from 64 KiB up to MaxSendBuffer.
	SendBuffer int
	// ReceiveBuffer bounds the bytes that arrived and were not read, and so the
	// window offered to the peer. Default tunes itself: a few times what is read in a round
	// trip, from 128 KiB up to MaxReceiveBuffer.
	ReceiveBuffer int
	// MaxSendBuffer and MaxReceiveBuffer bound, in bytes, buffers that tune themselves; a
	// size that is set counts alone. Default 32 MB, which fill 1 Gbit/s over 100 ms.
	MaxSendBuffer, MaxReceiveBuffer int
	// MinRTO, MaxRTO and InitialRTO bound and begin the retransmission timeout
	// (RFC 6298). Defaults 200 ms (as Linux and FreeBSD do; the RFC says 1 s),
	// 60 s and 1 s. MaxRTO bounds how long after the end of an outage sending goes on: by
	// doubling alone as late as the outage was long (see WholeRetransmits). The RFC allows no less than 60 s on the
	// Internet at large; 1 s suits a path that one knows (Linux: TCP_RTO_MAX_MS).
	MinRTO, MaxRTO, InitialRTO time.Duration
	// RTOGranularity is G of RFC 6298 section 2: by how much the retransmission timeout
	// exceeds SRTT at least (Linux: 200 ms). Default the smaller of MinRTO and SRTT.
	RTOGranularity time.Duration
	// RTOMargin comes on top of each retransmission timeout but the first InitialRTO, behind
	// bounds and back-off (FreeBSD: 200 ms). Default none.
	RTOMargin time.Duration
	// StrictTimestamps drops segments that lack the negotiated timestamp (RFC 7323
	// section 3.2), and those that retransmissions overtook (section 5.3). Default both are
	// processed, as middleboxes strip options and paths reorder.
	StrictTimestamps bool
	// MSL is the maximum segment lifetime; TIME-WAIT lasts twice as long.
	// Default 30 s (RFC 9293 says 2 minutes; Linux and FreeBSD do the same).
	MSL time.Duration
	// DelayedACK is how long an acknowledgment may wait for company, at most
	// 500 ms; negative acknowledges at once. Default 40 ms.
	DelayedACK time.Duration
	// NoDelay switches the Nagle algorithm off. Default on (RFC 9293 section 3.7.4).
	NoDelay bool
	// NoSACK, NoTimestamps and NoWindowScale leave the option out of our SYN.
	// Default all are offered.
	NoSACK, NoTimestamps, NoWindowScale bool
	// PushWrites puts PSH on the last segment of each Write, and wherever half of the
	// largest window was written without one, also when it is sent again, as Linux does.
	// Default only on what empties the send buffer, as FreeBSD does.
	PushWrites bool
	// QuickACKs is how many segments are acknowledged at once when data begins to
	// arrive, arrives after a pause longer than the RTO, or arrives twice, at most 255:
	// Linux has 16. Default none.
	QuickACKs int
	// ACKRule says what is acknowledged at once in any case. Default ACKTwoFull.
	ACKRule ACKRule
	// RoundWindow rounds a window that is not scaled down to whole segments, as Linux
	// does. Default offers all the room.
	RoundWindow bool
	// WindowScale is the shift count in our SYN, at most 14, less where ReceiveBuffer
	// could not express it; negative is 0. Default what ReceiveBuffer wants.
	WindowScale int
	// ScaleFirst orders the options of our SYN as FreeBSD does: MSS, window scale,
	// SACK-permitted, timestamps. Default as Linux: MSS, SACK-permitted, timestamps,
	// window scale.
	ScaleFirst bool
	// Cork holds back segments that are not full, for up to 200 ms, until it is taken
	// away (SetCork). Default off.
	Cork bool
	// NotSentLowWater bounds the bytes that Write accepted and that were not sent
	// once, so that what an application writes next is not behind a full send
	// buffer. Default SendBuffer.
	NotSentLowWater int
	// WindowClamp bounds the window offered to the peer, in bytes. Default
	// ReceiveBuffer.
	WindowClamp int
	// ECN asks the peer for explicit congestion notification (RFC 3168). A peer that
	// asks is answered in any case. Default does not ask.
	ECN bool
	// NoECN does not consent to a peer that asks for it. Default consents.
	NoECN bool
	// NoTailLossProbe leaves a lost tail to the retransmission timer instead of probing
	// for it (RFC 8985 section 7). Default probes.
	NoTailLossProbe bool
	// NoRACK finds losses by counting what was selectively acknowledged (RFC 6675), and not
	// by time (RFC 8985); there is no tail loss probe then. Default by time.
	NoRACK bool
	// NoFRTO does not look for spurious timeouts by sending new data first (F-RTO, RFC
	// 5682). Default does, where SACK was negotiated.
	NoFRTO bool
	// WholeRetransmits sends a full segment at each timeout of the retransmission timer, as
	// kernels do. Default in sixteenths from the third timeout in a row on, evenly until the next
	// (SACK and RACK provided): so the end of an outage is noticed sooner, at no more bytes.
	WholeRetransmits bool
	// EmptyProbes asks for a closed window with a segment without data from before it, as
	// keep-alives do and Linux does. Default with the next octet (RFC 9293 section 3.8.6.1).
	EmptyProbes bool
	// NoMTUProbing switches off the search for larger segments that pass, and for smaller
	// ones where large ones vanish (RFC 4821, RFC 8899); the network's reports still
	// count. Default searches, if Params.MaxMMS is set.
	NoMTUProbing bool
	// KeepAlive switches keep-alive probes on. Default off.
	KeepAlive bool
	// KeepAliveIdle, KeepAliveInterval: how long nothing arrives before the first
	// probe, and between probes. Defaults 2 h and 75 s.
	KeepAliveIdle, KeepAliveInterval time.Duration
	// KeepAliveCount is how many unanswered probes end the connection. Default 9.
	KeepAliveCount int
	// UserTimeout ends the connection with ErrTimeout when data stays
	// unacknowledged for as long (RFC 5482). Default none.
	UserTimeout time.Duration
	// Retries1 and Retries2 are R1 and R2 of RFC 9293 section 3.8.3, in
	// retransmissions of the same segment; negative is none. Defaults 3, or Retries2
	// if that is less, and 15, more where a lower MaxRTO needs more for 100 s.
	Retries1, Retries2 int
	// SYNRetries and SYNACKRetries are R2 for SYN and SYN-ACK; negative is none. Defaults
	// 7, which with the default InitialRTO is over 4 minutes, more where a lower MaxRTO
	// needs more for 3; and SYNRetries.
	SYNRetries, SYNACKRetries int
	// SYNLinear is how many retransmissions of a SYN, before those of SYNRetries, come one
	// InitialRTO apart, at most 255, as Linux has 4. Default none: each doubles the time
	// to the next.
	SYNLinear int
	// OrphanTimeout ends a connection that the user closed, that waits for
	// nothing but the peer, and that makes no progress for as long. Default 60 s.
	OrphanTimeout time.Duration
	// TrafficClass is the DSCP to send with, in the upper six bits; the lower two
	// (ECN) must be zero. Default 0.
	TrafficClass uint8
}

// ACKRule says how much data is acknowledged without waiting for Config.DelayedACK. Each
// rule keeps RFC 9293 SHLD-19.
type ACKRule uint8

// The rules.
const (
	ACKTwoFull  ACKRule = iota // two full segments' worth, as RFC 9293 section 3.8.6.3 says
	ACKOverFull                // more than one full segment's, as Linux does
	ACKSecond                  // every second segment of any size, as FreeBSD does
)

// Limits of Config.
const (
	MinMSS = 64
	MaxMSS = MaxTrainBytes - 20
	// maxWindow is the largest window that a shift of 14 can express (RFC 7323 section 2.2).
	maxWindow = 1 << 30
)

// A FieldError is a field of Config with a bad value, and what is bad about it.
type FieldError struct{ Field, Problem string }

// Error returns both.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

func fieldError(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// Check returns a *FieldError for the first field with a bad value, or nil.
func (c *Config) Check() error {
	num := func(name string, v, lo, hi int) error {
		if v != 0 && (v < lo || v > hi) {
			return fieldError(name, "%d is outside of %d..%d", v, lo, hi)
		}
		return nil
	}
	dur := func(name string, v, lo, hi time.Duration) error {
		if v != 0 && (v < lo || v > hi) {
			return fieldError(name, "%v is outside of %v..%v", v, lo, hi)
		}
		return nil
	}
	const day = 24 * time.Hour
	d := *c
	d.fill()
	for _, err := range []error{
		num("MSS", c.MSS, MinMSS, MaxMSS),
		num("InitialWindow", c.InitialWindow, 1, 1000),
		num("SendBuffer", c.SendBuffer, 1, maxWindow),
		num("ReceiveBuffer", c.ReceiveBuffer, 1, maxWindow),
		num("QuickACKs", c.QuickACKs, 0, 255),
		num("ACKRule", int(c.ACKRule), 0, int(ACKSecond)),
		num("WindowScale", max(c.WindowScale, 0), 0, 14),
		num("AfterIdle", int(c.AfterIdle), 0, int(congestion.KeepAfterIdle)),
		num("MaxSendBuffer", c.MaxSendBuffer, 1, maxWindow),
		num("MaxReceiveBuffer", c.MaxReceiveBuffer, 1, maxWindow),
		num("NotSentLowWater", c.NotSentLowWater, 1, maxWindow),
		num("WindowClamp", c.WindowClamp, 1, maxWindow),
		dur("MinRTO", c.MinRTO, time.Millisecond, time.Minute),
		dur("MaxRTO", c.MaxRTO, time.Second, day),
		dur("InitialRTO", c.InitialRTO, time.Millisecond, day),
		dur("RTOGranularity", c.RTOGranularity, time.Millisecond, time.Minute),
		dur("RTOMargin", c.RTOMargin, time.Millisecond, time.Minute),
		dur("MSL", c.MSL, time.Millisecond, day),
		num("KeepAliveCount", c.KeepAliveCount, 1, 1000),
		dur("KeepAliveIdle", c.KeepAliveIdle, time.Millisecond, 365*day),
		dur("KeepAliveInterval", c.KeepAliveInterval, time.Millisecond, 365*day),
		dur("UserTimeout", c.UserTimeout, time.Millisecond, 365*day),
		num("Retries1", max(c.Retries1, 0), 1, 255),
		num("Retries2", max(c.Retries2, 0), 1, 255),
		num("SYNRetries", max(c.SYNRetries, 0), 1, 255),
		num("SYNACKRetries", max(c.SYNACKRetries, 0), 1, 255),
		num("SYNLinear", c.SYNLinear, 0, 255),
		dur("OrphanTimeout", c.OrphanTimeout, time.Millisecond, 365*day),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case c.DelayedACK > 500*time.Millisecond:
		// RFC 9293 MUST-40: "the delay MUST be less than 0.5 seconds".
		return fieldError("DelayedACK", "%v is over 500ms", c.DelayedACK)
	case d.MinRTO > d.MaxRTO:
		return fieldError("MinRTO", "%v is over MaxRTO, %v", d.MinRTO, d.MaxRTO)
	case d.InitialRTO > d.MaxRTO:
		return fieldError("InitialRTO", "%v is over MaxRTO, %v", d.InitialRTO, d.MaxRTO)
	case c.ECN && c.NoECN:
		return fieldError("NoECN", "is set, and so is ECN")
	case d.Retries1 > max(d.Retries2, 0):
		return fieldError("Retries1", "%d is over Retries2, %d", d.Retries1, d.Retries2)
	case c.TrafficClass&3 != 0:
		return fieldError("TrafficClass", "%#x uses the ECN bits", c.TrafficClass)
	}
	return nil
}

// fill replaces zero fields by their defaults.
func (c *Config) fill() {
	if c.Congestion == nil {
		c.Congestion = congestion.NewReno
	}
	def(&c.InitialWindow, 10)
	def(&c.MaxSendBuffer, maxTuned)
	def(&c.MaxReceiveBuffer, maxTuned)
	def(&c.MinRTO, 200*time.Millisecond)
	def(&c.MaxRTO, 60*time.Second)
	def(&c.InitialRTO, time.Second)
	def(&c.MSL, 30*time.Second)
	def(&c.DelayedACK, 40*time.Millisecond)
	def(&c.KeepAliveIdle, 2*time.Hour)
	def(&c.KeepAliveInterval, 75*time.Second)
	def(&c.KeepAliveCount, 9)
	// With the default MaxRTO both last long enough; with a lower one it takes more of them.
	def(&c.Retries2, max(15, c.retriesFor(100*time.Second, 200*time.Millisecond)))
	def(&c.Retries1, min(3, c.Retries2))
	def(&c.SYNRetries, max(7, c.retriesFor(3*time.Minute, time.Second)))
	def(&c.SYNACKRetries, c.SYNRetries)
	def(&c.OrphanTimeout, 60*time.Second)
}

// retriesFor is how many retransmissions last for d if the first timeout is rto (RFC 9293
// section 3.8.3: R2 is at least 100 s, SHLD-11, and for a SYN 3 minutes, MUST-23).
func (c *Config) retriesFor(d, rto time.Duration) (n int) {
	for longest := max(c.MaxRTO, time.Second); d > 0; n++ {
		d -= rto
		rto = min(2*rto, longest)
	}
	return n
}

// def sets *v to d if it is zero.
func def[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
