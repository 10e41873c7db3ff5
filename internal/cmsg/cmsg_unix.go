//go:build linux || darwin || freebsd

package cmsg

import (
	"iter"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Append appends one control message, padded as the next one wants it.
func Append(b []byte, level, kind int32, data []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(len(data)))...)
	h := unix.Cmsghdr{Level: level, Type: kind}
	h.SetLen(unix.CmsgLen(len(data)))
	// Copied bytewise, since b need not be aligned as the header would be.
	copy(b[at:], unsafe.Slice((*byte)(unsafe.Pointer(&h)), unix.SizeofCmsghdr))
	copy(b[at+unix.CmsgLen(0):], data)
	return b
}

// Kind is what a control message is about.
type Kind struct{ Level, Type int32 }

// All yields the control messages of b and their data, until one that makes no sense.
func All(b []byte) iter.Seq2[Kind, []byte] {
	return func(yield func(Kind, []byte) bool) {
		for len(b) >= unix.SizeofCmsghdr {
			h, data, rest, err := unix.ParseOneSocketControlMessage(b)
			if err != nil || !yield(Kind{h.Level, h.Type}, data) {
				return
			}
			b = rest
		}
	}
}
