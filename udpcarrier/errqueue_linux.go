package udpcarrier

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/cmsg"
	"golang.org/x/sys/unix"
)

// Bounds of what is taken from the error queue at once; more waits for the next call.
const (
	maxReports = 16
	// maxQuote is enough of a segment to know it by: a TCP header with options.
	maxQuote = 128
)

// reports takes ICMP errors from the socket's error queue (IP_RECVERR of ip(7)); nil
// if it holds none about a peer.
func (l *batchLink) reports() *carrier.Batch {
	var b carrier.Batch
	l.raw.Control(func(fd uintptr) {
		var oob [512]byte
		for range maxReports {
			quote := make([]byte, maxQuote)
			n, oobn, _, from, err := unix.Recvmsg(int(fd), quote, oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			e := parseReport(oob[:oobn])
			if e.errno == 0 {
				continue
			}
			d := carrier.Datagram{Peer: peerOf(from), Local: e.to, Data: quote[:n:n], Err: e.errno}
			if l.c.caps.Connected.IsValid() {
				d.Peer = l.c.caps.Connected
			}
			if e.errno == unix.EMSGSIZE && e.mtu > 0 {
				d.SegmentSize = max(1, narrow(d.Peer.Addr(), e.mtu))
			}
			l.cache.forget(d.Peer.Addr(), e.errno)
			if d.Peer.IsValid() {
				b.Datagrams = append(b.Datagrams, d)
			}
		}
	})
	if len(b.Datagrams) == 0 {
		return nil
	}
	return &b
}

// icmpError is what the control messages of a report say.
type icmpError struct {
	errno syscall.Errno // 0: no router sent it; a local error was returned to whoever sent
	mtu   int           // that the report names with EMSGSIZE; 0: none
	// to is the address that the report was sent to, from which the segment came that it is
	// about: on a wildcard a connection is known by it.
	to netip.Addr
}

// parseReport reads the control messages of a report, struct sock_extended_err among them.
func parseReport(b []byte) (e icmpError) {
	for h, data := range cmsg.All(b) {
		switch h {
		case cmsg.Kind{Level: unix.IPPROTO_IP, Type: unix.IP_RECVERR}, cmsg.Kind{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_RECVERR}:
			// ee_errno (4 bytes), ee_origin, ee_type, ee_code, ee_pad, ee_info (4).
			if len(data) < 5 || data[4] != unix.SO_EE_ORIGIN_ICMP && data[4] != unix.SO_EE_ORIGIN_ICMP6 {
				continue
			}
			e.errno = syscall.Errno(binary.NativeEndian.Uint32(data))
			if len(data) >= 12 {
				e.mtu = int(min(binary.NativeEndian.Uint32(data[8:]), maxMTU))
			}
		case cmsg.Kind{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO}:
			if len(data) >= unix.SizeofInet4Pktinfo {
				e.to = netip.AddrFrom4([4]byte(data[8:12])) // ipi_addr; ipi_spec_dst is not filled in
			}
		case cmsg.Kind{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_PKTINFO}:
			if len(data) >= unix.SizeofInet6Pktinfo && !e.to.IsValid() {
				e.to = netip.AddrFrom16([16]byte(data[:16])).Unmap()
			}
		}
	}
	return e
}

// peerOf is the destination of the segment that a report is about.
func peerOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 && a.Is6() {
			a = a.WithZone(zones.name(sa.ZoneId))
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}
