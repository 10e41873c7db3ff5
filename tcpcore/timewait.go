package tcpcore

import "example.com/culvert/tcpcore/segment"

// TimeWaitRecord is a connection in TIME-WAIT reduced to what its duty needs.
type TimeWaitRecord struct{ expires Time }

// Expires tells when the record may be dropped.
func (r *TimeWaitRecord) Expires() Time { return r.expires }

// Input handles a segment that arrives for the record: it appends a reply, if one is due, to b. reopen
// means that s is a SYN for a new connection (RFC 6191, RFC 9293 MAY-2): drop the record
// and let the listener, if there is one, have s.
func (r *TimeWaitRecord) Input(now Time, s *segment.Segment, b []byte) (reply []byte, reopen bool) {
	return b, false
}
