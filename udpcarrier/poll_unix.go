//go:build linux || darwin || freebsd

package udpcarrier

import "golang.org/x/sys/unix"

// pollState is what asking takes, kept by whoever asks so that it costs no memory.
type pollState [1]unix.PollFd

// pollNow returns what poll(2) says of a socket at this moment, without waiting. It
// consumes neither a datagram nor a pending error.
func pollNow(fd uintptr, p *pollState) int16 {
	p[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for {
		_, err := unix.Poll(p[:], 0)
		if err != unix.EINTR {
			return p[0].Revents
		}
	}
}

// readable reports whether a read of the socket would not wait.
func readable(fd uintptr, p *pollState) bool { return pollNow(fd, p) != 0 }

// waiting reports whether it is known that a read would not wait.
func waiting(fd uintptr, p *pollState) bool { return readable(fd, p) }
