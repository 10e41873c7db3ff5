package udpcarrier

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"example.com/culvert/carrier"
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
			e, mtu := parseExtendedError(oob[:oobn])
			if e == 0 {
				continue
			}
			d := carrier.Datagram{Peer: peerOf(from), Local: reportedTo(oob[:oobn]), Data: quote[:n:n], Err: e}
			if l.c.caps.Connected.IsValid() {
				d.Peer = l.c.caps.Connected
			}
			if e == unix.EMSGSIZE && mtu > 0 {
				d.SegmentSize = max(1, narrow(d.Peer.Addr(), mtu))
			}
			l.cache.forget(d.Peer.Addr(), e)
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

// parseExtendedError finds struct sock_extended_err among control messages, and the MTU that
// the report names with EMSGSIZE. It returns 0 for what no router sent: a local error was
// returned to whoever sent.
func parseExtendedError(b []byte) (e syscall.Errno, mtu int) {
	for len(b) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			break
		}
		ours := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR ||
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR
		// ee_errno (4 bytes), ee_origin, ee_type, ee_code, ee_pad, ee_info (4).
		if ours && len(data) >= 5 {
			switch data[4] {
			case unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6:
				if len(data) >= 12 {
					mtu = int(min(binary.NativeEndian.Uint32(data[8:]), maxMTU))
				}
				return syscall.Errno(binary.NativeEndian.Uint32(data)), mtu
			}
		}
		b = rest
	}
	return 0, 0
}

// reportedTo is the address that a report was sent to, from which the segment came that it is
// about: on a wildcard a connection is known by it.
func reportedTo(b []byte) (a netip.Addr) {
	for len(b) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			break
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			a = netip.AddrFrom4([4]byte(data[8:12])) // ipi_addr; ipi_spec_dst is not filled in
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo && !a.IsValid():
			a = netip.AddrFrom16([16]byte(data[:16])).Unmap()
		}
		b = rest
	}
	return a
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
