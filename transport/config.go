package transport

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/udpcarrier"
)

// Config holds every tunable of connections and listeners. The zero value works:
// each field that is zero means its default, which ends its comment. A bad value is
// an error of Dial or Listen that names the field. A Config may be shared, and
// must not be changed while a Dial or Listen reads it; later changes have no effect.
type Config struct {
	// CongestionControl names the congestion control; congestion.Names lists the
	// known ones. Default "cubic".
	CongestionControl string
	// Controller makes the congestion controller of each connection, and one more to
	// see that it does, instead of a named one. Default nil.
	Controller func() congestion.Controller

	// MSS bounds the maximum segment size, both that we announce and that we use, in
	// bytes, below what the path allows: 64 to 65487. Timestamps take 12 bytes of it.
	// Default no further bound.
	MSS int
	// InitialWindow is the congestion window to begin with, in segments: 1 to 1000, and at
	// most as many times 1460 bytes, if that is more than two segments. Default 10 segments,
	// within that limit, which is RFC 6928's.
	InitialWindow int
	// AfterIdle is what CUBIC and Reno do with a congestion window that was not used:
	// restart as RFC 5681 has it, decay as RFC 2861, or keep it as RFC 7661. Default
	// congestion.RestartAfterIdle.
	AfterIdle congestion.AfterIdle
	// SendBuffer bounds the bytes that Write took over and the peer has not
	// acknowledged: 1 byte to 1 GiB. Default tunes itself: what was sent and two congestion
	// windows beyond, from 64 KiB up to MaxSendBuffer.
	SendBuffer int
	// ReceiveBuffer bounds the bytes that arrived and were not read, and so the
	// window offered to the peer: 1 byte to 1 GiB. Default tunes itself: a few times what is read in a
	// round trip, from 128 KiB up to MaxReceiveBuffer.
	ReceiveBuffer int
	// MaxSendBuffer bounds, in bytes, a send buffer that tunes itself, at most 1 GiB; a
	// SendBuffer counts alone. Memory is taken for what is there, not for the bound. Default
	// 32 MB, which fill 1 Gbit/s over 100 ms twice.
	MaxSendBuffer int
	// MaxReceiveBuffer is the same for the receive buffer. Default 32 MB.
	MaxReceiveBuffer int

	// MinRTO is the smallest retransmission timeout, 1 ms to 1 minute. Default
	// 200 ms, as Linux and FreeBSD have it (RFC 6298 says 1 s).
	MinRTO time.Duration
	// MaxRTO is the largest, 1 s to a day. It bounds how long after the end of an outage
	// sending goes on: by doubling alone as late as the outage was long (see WholeRetransmits).
	// RFC 6298 allows less than 60 s nowhere; 1 s suits a path that one knows, as Linux's
	// TCP_RTO_MAX_MS does. Default 60 s.
	MaxRTO time.Duration
	// InitialRTO is the one before the first round trip was measured, 1 ms to MaxRTO. Default
	// 1 s.
	InitialRTO time.Duration
	// RTOGranularity is by how much the retransmission timeout exceeds the smoothed round
	// trip time at least, G of RFC 6298 section 2: 1 ms to 1 minute. Linux has 200 ms.
	// Default the smaller of MinRTO and the round trip time.
	RTOGranularity time.Duration
	// RTOMargin comes on top of each retransmission timeout but the first InitialRTO, behind
	// bounds and back-off: 1 ms to 1 minute. FreeBSD has 200 ms. Default none.
	RTOMargin time.Duration
	// StrictTimestamps drops segments that lack the negotiated timestamp, as RFC 7323
	// section 3.2 prefers, and those that retransmissions overtook (section 5.3). Default both
	// are processed, as middleboxes strip options and paths reorder.
	StrictTimestamps bool
	// MSL is the maximum segment lifetime, 1 ms to a day; TIME-WAIT lasts twice as
	// long. Default 30 s, as Linux and FreeBSD have it (RFC 9293 says 2 minutes).
	MSL time.Duration
	// DelayedACK is how long an acknowledgment may wait for company, at most
	// 500 ms; negative acknowledges at once. Default 40 ms.
	DelayedACK time.Duration
	// Nagle holds small segments back while data is unacknowledged (RFC 9293
	// section 3.7.4); conn.Conn.SetNoDelay changes it. Default off, as in package net.
	// Either way the short rest of a Write may wait a millisecond behind full segments of
	// more than 32 KiB, which only loopback and the like have.
	Nagle bool

	// NoSACK, NoTimestamps and NoWindowScale leave the option out of our SYN
	// (RFC 2018, RFC 7323). Default all are offered.
	NoSACK, NoTimestamps, NoWindowScale bool

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

	// PushWrites puts PSH on the last segment of each Write, and wherever half of the
	// largest window was written without one, also when it is sent again, as Linux does.
	// Default only on what empties the send buffer, as FreeBSD does.
	PushWrites bool
	// QuickACKs is how many segments are acknowledged at once when data begins to
	// arrive, arrives after a pause longer than the RTO, or arrives twice, at most 255:
	// Linux has 16. Default none.
	QuickACKs int
	// ACKRule says what is acknowledged at once in any case. Default tcpcore.ACKTwoFull.
	ACKRule tcpcore.ACKRule
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
	// NoMTUProbing switches off the search for larger segments that pass, and for smaller
	// ones where large ones vanish (RFC 4821, RFC 8899); the network's reports still
	// count. Default searches, if the carrier can: see carrier.Prober.
	NoMTUProbing bool

	// Cork holds back segments that are not full, up to 200 ms, until
	// conn.Conn.SetCork takes it away. Default off.
	Cork bool
	// NotSentLowWater bounds the bytes that Write took over and that were not sent
	// once, at most 1 GiB, so that what is written next does not queue behind a full send
	// buffer. Default SendBuffer.
	NotSentLowWater int
	// WindowClamp bounds the window offered to the peer, in bytes, at most 1 GiB. Default
	// ReceiveBuffer.
	WindowClamp int

	// EmptyProbes asks for a closed window with a segment without data from before it, as
	// keep-alives do and Linux does. Default with the next octet (RFC 9293 section 3.8.6.1).
	EmptyProbes bool
	// KeepAlive switches keep-alive probes on. Default off (RFC 9293 MUST-25).
	KeepAlive bool
	// KeepAliveIdle is how long nothing arrives before the first probe, 1 ms to a year.
	// Default 2 h.
	KeepAliveIdle time.Duration
	// KeepAliveInterval is the time between probes, 1 ms to a year. Default 75 s.
	KeepAliveInterval time.Duration
	// KeepAliveCount is how many unanswered probes end the connection, 1 to 1000.
	// Default 9.
	KeepAliveCount int
	// UserTimeout ends a connection with ETIMEDOUT when data stays unacknowledged
	// for so long (RFC 5482), 1 ms to a year. Default none.
	UserTimeout time.Duration
	// Retries1 is R1 of RFC 9293 section 3.8.3: after so many retransmissions of a
	// segment conn.Conn.Notify tells of tcpcore.EvSuspect; negative is 0, at most 255. Default 3,
	// or Retries2 if that is less.
	Retries1 int
	// Retries2 is R2: after so many the connection ends with ETIMEDOUT; negative is 0, at most
	// 255. Default 15, or more where a lower MaxRTO needs more for 100 s.
	Retries2 int
	// SYNRetries is R2 for SYN; negative is 0, at most 255. Default 7, or more where a lower MaxRTO
	// needs more for 3 minutes.
	SYNRetries int
	// SYNACKRetries is R2 for SYN-ACK; negative is 0, at most 255. Default SYNRetries.
	SYNACKRetries int
	// SYNLinear is how many retransmissions of a SYN, before those of SYNRetries, come one
	// InitialRTO apart, 0 to 255, as Linux has 4. Default none: each doubles the time to
	// the next.
	SYNLinear int
	// OrphanTimeout ends a connection that was closed here, waits for nothing but
	// the peer, and makes no progress for so long, 1 ms to a year. Default 60 s.
	OrphanTimeout time.Duration

	// TrafficClass is the octet of IPv4's TOS or IPv6's traffic class: the DSCP in
	// the upper six bits (RFC 9293 MUST-48); the lower two, ECN, must be zero. Where
	// the carrier cannot set it, it has no effect. Default 0.
	TrafficClass uint8
	// HopLimit is the TTL or hop limit to send with, 1 to 255 (RFC 9293 MUST-49).
	// Where the carrier cannot set it, it has no effect. Default the system's.
	HopLimit int

	// NoGSO and NoGRO switch segmentation and receive offload off for the UDP sockets that
	// are opened with this Config, and Logger is told once of each path on which segments go one
	// by one since trains failed there; see udpcarrier.Options. A socket that is there already
	// stays as it is. Default uses what the system has, and slog.Default.
	NoGSO, NoGRO bool
	Logger       *slog.Logger

	// BusyPoll is for how long a Read that follows a Write polls its UDP socket before it
	// sleeps, at most 10 ms; negative does not. A goroutine that sleeps wakes up 5 to 50 us late,
	// which is most of a round trip to a neighbour. It is done on Linux, for a connection that
	// has its socket to itself, as one that was dialled has, and one of a listener's while it is
	// the only one; and ever more rarely while answers take longer, so that less than they take
	// gains little. Default 100 us, but not where GOMAXPROCS is 1.
	BusyPoll time.Duration

	// Linger is what Close does with data that is not yet acknowledged: positive,
	// it blocks for so many seconds at most; negative, it discards the data and
	// resets the connection. conn.Conn.SetLinger changes it. Default 0: Close
	// returns at once and delivery goes on in the background, for as long as the process
	// lives: a program that exits after Close wants a positive one. At most 65535.
	Linger int
	// Backlog bounds a listener's connections that are half open or not yet
	// accepted, together: 1 to 1,000,000. ListenConfig.Backlog goes before it.
	// Default 1024.
	Backlog int
	// Sockets is how many UDP sockets a Listen, or an Endpoint that is bound to "host:port", opens
	// on its port, 1 to 64, each read by a goroutine of its own: for many connections on many
	// processors. Linux keeps a peer at one of them for as long as its address is the same
	// (SO_REUSEPORT); elsewhere, over Net and in raw IPv4, there is one. A socket that is there already
	// stays as it is. Default 1, which a single connection is fastest with.
	Sockets int
}

const (
	maxBacklog = 1000000
	maxSockets = 64 // which flow.touched has bits for
	maxLinger  = 65535

	maxBusyPoll = 10 * time.Millisecond
)

// settings are a Config that was checked, in the form that connections want.
type settings struct {
	core    tcpcore.Config
	engine  func() *tcpcore.Engine // makes one with core
	hop     uint8
	backlog int
	sockets int
	poll    time.Duration // 0: not at all
	conn    conn.Options
	udp     udpcarrier.Options
}

// defaults are the settings of the zero Config, made once: who dials with none dials often.
var defaults = sync.OnceValue(func() *settings {
	s, err := new(Config).checked()
	if err != nil {
		panic("BUG: the zero Config: " + err.Error())
	}
	return s
})

// settings returns the checked form of c, which may be nil, or an error that names
// the first field with a bad value. It must not be changed.
func (c *Config) settings() (*settings, error) {
	if c == nil {
		return defaults(), nil
	}
	return c.checked()
}

func (c *Config) checked() (*settings, error) {
	s := &settings{backlog: c.Backlog, sockets: max(c.Sockets, 1), hop: uint8(c.HopLimit)}
	s.udp = udpcarrier.Options{NoGSO: c.NoGSO, NoGRO: c.NoGRO, Logger: c.Logger}
	s.core = tcpcore.Config{
		Congestion:        c.Controller,
		MSS:               c.MSS,
		InitialWindow:     c.InitialWindow,
		AfterIdle:         c.AfterIdle,
		SendBuffer:        c.SendBuffer,
		ReceiveBuffer:     c.ReceiveBuffer,
		MaxSendBuffer:     c.MaxSendBuffer,
		MaxReceiveBuffer:  c.MaxReceiveBuffer,
		MinRTO:            c.MinRTO,
		MaxRTO:            c.MaxRTO,
		InitialRTO:        c.InitialRTO,
		RTOGranularity:    c.RTOGranularity,
		RTOMargin:         c.RTOMargin,
		StrictTimestamps:  c.StrictTimestamps,
		MSL:               c.MSL,
		DelayedACK:        c.DelayedACK,
		NoDelay:           !c.Nagle,
		NoSACK:            c.NoSACK,
		NoTimestamps:      c.NoTimestamps,
		NoWindowScale:     c.NoWindowScale,
		ECN:               c.ECN,
		NoTailLossProbe:   c.NoTailLossProbe,
		EmptyProbes:       c.EmptyProbes,
		PushWrites:        c.PushWrites,
		QuickACKs:         c.QuickACKs,
		ACKRule:           c.ACKRule,
		RoundWindow:       c.RoundWindow,
		WindowScale:       c.WindowScale,
		ScaleFirst:        c.ScaleFirst,
		NoMTUProbing:      c.NoMTUProbing,
		Cork:              c.Cork,
		NotSentLowWater:   c.NotSentLowWater,
		WindowClamp:       c.WindowClamp,
		KeepAlive:         c.KeepAlive,
		KeepAliveIdle:     c.KeepAliveIdle,
		KeepAliveInterval: c.KeepAliveInterval,
		KeepAliveCount:    c.KeepAliveCount,
		UserTimeout:       c.UserTimeout,
		Retries1:          c.Retries1,
		Retries2:          c.Retries2,
		SYNRetries:        c.SYNRetries,
		SYNACKRetries:     c.SYNACKRetries,
		SYNLinear:         c.SYNLinear,
		NoECN:             c.NoECN,
		NoRACK:            c.NoRACK,
		NoFRTO:            c.NoFRTO,
		WholeRetransmits:  c.WholeRetransmits,
		OrphanTimeout:     c.OrphanTimeout,
		TrafficClass:      c.TrafficClass,
	}
	if err := s.core.Check(); err != nil {
		return nil, fmt.Errorf("Config.%w", err)
	}
	name := c.CongestionControl
	if name != "" && c.Controller != nil {
		return nil, fmt.Errorf("Config.Controller: is set, and so is CongestionControl (%q)", name)
	}
	if c.Controller != nil && c.Controller() == nil {
		return nil, fmt.Errorf("Config.Controller: returns nil")
	}
	if c.Controller == nil {
		if name == "" {
			name = "cubic"
		}
		make, err := congestion.Maker(name)
		if err != nil {
			return nil, fmt.Errorf("Config.CongestionControl: %w", err)
		}
		s.core.Congestion = make
	}
	if c.HopLimit < 0 || c.HopLimit > 255 {
		return nil, fmt.Errorf("Config.HopLimit: %d is outside of 1..255", c.HopLimit)
	}
	if c.Backlog < 0 || c.Backlog > maxBacklog {
		return nil, fmt.Errorf("Config.Backlog: %d is outside of 1..%d", c.Backlog, maxBacklog)
	}
	if c.Sockets < 0 || c.Sockets > maxSockets {
		return nil, fmt.Errorf("Config.Sockets: %d is outside of 1..%d", c.Sockets, maxSockets)
	}
	if c.BusyPoll > maxBusyPoll {
		return nil, fmt.Errorf("Config.BusyPoll: %v is more than %v", c.BusyPoll, maxBusyPoll)
	}
	if s.poll = max(c.BusyPoll, 0); c.BusyPoll == 0 && runtime.GOMAXPROCS(0) > 1 {
		s.poll = defaultPoll
	}
	if c.Linger > maxLinger {
		return nil, fmt.Errorf("Config.Linger: %d seconds are more than %d", c.Linger, maxLinger)
	}
	// As SetLinger counts: below zero is the background, zero discards.
	switch s.conn.Linger = c.Linger; {
	case c.Linger == 0:
		s.conn.Linger = -1
	case c.Linger < 0:
		s.conn.Linger = 0
	}
	s.conn.KeepAlive = c.KeepAlive
	s.engine = tcpcore.Maker(s.core)
	return s, nil
}
