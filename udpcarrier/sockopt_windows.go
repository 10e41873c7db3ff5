package udpcarrier

import (
	"net"
	"net/netip"

	"golang.org/x/sys/windows"
)

// msgTrunc: Windows fails the read instead (see isTruncation).
const msgTrunc = 0

// The options of ws2ipdef.h that say Don't Fragment; both have the same number.
const (
	ipDontFragment = 14
	ipv6DontFrag   = 14
)

func isInet6(_ uintptr, local netip.Addr) bool { return !local.Is4() }

// setOptions asks for Don't Fragment. An IPv6 socket is asked for IPv4's as well: it
// may be dual-stack.
func setOptions(fd uintptr, s *socket) {
	s.whole4 = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IP, ipDontFragment, 1) == nil
	if s.inet6 {
		s.whole6 = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IPV6, ipv6DontFrag, 1) == nil
	}
}

// setBuffers asks for the socket's queues.
func setBuffers(fd uintptr, _ *net.UDPConn, o *Options) {
	windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_RCVBUF, o.ReceiveBuffer)
	windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_SNDBUF, o.SendBuffer)
}

// buffers tells what was granted.
func buffers(fd uintptr) (recv, send int) {
	recv, _ = windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_RCVBUF)
	send, _ = windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_SNDBUF)
	return recv, send
}

func overflows(*net.UDPConn) uint64 { return 0 }
