package udpcarrier

import (
	"syscall"

	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

// batchLink moves datagrams over a socket by sendmmsg(2) and recvmmsg(2), with the
// kernel's segmentation (UDP_SEGMENT) and coalescing (UDP_GRO) where it has them.
type batchLink struct {
	*socket
	sys syscalls
	in  inbound
}

// syscalls is the kernel as a batchLink sees it; tests put one of theirs in between.
// Neither call waits: EAGAIN says that it would have to.
type syscalls interface {
	sendmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno)
	recvmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno)
}

// kernel is the one that there is.
type kernel struct{}

func (kernel) sendmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) { return mmsg.Send(fd, ms) }
func (kernel) recvmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) { return mmsg.Recv(fd, ms) }

func newBatchLink(s *socket) link {
	l := &batchLink{socket: s, sys: kernel{}}
	l.in.init(l)
	return l
}
