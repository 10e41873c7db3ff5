//go:build linux || darwin || freebsd

package udpcarrier

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// appendMessage appends one control message (cmsg(3)).
func appendMessage(b []byte, level, kind int32, data []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(len(data)))...)
	h := unix.Cmsghdr{Level: level, Type: kind}
	h.SetLen(unix.CmsgLen(len(data)))
	// Copied bytewise, since b need not be aligned as the header would be.
	copy(b[at:], unsafe.Slice((*byte)(unsafe.Pointer(&h)), unix.SizeofCmsghdr))
	copy(b[at+unix.CmsgLen(0):], data)
	return b
}
