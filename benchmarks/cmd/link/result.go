package main

import (
	"time"

	"example.com/culvert/benchmarks/link"
)

// A result is one transfer, or two at once. It is what -json writes.
type result struct {
	Path  string
	Round int
	Seed  uint64
	Flows []flow
	Link  *link.Report
	// Others is the share of the machine's CPUs that was busy with other things.
	Others float64
	// Void says why it does not count; empty if it does.
	Void string `json:",omitempty"`
	// Failed says what went wrong with the transfer itself; it counts as no goodput.
	Failed string `json:",omitempty"`
}

// A flow is one sender and its receiver. Times are in seconds.
type flow struct {
	Stack    string
	Seconds  float64 // of the window that counts
	Bytes    uint64  // that the receiver had read within it
	Goodput  float64 // bytes per second
	Longest  float64 // the longest time without a byte for the receiver
	CPU      float64 // of both processes, user and system
	Sender   senderResult
	Receiver receiverResult
}

// senderResult is what a sending process reports at the end.
type senderResult struct {
	CPU   float64
	Sent  counters
	Trace []point
}

// counters are what a stack tells of a connection, as far as it does.
type counters struct {
	Known              bool
	Segments, Bytes    uint64 // with data, sent for the first time or again
	Retransmits        uint64 // segments
	BytesRetransmitted uint64
	Spurious           uint64 // segments sent again that had arrived
	Timeouts           uint64
}

// point is a sender's state at a time since the start. Sizes are bytes; 0 is unknown.
type point struct {
	At, RTT      float64
	Cwnd, Flight int
}

// receiverResult is what a receiving process reports at the end.
type receiverResult struct {
	CPU  float64
	Read []progress
	// Duplicates are segments in which nothing was new, if the stack tells.
	Duplicates uint64
	Corrupt    bool // what was read is not what was sent
}

// progress is how many bytes had been read at a time on the clock of link.Now.
type progress struct {
	At    time.Duration
	Bytes uint64
}

// between is how many bytes were read in a window, and the longest time in it without
// any.
func (r *receiverResult) between(from, to time.Duration) (n uint64, longest time.Duration) {
	last := from
	var before, until uint64
	for _, p := range r.Read {
		if p.At > to {
			break
		}
		until = p.Bytes
		if p.At <= from {
			before = p.Bytes
			continue
		}
		longest = max(longest, p.At-last)
		last = p.At
	}
	return until - before, max(longest, to-last)
}

// keepEvery is the time between the notes of progress that a result keeps.
const keepEvery = 50 * time.Millisecond

// thin leaves out most of the notes, and counts their times from the start.
func thin(notes []progress, start time.Duration) (kept []progress) {
	for i, p := range notes {
		if n := len(kept); n == 0 || i == len(notes)-1 || p.At-start-kept[n-1].At >= keepEvery {
			kept = append(kept, progress{p.At - start, p.Bytes})
		}
	}
	return kept
}
