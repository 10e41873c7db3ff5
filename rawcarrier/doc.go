// Package rawcarrier carries TCP segments directly in IPv4 datagrams, protocol number
// 6, so that the other end may be any TCP: that of a kernel, for example. It is a
// [carrier.Carrier] over a raw socket of Linux (Listen and Dial), for which the process
// needs CAP_NET_RAW, and with some kernels CAP_NET_ADMIN. On other systems it builds, and says
// so when it is used.
//
// What it does: sends and receives in batches (sendmmsg, recvmmsg); lets the kernel
// choose the route and fill in the IP header, with Don't Fragment set, so that larger
// datagrams than the kernel believes in may be tried (RFC 4821); receives only
// the segments for its own port, which the kernel selects (a socket filter); turns
// ICMP errors into reports with what they quote of our segment.
//
// What it never does: answer a segment, keep one, retransmit, pace, or start a
// goroutine. It looks at a segment's ports and checksum, and at nothing else.
//
// # Keeping the kernel quiet
//
// The kernel's own TCP sees every segment, too, and would answer those of our
// connections with resets. So a carrier holds its port with a TCP socket of the kernel
// that is bound, listens, and has a filter that drops everything. It also keeps the
// port from everybody else, and somebody else's is EADDRINUSE here. The kernel closes
// it with the carrier or with the process, however that ends. No firewall rule is made.
//
// # Checksums
//
// Segments are to be handed over with their checksum (Caps.Checksum). One that arrives
// may have none: a sender on the same host, in another network namespace or on the
// other side of a virtual machine's interface leaves it to a device which there is not,
// and Linux, when it joins several segments to one (GRO), verifies theirs and leaves
// the same mark. The field then holds the sum of the pseudo-header alone. Such a
// segment is handed on as Datagram.Verified, after that sum was compared; it may be far
// longer than the path's MTU, up to a datagram's 65535 octets, and is no train. An
// altered segment passes by this rule with the chance of 2^-16 that the checksum itself
// leaves it.
//
// TUN is another way in: a TUN device on which an address belongs to us, so that no port of
// the kernel is touched.
//
// Start reading at Carrier; the raw socket is in socket_linux.go, the port's holder in
// holder_linux.go, ICMP in icmp.go.
package rawcarrier
