package tcpcore

// Error is an answer of the engine to its user. The engine knows no operating
// system; conn translates to what package net's users expect.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// The errors of user calls (RFC 9293 section 3.10) and of a dead connection.
const (
	// ErrWouldBlock: nothing to read or no room to write yet; ask again after an event.
	ErrWouldBlock Error = "operation would block"
	// ErrNotOpen: the connection does not exist.
	ErrNotOpen Error = "connection does not exist"
	// ErrExists: OPEN on a connection that is open already.
	ErrExists Error = "connection already exists"
	// ErrClosing: the user closed this direction, or the connection, already.
	ErrClosing Error = "connection closing"
	// ErrRefused: the peer answered the SYN with RST, or the network with a hard error.
	ErrRefused Error = "connection refused"
	// ErrReset: the peer aborted the connection.
	ErrReset Error = "connection reset"
	// ErrAborted: the user aborted the connection.
	ErrAborted Error = "connection aborted"
	// ErrTimeout: R2, the user timeout or the keep-alive limit passed without an answer.
	ErrTimeout Error = "connection timed out"
)

// Event is a set of things that happened since Events was last called.
type Event uint16

// The events.
const (
	// EvEstablished: the connection became ESTABLISHED (or CLOSE-WAIT at once).
	EvEstablished Event = 1 << iota
	// EvReadable: Read has something new to tell: data, the end, or an error.
	EvReadable
	// EvWritable: Write has something new to tell: room or an error.
	EvWritable
	// EvClosed: the state became CLOSED; Err tells why.
	EvClosed
	// EvTimeWait: the state became TIME-WAIT.
	EvTimeWait
	// EvListen: the state became LISTEN, by a passive OPEN or because a handshake came to nothing.
	EvListen
	// EvUrgent: an urgent pointer arrived or advanced (RFC 9293 MUST-32).
	EvUrgent
	// EvSoftError: the network reported a soft error (RFC 9293 MUST-47); see Info.
	EvSoftError
	// EvSuspect: retransmissions passed R1 (RFC 9293 MUST-20, SHLD-9): the path may be broken.
	EvSuspect
	// EvAcked: everything written, and the FIN if there is one, has been acknowledged.
	EvAcked
	// EvPathMTU: the segments that we send became larger or smaller, since it was found out
	// what the path takes; see Info.SendMSS.
	EvPathMTU
	// EvTrainsSpoiled: of the trains that Output made, the first segment arrives and the rest is
	// lost, again and again: something below spoils them. Whoever sends them should send
	// their segments one by one.
	EvTrainsSpoiled
)
