//go:build darwin || freebsd

package udpcarrier

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// isInet6 tells the socket's family: package net makes a wildcard of both families
// an IPv6 socket, whose address is "::".
func isInet6(fd uintptr, local netip.Addr) bool {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return !local.Is4()
	}
	_, ok := sa.(*unix.SockaddrInet6)
	return ok
}

// setOptions asks for Don't Fragment. What the kernel refuses is a service less.
func setOptions(fd uintptr, s *socket) {
	set := func(level, name int) bool { return unix.SetsockoptInt(int(fd), level, name, 1) == nil }
	if s.inet6 {
		s.whole6 = set(unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG)
		return
	}
	s.whole4 = set(unix.IPPROTO_IP, unix.IP_DONTFRAG)
}

// setBuffers asks for the socket's queues, and for less as long as the kernel
// refuses: it has no "as much as you can".
func setBuffers(fd uintptr, _ *net.UDPConn, o *Options) {
	set := func(name, value int) {
		for ; value >= 64<<10 && unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, value) != nil; value /= 2 {
		}
	}
	set(unix.SO_RCVBUF, o.ReceiveBuffer)
	set(unix.SO_SNDBUF, o.SendBuffer)
}

// buffers tells what was granted.
func buffers(fd uintptr) (recv, send int) {
	recv, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	send, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	return recv, send
}

func overflows(*net.UDPConn) uint64 { return 0 }
