package udpcarrier

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/interfaces"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// socket is a UDP socket of the system, and what both ways of using one share.
type socket struct {
	c        *Carrier
	udp      *net.UDPConn
	raw      syscall.RawConn
	inet6    bool // an IPv6 socket, whatever it carries
	wildcard bool // bound to no address: the local one is another for each peer
	gso, gro bool // it sends trains in one piece; it may receive several segments in one
	cache    *mtuCache
	// whole4 and whole6 tell that no datagram of the family is ever fragmented.
	whole4, whole6 bool

	interrupted atomic.Bool // interrupt was called, and no reader has noticed
}

// interrupt calls back whoever reads.
func (s *socket) interrupt() {
	s.interrupted.Store(true)
	s.udp.SetReadDeadline(time.Unix(1, 0))
}

// resume is for a reader whose deadline has passed. The deadline goes before the mark is
// looked at: a call that comes between is noticed now, and one that comes later sets
// the deadline again.
func (s *socket) resume() error {
	err := s.udp.SetReadDeadline(time.Time{})
	if s.interrupted.Swap(false) {
		return carrier.ErrInterrupted
	}
	return err
}

// prepare sets the socket's options. Only those fail that nothing works without:
// an option that a system lacks is a service less (see the package comment).
func (s *socket) prepare() error {
	local := s.udp.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	s.wildcard = local.IsUnspecified()
	err := s.raw.Control(func(fd uintptr) {
		s.inet6 = isInet6(fd, local)
		setOptions(fd, s)
		setBuffers(fd, s.udp, &s.c.opts)
		s.c.recv, s.c.send = buffers(fd)
	})
	if err == nil && s.wildcard {
		s.askLocal()
	}
	return err
}

// askLocal has the address that each datagram was sent to reported: on a wildcard it is
// what a reply must come from. An IPv6 socket is asked for IPv4's as well, since it may be
// dual-stack; a system that cannot tell leaves the choice of the source to itself.
func (s *socket) askLocal() {
	ipv4.NewPacketConn(s.udp).SetControlMessage(ipv4.FlagDst, true)
	if s.inet6 {
		ipv6.NewPacketConn(s.udp).SetControlMessage(ipv6.FlagDst, true)
	}
}

// mtu is the route's MTU: asked of the connected socket, or cached per peer.
func (s *socket) mtu(peer netip.AddrPort) int {
	if !peer.IsValid() {
		return 0
	}
	if s.c.caps.Connected.IsValid() {
		if mtu := socketMTU(s.raw, s.inet6); mtu > 0 {
			return mtu
		}
	}
	return s.cache.get(peer.Addr()).mtu
}

// maxMTU is what the interface takes on the way to peer, 0 if datagrams may be fragmented.
func (s *socket) maxMTU(peer netip.AddrPort) int {
	whole := s.whole6
	if peer.Addr().Unmap().Is4() {
		whole = s.whole4
	}
	if !whole || !peer.IsValid() {
		return 0
	}
	if local := s.c.local.Addr(); s.c.caps.Connected.IsValid() || !s.wildcard {
		if mtu := interfaces.MTU(local); mtu > 0 {
			return mtu // the route's is a system call, and no more but where the address is another interface's
		}
		return s.mtu(peer)
	}
	return s.cache.get(peer.Addr()).max
}

// to is whom d goes to.
func (s *socket) to(d *carrier.Datagram) netip.AddrPort {
	if p := s.c.caps.Connected; p.IsValid() {
		return p
	}
	return d.Peer
}

// writeError is what call met with, as package net would return it.
func (s *socket) writeError(call string, d *carrier.Datagram, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(call, err)
	}
	op := &net.OpError{Op: "write", Net: "udp", Source: net.UDPAddrFromAddrPort(s.c.local), Err: err}
	if to := s.to(d); to.IsValid() {
		op.Addr = net.UDPAddrFromAddrPort(to)
	}
	return op
}

// bound is the socket's own address, the zero Addr if it has none.
func (s *socket) bound() netip.Addr {
	if s.wildcard {
		return netip.Addr{}
	}
	return s.c.local.Addr()
}

// source is what a control message must say about the source address: the zero
// Addr if the socket's own, or the system's choice, will do.
func (s *socket) source(d *carrier.Datagram) netip.Addr {
	if !s.wildcard || !d.Local.IsValid() || d.Local.IsUnspecified() {
		return netip.Addr{}
	}
	return d.Local.Unmap()
}

// control appends the control messages for d, none if the socket's defaults say it all.
func (s *socket) control(b []byte, d *carrier.Datagram, to netip.AddrPort) []byte {
	k := controlKey{source: s.source(d), v4: to.Addr().Is4() || !s.inet6}
	if s.c.caps.TrafficClass {
		k.trafficClass, k.hopLimit = d.TrafficClass, d.HopLimit
	}
	if s.c.caps.Connected.IsValid() {
		k.v4 = s.c.caps.Connected.Addr().Is4()
	}
	return appendControl(b, k)
}

// controlKey is what control messages say of a datagram to be sent.
type controlKey struct {
	source       netip.Addr // the zero Addr: the system's choice
	trafficClass uint8
	hopLimit     uint8  // 0: the system's default
	v4           bool   // the datagram is IPv4, whatever the socket
	segmentSize  uint16 // of a train for the system to divide; 0: it is none
}

// received is what control messages say of what was received.
type received struct {
	local        netip.Addr // the zero Addr: they do not tell
	trafficClass uint8
	segmentSize  int // of several that the system made one of; 0: it did not
}
