// Package carrier is the vocabulary between culvert's TCP and whatever carries
// its segments. It holds no code that moves bytes: udpcarrier does that over UDP,
// and any user may do so over something else. Package carriertest checks an
// implementation against this contract.
//
// A carrier moves segments (TCP header, options and data, as RFC 9293 section 3.1
// lays them out) between socket addresses. It may lose, duplicate and reorder
// them, but never fragments, joins or alters one. It knows nothing of connections.
package carrier

import (
	"errors"
	"net"
	"net/netip"
)

// A Carrier sends and receives segments in batches. One goroutine at a time may
// call ReadBatch; WriteBatch, MMS and Close may be called by any number at once.
type Carrier interface {
	// ReadBatch blocks until at least one datagram or network error report has
	// arrived and returns all that is at hand, up to what the carrier thinks a
	// batch, in the order of arrival. The caller owns the batch until it calls
	// Release. A carrier that waits holds no large buffer if what it stands on can
	// tell that something has arrived. After Close it returns an error for which
	// errors.Is(err, net.ErrClosed) holds; any other error but ErrInterrupted is final
	// as well.
	ReadBatch() (*Batch, error)

	// WriteBatch sends the datagrams in order and borrows them until it returns. It
	// waits while the system has no room, not for the network.
	// It reports how many were handed over; err tells why the next one was not.
	// errors.Is knows it: syscall.EMSGSIZE when it exceeds what the path takes now
	// (see MMS), net.ErrClosed after Close, an error about this peer or this
	// moment otherwise (ENETUNREACH, ENOBUFS ...). Later datagrams may still be
	// sent by calling again. A carrier without Caps.Trains takes trains apart
	// itself; a train counts when all its segments were handed over, so that some
	// of the one that failed may be on their way.
	WriteBatch(ds []Datagram) (n int, err error)

	// LocalAddr is the address the carrier receives on; its IP is unspecified
	// for a wildcard.
	LocalAddr() netip.AddrPort

	// MMS returns the largest segment, header and options included, that one
	// datagram to peer can carry at present without fragmentation
	// (MMS_S and MMS_R of RFC 9293 section 3.7.1), in bytes.
	MMS(peer netip.AddrPort) int

	// Caps tells what the carrier can do; it does not change.
	Caps() Caps

	// Close releases the socket and unblocks ReadBatch and WriteBatch. Closing again
	// does nothing and returns nil. LocalAddr, Caps and MMS go on answering.
	Close() error
}

// ErrInterrupted is what ReadBatch returns when Interrupt called it back. It is the one
// error that is not final.
var ErrInterrupted = errors.New("carrier: ReadBatch was interrupted")

// An Interrupter is a Carrier whose reader can be called back, so that whoever waits
// for a connection may read by itself: it has deadlines, and the carrier has none.
type Interrupter interface {
	Carrier
	// Interrupt makes the ReadBatch that waits, or else the next one that would,
	// return ErrInterrupted. One too many does no harm. Nothing that arrives is lost by it.
	// Any number of goroutines may call it at once.
	Interrupt()
}

// A Placer is a Carrier that can have the system put the data of segments where it is
// wanted, which spares a copy.
type Placer interface {
	Carrier
	// ReadInto is ReadBatch which may write anywhere in p, until it returns. A datagram with
	// Heads is a segment whose data it has put into p: that of the first at the beginning, of
	// each other behind the one before, or farther on if that was short or was no segment. So
	// the data of one may be moved towards the beginning of p without a loss to those behind
	// it. Datagrams without Heads that bring data come after all those, and do not lie in p.
	ReadInto(p []byte) (*Batch, error)
	// Reads reports whether ReadInto does for c what c's ReadBatch does. It does not for one that
	// embeds the Placer and has a ReadBatch of its own, which would be passed by: false for
	// whatever is not the Placer itself.
	Reads(c Carrier) bool
}

// A Poller is a Carrier that can be asked without waiting: who expects something at once asks
// for a moment before it waits, since a goroutine that sleeps is slow to wake up.
type Poller interface {
	Carrier
	// Poll is ReadBatch that returns nil where it would wait, and ReadInto if it is given a p and
	// the carrier is a Placer. It needs Caps.Poll.
	Poll(p []byte) (*Batch, error)
	// Reads reports whether Poll does for c what c's ReadBatch does; see Placer.
	Reads(c Carrier) bool
}

// A Prober is a Carrier that tries datagrams larger than MMS says if it is given any: it
// never has one fragmented, by itself or on the way. So the connections above can find
// out by themselves what the path takes (RFC 4821, RFC 8899).
type Prober interface {
	// MaxMMS returns the largest segment, header and options included, that can be handed
	// over for peer, whatever the path beyond takes: what the interface takes, in bytes. It
	// may be called by any number of goroutines at once.
	MaxMMS(peer netip.AddrPort) int
}

// A Sourcer is a Carrier that can tell which address of ours it sends from.
type Sourcer interface {
	// Source returns the address that a segment for peer would come from, the zero Addr if
	// that is not known. It may be called by any number of goroutines at once.
	Source(peer netip.Addr) netip.Addr
}

// A Distruster is a Carrier that hands trains to the system in one piece, and need not.
type Distruster interface {
	// DistrustTrains has it send segments for peer one by one from now on, since something
	// on the path spoils trains. It may be called by any number of goroutines at once.
	DistrustTrains(peer netip.AddrPort)
}

// A Buffered is a Carrier whose datagrams wait in buffers of the system.
type Buffered interface {
	// Buffers returns how much the system granted for receiving and sending, in bytes as it
	// counts; 0 where it does not tell. Connections behind the carrier share it.
	Buffers() (recv, send int)
}

// Caps are the abilities of a carrier. The zero value promises nothing.
type Caps struct {
	// Trains: WriteBatch hands several equal segments to the system in one piece.
	Trains bool
	// TrafficClass: Datagram.TrafficClass is honoured on sending.
	TrafficClass bool
	// Gather: WriteBatch takes Datagram.Heads.
	Gather bool
	// Interrupt: the carrier is an Interrupter.
	Interrupt bool
	// Poll: the carrier is a Poller.
	Poll bool
	// HopLimit: Datagram.HopLimit is honoured on sending.
	HopLimit bool
	// Connected is the only peer, if the carrier has just one.
	Connected netip.AddrPort
	// Network is "udp" or "ip4:tcp".
	Network string
	// Checksum: segments must carry the TCP checksum, and it is to be verified
	// on arrival (RFC 9293 section 3.1). False where the carrier protects them.
	Checksum bool
	// SamePorts: nothing below TCP has ports, so that those of LocalAddr and of
	// Datagram.Peer are the ones of the TCP header. LocalAddr's port is then the only one
	// that segments arrive at, or 0 if all do.
	SamePorts bool
}

// A Datagram is one segment, a train of equal segments, or an error report.
type Datagram struct {
	// Peer is the other end. A carrier with Caps.Connected sends to that peer
	// whatever stands here.
	Peer netip.AddrPort
	// Local is the address that the peer sent to, or that is to be the source;
	// the zero Addr leaves the choice to the system.
	Local netip.Addr
	// Data is one segment, or several of SegmentSize bytes each, the last of
	// which may be shorter.
	Data []byte
	// Heads, if it is not empty, is how the segments begin, HeadSize bytes for each, and Data
	// is only what follows these: TCP's headers, and its data where it lies in the send
	// buffer. Only a carrier with Caps.Gather is asked to send that, and
	// only Placer.ReadInto brings it: a single segment, whose header Heads is.
	Heads    []byte
	HeadSize int
	// SegmentSize divides Data (with Heads, it is the size of both parts together); 0
	// means that Data is a single segment. In a report of EMSGSIZE it is the largest
	// segment that would have passed; 0 is unknown.
	SegmentSize int
	// TrafficClass is the IPv4 TOS or IPv6 traffic class octet:
	// DSCP in the upper six bits, ECN (RFC 3168) in the lower two.
	TrafficClass uint8
	// HopLimit is the TTL or hop limit to send with; 0 is the system's default.
	HopLimit uint8
	// Verified, on reception only and with Caps.Checksum, says that the bytes are known
	// to be what was sent, and that the checksum need not be looked at.
	Verified bool
	// Err, on reception only, makes this the network's report (ICMP) that a
	// segment sent to Peer failed: a syscall.Errno such as ECONNREFUSED,
	// EHOSTUNREACH, ENETUNREACH or EMSGSIZE (ask MMS again if
	// SegmentSize does not tell). Reports can be forged and come late (RFC 5927): the
	// quoted segment is there to be checked. Data is then the beginning of the segment as
	// far as the report quotes it, or empty where the system does not tell.
	Err error
}

// ECN codepoints of RFC 3168 section 5, the lower two bits of TrafficClass.
const (
	NotECT = 0
	ECT1   = 1
	ECT0   = 2
	CE     = 3
)

// Segments calls yield for each segment of d in order.
func (d *Datagram) Segments(yield func([]byte) bool) {
	if d.SegmentSize <= 0 {
		yield(d.Data)
		return
	}
	for b := d.Data; len(b) > 0; {
		n := min(d.SegmentSize, len(b))
		if !yield(b[:n]) {
			return
		}
		b = b[n:]
	}
}

// A Batch is what one ReadBatch brought, valid until Release.
type Batch struct {
	Datagrams []Datagram
	// Free, if set, takes the buffers back.
	Free func(*Batch)
}

// Release gives the batch's buffers back to the carrier. The batch must not be
// used afterwards.
func (b *Batch) Release() {
	if b.Free != nil {
		b.Free(b)
	}
}

// Addr returns the net.Addr that users of a carrier's connections see: a
// *net.TCPAddr with the IP and the carrier's port.
func Addr(a netip.AddrPort) *net.TCPAddr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
}
