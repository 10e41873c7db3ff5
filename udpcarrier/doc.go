// Package udpcarrier carries TCP segments in UDP datagrams, one segment a
// datagram. It is a [carrier.Carrier] over a UDP socket of the system, over any
// net.PacketConn, and over the networks of github.com/pion/transport.
//
// What it does: sends and receives in batches (sendmmsg and recvmmsg on Linux, one
// datagram a call elsewhere), and trains of equal segments in one piece, which the
// kernel or the device divides (UDP_SEGMENT, GSO) and joins again (UDP_GRO); answers
// from the address a peer asked, on a wildcard socket too; sets Don't Fragment, so that
// path MTU discovery works; tells what a datagram can carry to a peer (MMS); turns ICMP
// errors into reports; asks for large socket buffers.
//
// What it never does: look into a segment, keep one, retransmit, pace, or start a
// goroutine. A datagram too short to be a segment is handed on; its reader decides.
//
// What each system honours:
//
//	                          Linux   macOS, FreeBSD   Windows, others   PacketConn
//	batches                   yes     on arrival       no                no
//	trains in one piece       yes     no               no                no
//	Don't Fragment            yes     yes              Windows           no
//	source address (Local)    yes     yes              no                no
//	TrafficClass, HopLimit    yes     no               no                no
//	TrafficClass on arrival   yes     no               no                no
//	MMS from the route's MTU  yes     interface's MTU  interface's MTU   1500, or Options.MTU
//	ICMP errors, unconnected  yes     no               no                no
//	ICMP errors, connected    yes     yes              no                if its ReadFrom tells
//
// On Linux GSO and GRO are worth about five times the throughput, and are used where the
// socket has them (since Linux 4.18 and 5.0). A train that is refused (EIO, EINVAL,
// EMSGSIZE) goes at once as single segments, and if that works the path takes none
// for ten minutes: to that address, from any carrier of the process. Who sees that a kernel or a driver spoils trains says so with
// [Carrier.DistrustTrains]. By hand they are switched off with Options.NoGSO and
// NoGRO, or for a whole process by setting the environment variables CULVERT_NO_GSO
// and CULVERT_NO_GRO to 1. Stats and one line to Options.Logger tell of it.
// CULVERT_NO_BATCH does without sendmmsg and recvmmsg as well: a datagram a call, and about
// the services of the second column above. It shows what the code for other systems does.
//
// The socket's buffers are raised to Options.ReceiveBuffer and SendBuffer, beyond
// net.core.rmem_max and wmem_max if the process may (CAP_NET_ADMIN), otherwise up to
// them; Carrier.Buffers tells what was granted. What overflows counts in Stats.
//
// Start reading at Carrier; the systems' ways of moving bytes are in mmsg_linux.go,
// send_linux.go and receive_linux.go (batches), portable.go, portable_unix.go and
// portable_other.go (any *net.UDPConn) and packet.go (any net.PacketConn).
package udpcarrier
