package udpcarrier

import (
	"example.com/culvert/internal/cmsg"
	"golang.org/x/sys/unix"
)

// appendSource4 is IP_SENDSRCADDR of ip(4).
func appendSource4(b []byte, src [4]byte) []byte {
	return cmsg.Append(b, unix.IPPROTO_IP, unix.IP_SENDSRCADDR, src[:])
}
