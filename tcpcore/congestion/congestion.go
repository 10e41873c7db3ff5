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
// goroutine at a time. Sizes are bytes, times are since the endpoint began.
type Controller interface {
	// Name is the registered name, as in New.
	Name() string
	// Start is called once, when the connection is established, before any other call.
	Start(Start)
	// OnAck is called for every acknowledgment that acknowledges new data,
	// cumulatively or selectively.
	OnAck(Ack)
	// OnLoss is called once per congestion event: on entering fast recovery,
	// at the first retransmission timeout of a segment, at an ECN echo.
	OnLoss(Loss)
	// OnRecovered is called when the recovery that OnLoss began has ended.
	OnRecovered(now time.Duration)
	// OnIdle is called before sending after an idle time of at least one RTO
	// (RFC 5681 section 4.1).
	OnIdle(now time.Duration)
	// OnMSS is called when the segment size changes.
	OnMSS(mss int)
	// Window is how much may be in flight now.
	Window() int
	// Threshold is the slow start threshold; math.MaxInt while there is none.
	Threshold() int
	// PacingRate is in bytes per second; 0 leaves sending unpaced.
	PacingRate() int64
}

// Infinite is the threshold before the first congestion event (RFC 5681 section
// 3.1: "arbitrarily high").
const Infinite = math.MaxInt

// Start is what a controller knows at the beginning.
type Start struct {
	Now    time.Duration
	MSS    int // of data in a full segment
	Window int // initial window, bytes
}

// Ack is one acknowledgment of new data.
type Ack struct {
	Now          time.Duration
	Acked        int           // newly acknowledged cumulatively
	Sacked       int           // newly acknowledged selectively
	InFlight     int           // before this acknowledgment
	RTT          time.Duration // this acknowledgment's sample; 0 if none
	SRTT         time.Duration // smoothed
	MinRTT       time.Duration
	InRecovery   bool // fast recovery is going on
	AppLimited   bool // the window was not the reason why no more was in flight
	AfterRTO     bool // what was outstanding at the last timeout is not yet acknowledged
	Delivered    int64
	DeliveryRate int64 // bytes per second, 0 if unknown
}

// Cause is why the controller is told of a loss.
type Cause uint8

// The causes.
const (
	FastRetransmit Cause = iota // duplicate acknowledgments or SACK show a loss
	Timeout                     // the retransmission timer fired
	ECN                         // the peer echoed a congestion mark
)

// Loss is one congestion event.
type Loss struct {
	Now      time.Duration
	Cause    Cause
	InFlight int // FlightSize of RFC 5681: sent and not cumulatively acknowledged
	Lost     int // newly taken for lost
}

// New returns a controller by name, or an error that lists the known ones.
func New(name string) (Controller, error) {
	if f, ok := registry[name]; ok {
		return f(), nil
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
	"reno": NewReno,
}
