package mmsg

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Send sends messages without waiting, and returns how many it did; EAGAIN if it would have
// to wait for the first. By way of x/net each would cost the allocation of an address.
func Send(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	return call(unix.SYS_SENDMMSG, fd, ms, len(ms) == 1 && ms[0].Hdr.Iovlen == 1 && ms[0].Hdr.Iov.Len <= Small)
}

// Recv receives messages without waiting, and returns how many it did; EAGAIN if there are
// none.
func Recv(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	return call(unix.SYS_RECVMMSG, fd, ms, len(ms) <= Short)
}

// call makes a system call. With brief it is over in no time, and the runtime's scheduler
// need not hear of it: being told costs a tenth of a small message's way, since it wakes the
// runtime's monitor each time.
func call(num, fd uintptr, ms []unix.Mmsghdr, brief bool) (int, syscall.Errno) {
	for {
		var n uintptr
		var errno syscall.Errno
		if brief {
			n, _, errno = syscall.RawSyscall6(num, fd, uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)), unix.MSG_DONTWAIT, 0, 0)
		} else {
			n, _, errno = syscall.Syscall6(num, fd, uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)), unix.MSG_DONTWAIT, 0, 0)
		}
		switch errno {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
