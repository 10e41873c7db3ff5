// Package tcpcore is TCP: the state machine of RFC 9293 with window scale,
// timestamps and SACK (RFC 7323, 2018, 2883), retransmission (RFC 6298, 5681,
// 6582, 6675) and the defences of RFC 5961, for one connection.
//
// It contains no networking code, reads no clock, takes no lock, starts no
// goroutine and asks for no randomness: segments, the time and the user's calls
// come in as arguments, segments and the time of the next call go out as results,
// and the same calls always give the same answers. Whoever owns an Engine
// serializes the calls.
//
// Segment arrival is in input.go, step by step as in RFC 9293 section 3.10.7; the
// user's calls of sections 3.10.1 to 3.10.6 are in user.go; what is sent, and when,
// is in output.go; what is lost in recovery.go. Names are those of the RFC.
package tcpcore
