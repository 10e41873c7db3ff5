package tcpcore

// State is a connection state of RFC 9293 section 3.3.2.
type State uint8

// The eleven states.
const (
	Closed State = iota
	Listen
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

var stateNames = [...]string{
	"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

// String returns the RFC's spelling.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "BUG: no such state"
}

// Synchronized reports whether both sides know each other's initial sequence
// number: ESTABLISHED and later (RFC 9293 section 3.5.1, "synchronized states").
func (s State) Synchronized() bool { return s >= Established }

// canReceive reports whether the peer may still send data (section 3.10.7.4, seventh step).
func (s State) canReceive() bool {
	return s == Established || s == FinWait1 || s == FinWait2
}
