package packetdrill

import (
	"strings"
	"testing"
)

const listening = `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
`

const handshake = `
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
`

// TestCalls: what sockets answer, where no segment is needed to ask.
func TestCalls(t *testing.T) {
	for name, script := range map[string]string{
		"bad descriptors": `
0 close(9) = -1 EBADF (Bad file descriptor)
+0 bind(9, ..., ...) = -1 EBADF (Bad file descriptor)
+0 listen(9, 1) = -1 EBADF (Bad file descriptor)
+0 accept(9, ..., ...) = -1 EBADF (Bad file descriptor)
+0 connect(9, ..., ...) = -1 EBADF (Bad file descriptor)
+0 read(9, ..., 1) = -1 EBADF (Bad file descriptor)
+0 write(9, ..., 1) = -1 EBADF (Bad file descriptor)
+0 shutdown(9, SHUT_RD) = -1 EBADF (Bad file descriptor)
+0 fcntl(9, F_GETFL) = -1 EBADF (Bad file descriptor)
+0 ioctl(9, FIONREAD, [0]) = -1 EBADF (Bad file descriptor)
+0 getsockopt(9, SOL_SOCKET, SO_ERROR, [0], [4]) = -1 EBADF (Bad file descriptor)
+0 setsockopt(9, SOL_SOCKET, SO_REUSEADDR, [1], 4) = -1 EBADF (Bad file descriptor)
+0 getsockname(9, ..., ...) = -1 EBADF (Bad file descriptor)
+0 epoll_wait(9, ..., 1, 0) = -1 EBADF (Bad file descriptor)
`,
		"not connected": `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 read(3, ..., 1) = -1 ENOTCONN (Transport endpoint is not connected)
+0 write(3, ..., 1) = -1 EPIPE (Broken pipe)
+0 shutdown(3, SHUT_WR) = -1 ENOTCONN (Transport endpoint is not connected)
+0 shutdown(3, 7) = -1 EINVAL (Invalid argument)
+0 getpeername(3, ..., ...) = -1 ENOTCONN (Transport endpoint is not connected)
+0 accept(3, ..., ...) = -1 EINVAL (Invalid argument)
+0 poll([{fd=3, events=POLLIN|POLLOUT, revents=POLLOUT|POLLHUP}], 1, 0) = 1
+0 close(3) = 0
+0 socket(AF_INET, SOCK_STREAM, 0) = 3
`,
		"addresses": `
0 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, {sa_family=AF_INET, sin_port=htons(9000), sin_addr=inet_addr("192.168.0.1")}, 16) = 0
+0 listen(3, 1) = 0
+0 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
+0 bind(4, {sa_family=AF_INET, sin_port=htons(9000), sin_addr=inet_addr("192.168.0.1")}, 16) = -1 EADDRINUSE (Address already in use)
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, {sa_family=AF_INET, sin_port=..., sin_addr=...}, [16]) = 5
+0 getsockname(5, ..., ...) = 0
+0 getpeername(5, ..., ...) = 0
`,
		"options read back": `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 getsockopt(3, SOL_TCP, TCP_NODELAY, [0], [4]) = 0
+0 setsockopt(3, SOL_TCP, TCP_NODELAY, [5], 4) = 0
+0 getsockopt(3, SOL_TCP, TCP_NODELAY, [1], [4]) = 0
+0 getsockopt(3, SOL_TCP, TCP_MAXSEG, [536], [4]) = 0
+0 setsockopt(3, SOL_TCP, TCP_MAXSEG, [10], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, TCP_USER_TIMEOUT, [-1], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, TCP_SYNCNT, [0], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, TCP_KEEPIDLE, [0], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, TCP_KEEPIDLE, [7], 4) = 0
+0 getsockopt(3, SOL_TCP, TCP_KEEPIDLE, [7], [4]) = 0
+0 getsockopt(3, SOL_TCP, TCP_KEEPINTVL, [75], [4]) = 0
+0 getsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [0], [4]) = 0
+0 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [20000], 4) = 0
+0 getsockopt(3, SOL_SOCKET, SO_SNDBUF, [40000], [4]) = 0
+0 getsockopt(3, SOL_SOCKET, SO_TYPE, [SOCK_STREAM], [4]) = 0
+0 getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, [0], [4]) = 0
+0 setsockopt(3, SOL_TCP, TCP_CONGESTION, "reno", 4) = 0
+0 getsockopt(3, SOL_TCP, TCP_CONGESTION, "reno", [4]) = 0
+0 setsockopt(3, SOL_IP, IP_TOS, [300], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_IP, IP_TTL, [0], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, TCP_CORK, [0], 4) = 0
+0 listen(3, 1) = 0
+0 getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, [1], [4]) = 0
+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {1, 5}, 8) = 0
`,
		"a listener that polls": listening + `
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0
+0...0.1 poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, -1) = 1
` + handshake + `
+0 poll([{fd=3, events=POLLIN, revents=POLLIN}, {fd=77, events=POLLIN, revents=POLLNVAL}], 2, 0) = 2
+0 accept4(3, ..., ..., SOCK_NONBLOCK) = 4
+0 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)
`,
		"epoll": listening + `
+0 epoll_create1(EPOLL_CLOEXEC) = 7
+0 epoll_ctl(7, EPOLL_CTL_ADD, 3, {events=EPOLLIN, fd=3}) = 0
+0 epoll_ctl(7, EPOLL_CTL_ADD, 3, {events=EPOLLIN, fd=3}) = -1 EEXIST (File exists)
+0 epoll_ctl(7, EPOLL_CTL_MOD, 7, {events=EPOLLIN, fd=3}) = -1 ENOENT (No such file or directory)
+0...0.1 epoll_wait(7, {events=EPOLLIN, fd=3}, 1, 5000) = 1
` + handshake + `
+0 accept(3, ..., ...) = 4
+0 epoll_ctl(7, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
+0 epoll_wait(7, ..., 1, 0) = 0
+0 < P. 1:11(10) ack 1 win 65535
+0 epoll_wait(7, {events=EPOLLIN, fd=4}, 1, 0) = 1
+0 epoll_wait(7, ..., 1, 0) = 0
+0 < P. 11:21(10) ack 1 win 65535
+0 epoll_wait(7, {{events=EPOLLIN, fd=4}}, 1, 0) = 1
+0 epoll_ctl(7, EPOLL_CTL_DEL, 4, ...) = 0
+0 epoll_wait(7, ..., 1, 0) = 0
`,
		"the state before accept": listening + `
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+0 ` + "`ss -tan | grep -q SYN-RECV`" + `
+.1 < . 1:1(0) ack 1 win 65535
+0 %{ assert tcpi_state == TCP_ESTABLISHED }%
+0 accept(3, ..., ...) = 4
`,
		"a listener that stops": listening + `
+0 shutdown(3, SHUT_RD) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > R. 0:0(0) ack 1
`,
		"connecting": `
0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 connect(3, ..., ...) = -1 EALREADY (Operation already in progress)
+0 read(3, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+0 poll([{fd=3, events=POLLIN|POLLOUT, revents=0}], 1, 0) = 0
+0 %{ assert tcpi_state == TCP_SYN_SENT }%
+0 > S 0:0(0) <...>
+0...0.1 poll([{fd=3, events=POLLOUT, revents=POLLOUT|POLLERR|POLLHUP}], 1, -1) = 1
+.1 < R. 0:0(0) ack 1 win 0
+0 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)
`,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, script, Settings{Level: Strict}, Pass, "")
		})
	}
}

// TestCommands: what commands do to the stack.
func TestCommands(t *testing.T) {
	for name, tt := range map[string]struct{ head, synAck string }{
		"sysctl":       {"`sysctl -q -w net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling = 0`", "<mss 1460,nop,nop,TS val 1 ecr 9>"},
		"proc":         {"`echo 0 > /proc/sys/net/ipv4/tcp_timestamps`", "<mss 1460,nop,nop,sackOK,nop,wscale 8>"},
		"set_sysctls":  {"`./defaults.sh\n./set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0`", "<mss 1460,nop,nop,sackOK,nop,wscale 8>"},
		"receive":      {"`sysctl -q net.ipv4.tcp_rmem=\"4096 30000 6000000\"`", "<mss 1460,sackOK,TS val 1 ecr 9,nop,wscale 7>"},
		"link":         {"`ip link set dev tun0 mtu 1300`", "<mss 1260,sackOK,TS val 1 ecr 9,nop,wscale 8>"},
		"ifconfig":     {"`ifconfig tun0 mtu 1300`", "<mss 1260,sackOK,TS val 1 ecr 9,nop,wscale 8>"},
		"freebsd":      {"`sysctl net.inet.tcp.sack.enable=0; sysctl net.inet.tcp.rfc1323=2`", "<mss 1460,nop,wscale 6>"},
		"no options":   {"`kldload -n foo; true; sysctl net.inet.tcp.rfc1323=0`", "<mss 1460,sackOK,eol,eol>"},
		"ignored":      {"`tc qdisc add dev tun0 root pfifo; nstat -n > /dev/null`", "<mss 1460,sackOK,TS val 1 ecr 9,nop,wscale 8>"},
		"time passes":  {"`sleep 3600`", "<mss 1460,sackOK,TS val 1 ecr 9,nop,wscale 8>"},
		"python":       {"`FOO=bar python3 ./set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0`", "<mss 1460,nop,nop,TS val 1 ecr 9,nop,wscale 8>"},
		"ipv6 options": {"--ip_version=ipv6\n`true`", "<mss 1440,sackOK,TS val 1 ecr 9,nop,wscale 8>"},
		"mtu option":   {"--mtu=1000\n`true`", "<mss 960,sackOK,TS val 1 ecr 9,nop,wscale 8>"},
	} {
		t.Run(name, func(t *testing.T) {
			script := tt.head + strings.Replace(listening, "0 socket", "* socket", 1) +
				"+0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 9 ecr 0,nop,wscale 7>\n+0 > S. 0:0(0) ack 1 " + tt.synAck + "\n"
			play(t, script, Settings{Level: Strict}, Pass, "")
		})
	}
}

// TestIPInfo: the properties of the IP header.
func TestIPInfo(t *testing.T) {
	script := strings.Replace(established, "+0 listen", "+0 setsockopt(3, SOL_IP, IP_TOS, [0x28], 4) = 0\n+0 setsockopt(3, SOL_IP, IP_TTL, [9], 4) = 0\n+0 listen", 1) +
		"+0 < [ce] P. 1:11(10) ack 1 win 65535\n+.04 > [noecn] (tos 0x28) (ttl 9) . 1:1(0) ack 11\n"
	play(t, script, Settings{}, Pass, "")
	play(t, strings.Replace(script, "0x28) (", "0x20) (", 1), Settings{}, Fail, "ip_tos")
	play(t, strings.Replace(script, "[noecn] (tos 0x28)", "(tos 0x20)", 1), Settings{}, Fail, "ip_tos")
	play(t, strings.Replace(script, "ttl 9) .", "ttl 8) .", 1), Settings{}, Fail, "ip_ttl")
	for _, w := range []string{"ect0", "ect1", "ect01", "ce"} {
		play(t, strings.Replace(script, "noecn", w, 1), Settings{}, Fail, "ip_ecn")
	}
}

// TestReport: lines, table and JSON.
func TestReport(t *testing.T) {
	r := &Report{}
	for file, level := range map[string]Level{"a/strict": Strict, "a/lenient": Lenient} {
		s := &ScriptReport{File: file, Folder: "a", Outcome: Pass, Level: level, Strict: &Result{Outcome: Pass}}
		if level == Lenient {
			s.Strict = &Result{Outcome: Fail, Pos: Pos{File: file, Line: 3}, Reason: "the order"}
			s.Lenient = &Result{Outcome: Pass}
		}
		r.Scripts = append(r.Scripts, s)
	}
	for _, o := range []Outcome{Fail, Unsupported, Unreadable} {
		res := &Result{Outcome: o, Pos: Pos{"b/x", 7, 1}, Reason: "because"}
		s := &ScriptReport{File: "b/x", Folder: "b", Outcome: o, Strict: res}
		r.Scripts = append(r.Scripts, s)
		if s.Passed(false) || s.Passed(true) {
			t.Errorf("%s counts as passed", o)
		}
		for _, strict := range []bool{false, true} {
			if line := s.Line(strict); !strings.HasPrefix(line, string(o)) || !strings.Contains(line, "because") {
				t.Errorf("%s: %q", o, line)
			}
		}
	}
	var table, js strings.Builder
	r.Summary(&table)
	if err := r.JSON(&js); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a                                          1        1      0", "b                                          0        0      1            1           1"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	if n := strings.Count(js.String(), "\n"); n != 5 || !strings.Contains(js.String(), `"outcome":"unsupported"`) || !strings.Contains(js.String(), `"level":"lenient"`) {
		t.Errorf("JSON:\n%s", js.String())
	}
	for _, s := range r.Scripts[:2] {
		if s.Level == Lenient && (s.Passed(true) || !s.Passed(false) || !strings.Contains(s.Line(true), "the order")) {
			t.Errorf("lenient: %q", s.Line(true))
		}
	}
}
