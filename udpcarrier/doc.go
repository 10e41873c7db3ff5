// Package udpcarrier carries TCP segments in UDP datagrams, one segment a
// datagram. It is a [carrier.Carrier] over a UDP socket of the system, over any
// net.PacketConn, and over the networks of github.com/pion/transport.
//
// What it does: sends and receives in batches (sendmmsg and recvmmsg on Linux, one
// datagram a call elsewhere); answers from the address a peer asked, on a wildcard
// socket too; sets Don't Fragment, so that path MTU discovery works; tells what a
// datagram can carry to a peer (MMS); turns ICMP errors into reports; asks for
// large socket buffers.
//
// What it never does: look into a segment, keep one, retransmit, pace, or start a
// goroutine. A datagram too short to be a segment is handed on; its reader decides.
//
// What each system honours:
//
//	                          Linux   macOS, FreeBSD   Windows, others   PacketConn
//	batches                   yes     no               no                no
//	Don't Fragment            yes     yes              Windows           no
//	source address (Local)    yes     yes              no                no
//	TrafficClass, HopLimit    yes     no               no                no
//	TrafficClass on arrival   yes     no               no                no
//	MMS from the route's MTU  yes     interface's MTU  interface's MTU   1500, or Options.MTU
//	ICMP errors, unconnected  yes     no               no                no
//	ICMP errors, connected    yes     yes              no                if its ReadFrom tells
//
// Start reading at Carrier; the systems' ways of moving bytes are in mmsg_linux.go
// (batches), socket.go (any *net.UDPConn) and packet.go (any net.PacketConn).
package udpcarrier
