//go:build linux || darwin || freebsd

package udpcarrier

import "golang.org/x/sys/unix"

// pollNow returns what poll(2) says of a socket at this moment, without waiting. It
// consumes neither a datagram nor a pending error.
func pollNow(fd uintptr, p *[1]unix.PollFd) int16 {
	p[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for {
		_, err := unix.Poll(p[:], 0)
		if err != unix.EINTR {
			return p[0].Revents
		}
	}
}

// readable reports whether a read of the socket would not wait.
func readable(fd uintptr) bool {
	var p [1]unix.PollFd
	return pollNow(fd, &p) != 0
}
