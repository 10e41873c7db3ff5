package packetdrill

import (
	"strings"
	"testing"
)

const nonblockingConnect = `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(4, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
`

const synAck = `
+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>
+0 > . 1:1(0) ack 1
`

// TestFiles: what files, pipes and time limits do with a socket.
func TestFiles(t *testing.T) {
	for name, script := range map[string]string{
		"sendfile": established + `
+0 open("/dev/zero", O_RDONLY) = 5
+0 read(5, ..., 10) = 10
+0 sendfile(4, 5, [0], 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+0 sendfile(4, 4, [0], 1000) = -1 EINVAL (Invalid argument)
+0 close(5) = 0
`,
		"splice": established + `
+0 pipe([5, 6]) = 0
+0 < P. 1:1001(1000) ack 1 win 65535
+0 splice(4, NULL, 6, NULL, 5000, SPLICE_F_NONBLOCK) = 1000
+0 splice(5, NULL, 4, NULL, 700, 0) = 700
+0 > P. 1:701(700) ack 1001
+0 read(5, ..., 1000) = 300
+0 read(5, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)
+0 write(6, ..., 70000) = 65536
+0 splice(9, NULL, 4, NULL, 700, 0) = -1 EBADF (Bad file descriptor)
`,
		"SO_RCVTIMEO": established + `
+0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=1, tv_usec=500000}, 16) = 0
+0...1.5 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+1.6 < P. 1:11(10) ack 1 win 65535
+0 read(4, ..., 10) = 10
`,
		"SO_SNDTIMEO": established + `
+0 setsockopt(4, SOL_SOCKET, SO_SNDTIMEO, {tv_sec=0, tv_usec=5000000}, 16) = -1 EDOM (Numerical argument out of domain)
+0 setsockopt(4, SOL_SOCKET, SO_SNDTIMEO, [{0, 100000}], 16) = 0
+0 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [2048], 4) = 0
+0...0.1 write(4, ..., 10000) = ...
`,
		"SO_RCVLOWAT": established + `
+0 setsockopt(4, SOL_SOCKET, SO_RCVLOWAT, [15], 4) = 0
+0 < P. 1:11(10) ack 1 win 65535
+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0
+0...0.05 read(4, ..., 100) = 20
+.05 < P. 11:21(10) ack 1 win 65535
`,
		"TCP_INQ": established + `
+0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0
+0 < P. 1:11(10) ack 1 win 65535
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 4}], msg_flags=0,
               msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=6}]}, 0) = 4
+0 < F. 11:11(0) ack 1 win 65535
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 40}], msg_flags=0,
               msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=1}]}, 0) = 6
`,
		"a reset after the peer's FIN": strings.Replace(established, "culvert", "linux", 1) + `
+0 < F. 1:1(0) ack 1 win 65535
+0~+.04 > . 1:1(0) ack 2
+0 read(4, ..., 10) = 0
+0 < R 2:2(0) win 0
+0 write(4, ..., 10) = -1 EPIPE (Broken pipe)
`,
		"a reset after the peer's FIN, elsewhere": established + `
+0 < F. 1:1(0) ack 1 win 65535
+0~+.04 > . 1:1(0) ack 2
+0 < R 2:2(0) win 0
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0
`,
		"bad arguments": established + `
+0 write(4, NULL, 10) = -1 EFAULT (Bad address)
+0 write(4, NULL, 0) = 0
+0 < P. 1:11(10) ack 1 win 65535
+0 read(4, NULL, 10) = -1 EFAULT (Bad address)
+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 2) = -1 EINVAL (Invalid argument)
`,
		"options while connect goes on": nonblockingConnect + `
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0
+0 getsockopt(4, SOL_TCP, TCP_CORK, [1], [4]) = 0
+0 ioctl(4, FIONREAD, [0]) = 0
+0 write(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
` + synAck + `
+0 connect(4, ..., ...) = 0
+0 connect(4, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
+0 write(4, ..., 10) = 10
+.2 > P. 1:11(10) ack 1
`,
		"FreeBSD while connect goes on": "--profile=freebsd" + nonblockingConnect + `
+0 write(4, ..., 10) = -1 ENOTCONN (Socket is not connected)
+0 read(4, ..., 10) = -1 ENOTCONN (Socket is not connected)
+0 fcntl(4, F_GETFL) = 0x6 (flags O_RDWR|O_NONBLOCK)
` + synAck + `
+0 connect(4, ..., ...) = -1 EISCONN (Socket is already connected)
+0 %{ assert tcpi_snd_cwnd == 14600 and tcpi_snd_ssthresh == 1073725440 }%
`,
		"shutdown while connect goes on": nonblockingConnect + `
+0 shutdown(4, SHUT_RDWR) = 0
+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>
+0 > R 1:1(0)
`,
		"a write waits for connect": nonblockingConnect + `
+0 fcntl(4, F_SETFL, O_RDWR) = 0
+0...0.1 write(4, ..., 10) = 10
` + synAck + `
+0 > P. 1:11(10) ack 1
`,
		"a read waits for connect": nonblockingConnect + `
+0 fcntl(4, F_SETFL, O_RDWR) = 0
+0...0.1 read(4, ..., 10) = -1 ECONNREFUSED (Connection refused)
+.1 < R. 0:0(0) ack 1 win 0
`,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, script, Settings{Level: Strict}, Pass, "")
		})
	}
}
