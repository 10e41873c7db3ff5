package mmsg

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Send sends messages without waiting, and returns how many it did; EAGAIN if it would have
// to wait for the first. By way of x/net each would cost the allocation of an address.
func Send(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	return call(unix.SYS_SENDMMSG, fd, ms, little(ms))
}

// little reports whether ms is a single small message: of one piece, or of a header and the data where
// it lies.
func little(ms []unix.Mmsghdr) bool {
	h := &ms[0].Hdr
	if len(ms) > 1 || h.Iovlen > 2 {
		return false
	}
	size := 0
	for _, v := range unsafe.Slice(h.Iov, h.Iovlen) {
		size += int(v.Len)
	}
	return size <= Small
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
