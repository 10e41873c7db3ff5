package packetdrill

import "testing"

// TestDefine: symbols of the script's own.
func TestDefine(t *testing.T) {
	head := "--define=FD=3\n--define=MAX=0x200 --define=BOTH=\"O_RDWR|O_NONBLOCK\"\n"
	play(t, head+`0 socket(..., SOCK_STREAM, IPPROTO_TCP) = FD
+0 setsockopt(FD, SOL_TCP, TCP_MAXSEG, [MAX], 4) = 0
+0 getsockopt(FD, SOL_TCP, TCP_MAXSEG, [512], [4]) = 0
+0 fcntl(FD, F_SETFL, BOTH) = 0
+0 fcntl(FD, F_GETFL) = O_RDWR|O_NONBLOCK
+0 setsockopt(FD, SOL_SOCKET, SO_LINGER, {onoff=0, linger=MAX-MAX}, 8) = 0
`, Settings{}, Pass, "")
	play(t, head+"0 close(FB) = 0\n", Settings{}, Unsupported, "the constant FB")
	for _, bad := range []string{"FD", "=3", "FD=", "FD=1, 2", "FD=1) = 0 +0 foo("} {
		play(t, "--define=\""+bad+"\"\n0 close(FD) = 0\n", Settings{}, Unreadable, "--define")
	}
}
