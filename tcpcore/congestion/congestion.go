// Package congestion decides how much a connection may have in flight. A
// Controller is given numbers and answers with a window and a pacing rate; it
// never sees the engine, reads no clock and keeps no packet. What is lost is
// decided elsewhere (tcpcore's recovery); what to do about it is decided here.
package congestion

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Controller is one connection's congestion control. The engine calls it from one
// goroutine at a time. Sizes are bytes, times are since the endpoint began. A type
// that embeds Base need only have the methods that it cares for.
type Controller interface {
	// Name is what conn.Conn.Info shows as CongestionControl; of a registered one that of New.
	Name() string
	// Start is called once, when the connection is established or the controller replaces
	// another one, before any other call.
	Start(Start)
	// OnSend is called before a segment with data is sent. Of new segments that leave at once,
	// one after the other, it is called for the first, and need not be for the others.
	OnSend(Send)
	// OnAck is called for every acknowledgment that acknowledges something new,
	// cumulatively or selectively, after OnLost and OnLoss of the same
	// acknowledgment. It may keep nothing of a.
	OnAck(a *Ack)
	// OnLost is called for each segment that is newly taken for lost.
	OnLost(*Lost)
	// OnLoss is called once per congestion event: on entering fast recovery, at the
	// first retransmission timeout of a segment, at an ECN echo (once a round trip).
	OnLoss(Loss)
	// OnRecovered is called when the recovery that OnLoss began has ended.
	OnRecovered(now time.Duration)
	// OnSpurious is called when the last OnLoss turns out to have been wrong: nothing
	// was lost. What it took is to be given back.
	OnSpurious(now time.Duration)
	// OnMSS is called when the segment size changes.
	OnMSS(mss int)
	// Window is how much may be in flight now. During a fast recovery the engine may
	// send less (PRR), unless Reduces reports false.
	Window() int
	// Threshold is the slow start threshold; Infinite while there is none.
	Threshold() int
	// PacingRate is in bytes per second; 0 leaves sending unpaced.
	PacingRate() int64
	// Reduces reports whether a loss reduces the window towards Threshold, so that
	// proportional rate reduction (RFC 6937) shall do it smoothly. A controller that
	// models the path instead does its own.
	Reduces() bool
}

// Infinite is the threshold before the first congestion event (RFC 5681 section
// 3.1: "arbitrarily high").
const Infinite = math.MaxInt

// Start is what a controller knows at the beginning.
type Start struct {
	Now    time.Duration
	MSS    int // of data in a full segment
	Window int // initial window, bytes
	// Carried and Threshold are the window and the slow start threshold of the controller
	// that this one replaces while the connection runs, in bytes; 0 if it replaces none.
	// The initial window is then only what idle time leads back to.
	Carried, Threshold int
	RTT                time.Duration // of the handshake; 0 if it was not measured
	// NoSACK: the peer acknowledges nothing selectively, so that of several losses
	// in a round trip only one is seen.
	NoSACK bool
	// AfterIdle is what to do with a window that was not used.
	AfterIdle AfterIdle
	// Seed is for a controller that draws lots: the same seed, the same lots.
	Seed uint64
}

// Send is one segment about to be sent.
type Send struct {
	Now        time.Duration
	InFlight   int  // before it
	Idle       bool // nothing was in flight, and nothing was sent for an RTO (RFC 5681 section 4.1)
	Retransmit bool
	IdleFor    time.Duration // since the last segment, if Idle
	RTO        time.Duration // without back-off
	// IdleAppLimited: nothing was in flight, and the application was why.
	IdleAppLimited bool
}

// Ack is one acknowledgment of something new.
type Ack struct {
	Now         time.Duration
	Acked       int           // newly acknowledged cumulatively
	Sacked      int           // newly acknowledged selectively
	Prior       int           // in flight before this acknowledgment
	InFlight    int           // in flight after it
	Lost        int           // newly taken for lost because of it
	RTT         time.Duration // this acknowledgment's sample; 0 if none
	SRTT        time.Duration // smoothed
	MinRTT      time.Duration // smallest sample of the connection
	InRecovery  bool          // fast recovery is going on
	AfterRTO    bool          // what was outstanding at the last timeout is not yet acknowledged
	CwndLimited bool          // the window was why no more was in flight
	Marked      int           // what is acknowledged by one that echoes a mark; RFC 3168 tells no more
	// Delivered and TotalLost count all bytes of the connection so far: C.delivered
	// and C.lost of draft-ietf-ccwg-bbr.
	Delivered, TotalLost int64
	Sample               RateSample
}

// RateSample is a delivery rate sample (draft-ietf-ccwg-bbr, section "Delivery Rate
// Samples"), taken from the most recently sent segment that was acknowledged.
type RateSample struct {
	Rate           int64         // bytes per second; 0 if there is no sample
	Delivered      int64         // bytes delivered over Interval
	PriorDelivered int64         // C.delivered when the segment was sent
	Interval       time.Duration // the longer of the send and the ACK interval
	AppLimited     bool          // the segment was sent in an application-limited phase
	TxInFlight     int           // in flight when the segment was sent, itself included
	Lost           int64         // lost between its sending and now
}

// Lost is one segment that is taken for lost.
type Lost struct {
	Now        time.Duration
	Seq        uint32 // where it begins, to tell one hole from two
	Size       int
	TxInFlight int   // as in RateSample
	Lost       int64 // C.lost since it was sent, itself included
	Delivered  int64 // C.delivered when it was sent
	AppLimited bool
	InFlight   int   // now
	TotalLost  int64 // C.lost, itself included
}

// Cause is why the controller is told of a loss.
type Cause uint8

// The causes.
const (
	FastRetransmit Cause = iota // duplicate acknowledgments, SACK or RACK show a loss
	Timeout                     // the retransmission timer fired
	ECN                         // the peer echoed a congestion mark
)

// Loss is one congestion event.
type Loss struct {
	Now      time.Duration
	Cause    Cause
	InFlight int // FlightSize of RFC 5681: sent and not cumulatively acknowledged
	Pipe     int // in flight as RFC 6675 counts it
	Lost     int // newly taken for lost
}

// New returns a controller by name, or an error that lists the known ones.
func New(name string) (Controller, error) {
	f, err := Maker(name)
	if err != nil {
		return nil, err
	}
	return f(), nil
}

// Maker returns what makes controllers of the name, each for a connection of its own.
func Maker(name string) (func() Controller, error) {
	if f, ok := registry[name]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("congestion control %q is not one of %q", name, Names())
}

// Names lists the known controllers in order.
func Names() []string {
	names := make([]string, 0, len(registry))
	for n := range registry {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

var registry = map[string]func() Controller{
	"bbr":   NewBBR,
	"cubic": NewCubic,
	"reno":  NewReno,
}
