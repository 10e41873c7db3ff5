package udpcarrier

import (
	"errors"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchLink moves datagrams over a socket by sendmmsg(2) and recvmmsg(2), with the
// kernel's segmentation (UDP_SEGMENT) and coalescing (UDP_GRO) where it has them. The
// system calls are made here, not by way of x/net, whose batches allocate an address
// for each message.
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

func (kernel) sendmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd,
		uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)), unix.MSG_DONTWAIT, 0, 0)
	return count(n, errno), errno
}

func (kernel) recvmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd,
		uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)), unix.MSG_DONTWAIT, 0, 0)
	return count(n, errno), errno
}

// count is a system call's result as a number of messages.
func count(n uintptr, errno syscall.Errno) int {
	if errno != 0 {
		return 0
	}
	return int(n)
}

func newBatchLink(s *socket) link {
	l := &batchLink{socket: s, sys: kernel{}}
	l.in.init(l)
	return l
}

// isUnpollable reports whether err is the runtime's "not pollable", which has no name
// outside of it: it takes an error report that finds the send buffer full (EPOLLERR
// and nothing else) for the end of the socket, until the next event.
func isUnpollable(err error) bool {
	var e syscall.Errno
	return !errors.As(err, &e) && !errors.Is(err, net.ErrClosed) && !isTimeout(err)
}

// briefly is how long the kernel is asked when the runtime will not wait, in
// milliseconds: Close waits for as long.
const briefly = 10
