package udpcarrier

import (
	"example.com/culvert/internal/cmsg"
	"golang.org/x/sys/unix"
)

// appendSource4 is struct in_pktinfo: interface index, source, destination (unused).
func appendSource4(b []byte, src [4]byte) []byte {
	var info [unix.SizeofInet4Pktinfo]byte
	copy(info[4:], src[:])
	return cmsg.Append(b, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
}
