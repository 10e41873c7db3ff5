//go:build !linux && !darwin && !freebsd && !windows

package udpcarrier

import (
	"net"
	"net/netip"
)

const msgTrunc = 0

func isInet6(_ uintptr, local netip.Addr) bool { return !local.Is4() }

func setOptions(uintptr, *socket) {}

func setBuffers(uintptr, *net.UDPConn, *Options) {}

func buffers(uintptr) (recv, send int) { return 0, 0 }

func overflows(*net.UDPConn) uint64 { return 0 }
