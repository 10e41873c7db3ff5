package udpcarrier

import "golang.org/x/sys/unix"

// appendSource4 is IP_SENDSRCADDR of ip(4).
func appendSource4(b []byte, src [4]byte) []byte {
	return appendMessage(b, unix.IPPROTO_IP, unix.IP_SENDSRCADDR, src[:])
}
