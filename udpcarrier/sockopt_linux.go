package udpcarrier

import (
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isInet6 tells the socket's family: a wildcard may be either.
func isInet6(fd uintptr, _ netip.Addr) bool {
	family, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && family == unix.AF_INET6
}

// setOptions asks for Don't Fragment, error reports, and the traffic class of each
// datagram. An IPv6 socket is asked for IPv4's as well: it may
// be dual-stack. What the kernel refuses is a service less.
func setOptions(fd uintptr, s *socket) {
	set := func(level, name, value int) bool { return unix.SetsockoptInt(int(fd), level, name, value) == nil }
	// Not DO, which refuses what is larger than the kernel believes the path to take:
	// probes must be able to find it wrong (RFC 4821).
	s.whole4 = set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	if !s.c.opts.portable {
		set(unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
		set(unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	}
	// Whether the kernel knows them is told by setting them, and a socket that was
	// handed to us may have them already: a size that sticks would cut our segments, and
	// buffers of several would be taken for one.
	known := set(unix.SOL_UDP, unix.UDP_SEGMENT, 0)
	s.gso = known && !s.c.opts.portable && !s.c.opts.NoGSO
	gro := 1
	if s.c.opts.portable || s.c.opts.NoGRO {
		gro = 0
	}
	s.gro = set(unix.SOL_UDP, unix.UDP_GRO, gro) && gro == 1
	if !s.inet6 {
		return
	}
	s.whole6 = set(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
	set(unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1)
	if !s.c.opts.portable {
		set(unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		set(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
}

// setBuffers asks for the socket's queues: above net.core.rmem_max if the process
// may, else as much as the kernel grants.
func setBuffers(fd uintptr, _ *net.UDPConn, o *Options) {
	set := func(name, force, value int) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, force, value) != nil {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, value)
		}
	}
	set(unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, o.ReceiveBuffer)
	set(unix.SO_SNDBUF, unix.SO_SNDBUFFORCE, o.SendBuffer)
}

// buffers tells what was granted.
func buffers(fd uintptr) (recv, send int) {
	recv, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	send, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	return recv, send
}

// overflows is the kernel's count of datagrams that found the receive buffer full.
func overflows(u *net.UDPConn) uint64 {
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	var info [unix.SK_MEMINFO_VARS]uint32
	raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return uint64(info[unix.SK_MEMINFO_DROPS])
}
