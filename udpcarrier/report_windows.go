package udpcarrier

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// translate gives Winsock's numbers the names that the rest of the world uses.
func translate(e syscall.Errno) syscall.Errno {
	switch e {
	case windows.WSAECONNRESET, windows.WSAECONNREFUSED:
		// Winsock says "reset" when an ICMP port unreachable arrived.
		return syscall.ECONNREFUSED
	case windows.WSAENETRESET, windows.WSAEHOSTUNREACH:
		return syscall.EHOSTUNREACH
	case windows.WSAENETUNREACH:
		return syscall.ENETUNREACH
	case windows.WSAEMSGSIZE:
		return syscall.EMSGSIZE
	}
	return e
}

// isTruncation reports whether a read failed since the datagram was longer than the
// buffer.
func isTruncation(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }
