package packetdrill

import (
	"strings"
	"testing"
	"time"
)

// one parses a script of a single event.
func one(t *testing.T, text string) *Event {
	t.Helper()
	sc, err := Parse("x.pkt", text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if len(sc.Events) != 1 {
		t.Fatalf("%s\n%d events, want 1", text, len(sc.Events))
	}
	return sc.Events[0]
}

// TestPackets: what is read prints as it was written, but for spaces.
func TestPackets(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"+0 < S 0:0(0) win 65535 <mss 1460,sackOK,nop,nop,nop,wscale 7>", "S 0:0(0) win 65535 <mss 1460,sackOK,nop,nop,nop,wscale 7>"},
		{"+0 > S. 0:0(0) ack 1 <...>", "S. 0:0(0) ack 1 <...>"},
		{"+0 > S. 0:0(0) ack 1 <mss 1460, ...>", "S. 0:0(0) ack 1 <mss 1460,...>"},
		{"+.1 < . 1:1(0) ack 1 win 257", ". 1:1(0) ack 1 win 257"},
		{"+0 < S       0:0(0)                     win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>", "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>"},
		{"0.1 > P. 1:1461(1460) ack 1 <nop,nop,TS val 200 ecr 100>", "P. 1:1461(1460) ack 1 <nop,nop,TS val 200 ecr 100>"},
		{"* > . 1:1(0) ack 1 <nop,nop,sack 1001:2001 3001:4001>", ". 1:1(0) ack 1 <nop,nop,sack 1001:2001 3001:4001>"},
		{"+0 < S 0:0(0) win 1 <FO 1234567890abcdef,nop,nop>", "S 0:0(0) win 1 <FO 1234567890abcdef,nop,nop>"},
		{"+0 > S 0:0(0) <mss 1460,FO,nop,nop>", "S 0:0(0) <mss 1460,FO,nop,nop>"},
		{"+0 > S 0:0(0) <FOEXP,nop,nop>", "S 0:0(0) <FOEXP,nop,nop>"},
		{"+0 < [ect0] P. 1:11(10) ack 1 win 5", "[ect0] P. 1:11(10) ack 1 win 5"},
		{"+0 > [ce] EP. 1:11(10) ack 1", "[ce] PE. 1:11(10) ack 1"},
		{"+0 > [noecn] . 1:1(0) ack 1", "[noecn] . 1:1(0) ack 1"},
		{"+0 > (ttl 64) . 1:1(0) ack 1", "(ttl 64) . 1:1(0) ack 1"},
		{"+0 < [tos 0x28, ttl 3] . 1:1(0) ack 1 win 1", "(tos 0x28) (ttl 3) . 1:1(0) ack 1 win 1"},
		{"+0 < SEW 0:0(0) win 1", "SEW 0:0(0) win 1"},
		{"+0 < SEWA 0:0(0) win 1", "SEWA 0:0(0) win 1"},
		{"+0 < S.A 0:0(0) ack 1 win 1", "SA. 0:0(0) ack 1 win 1"},
		{"+0 > .5 1:1(0) ack 1", "EA. 1:1(0) ack 1"},
		{"+0 < - 1:1001(1000) win 5", "- 1:1001(1000) win 5"},
		{"+0 < FPU. 1:1001(1000) ack 5 win 5 urg 3", "FPU. 1:1001(1000) ack 5 win 5 urg 3"},
		{"+0 < 1234 > 8080 S 0:0(0) win 5", "1234 > 8080 S 0:0(0) win 5"},
		{"+0 > 8080 > 1234: S. 0:0(0) ack 1 <...>", "8080 > 1234 S. 0:0(0) ack 1 <...>"},
		{"+0 < S 0:0(0) win 5 <mss 1460> /udp(9899 > 9900)", "S 0:0(0) win 5 <mss 1460> /udp(9899 > 9900)"},
		{"+0 < tcp /udp(9899 > 9900) S 0:0(0) win 5", "S 0:0(0) win 5 /udp(9899 > 9900)"},
		{"+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]", "icmp unreachable frag_needed mtu 1200 [1:1461(1460)]"},
		{"+0 < icmpv6 packet_too_big mtu 1280 [0:0(0)]", "icmpv6 packet_too_big mtu 1280 [0:0(0)]"},
		{"+0 < icmp unreachable host_unreachable", "icmp unreachable host_unreachable"},
		{"+0 > udp (1000)", "udp (1000)"},
		{"+0 < ipv4 10.0.0.1 > 10.0.0.2: . 1:1(0) ack 1 win 1", "ipv4 10.0.0.1 > 10.0.0.2: . 1:1(0) ack 1 win 1"},
		{"+0 < . 4294966297:1(1000) ack 4294967295 win 1", ". 4294966297:1(1000) ack 4294967295 win 1"},
		{"+0 < S 0:0(0) win 1 <mss 1460,md5 abcd ef,nop>", "S 0:0(0) win 1 <mss 1460,md5 abcd ef,nop>"},
		{"+0 > . 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>", ". 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>"},
		{"+0 > . 1:1(0) ack 1 <nop,nop,TS val ... ecr 100>", ". 1:1(0) ack 1 <nop,nop,TS val ... ecr 100>"},
		{"+0 > . 1:1(0) ack 1 win ...", ". 1:1(0) ack 1"},
		{"+0 < S 0:0(0) win 1 <>", "S 0:0(0) win 1"},
		{"+0 < P. 1:4(3) ack 1 win 1 \"a\\x00b\"", "P. 1:4(3) ack 1 win 1"},
		{"+0 < sctp: INIT[flgs=0, tag=1, a_rwnd=1500, os=1, is=1, tsn=0], ERROR[flgs=0, CAUSE[a=[1,\n2]]]", "sctp"},
		{"+0 > sctp/udp(9899 > 9899): DATA[flgs=BE, ...]", "sctp"},
		{"+0 > udplite (1000, cov 8)", "udplite"},
		{"+0 < icmp unreachable 4 mtu 1000 [1:1001(1000)]", "icmp unreachable code 4 mtu 1000 [1:1001(1000)]"},
		{"+0 < icmp type 3 code 4 [udp(8)]", "icmp type 3 code 4 [udp(8)]"},
		{"+0 < . 1:1(0) ack 5! win 1", ". 1:1(0) ack 5 win 1"},
		{"+0 < . -1:0(1) ack -1 win 1", ". 4294967295:0(1) ack 4294967295 win 1"},
		{"+0 < S . 0:0(0) ack 1 win 1", "S. 0:0(0) ack 1 win 1"},
		{"+0 < S /udp(1 > 2) 0:0(0) win 1", "S 0:0(0) win 1 /udp(1 > 2)"},
		{"+0 < . 1:1(0) ack 1 win 5 <TS 100 200>", ". 1:1(0) ack 1 win 5 <TS val 100 ecr 200>"},
		{"+0 < . 1:1(0) ack 1 win 5 <0xfd 04 1234>", ". 1:1(0) ack 1 win 5 <0xfd 04 1234>"},
		{"+0 < ipv4 192.0.2.1 > 192.168.0.1: gre [flags 0x0]: mpls (label 0, tc 0, S, ttl 0) (label 1, tc 1, S, ttl 2): . 1:1(0)",
			"ipv4 192.0.2.1 > 192.168.0.1: gre [flags 0x0]: mpls (label 0, tc 0, S, ttl 0) (label 1, tc 1, S, ttl 2): . 1:1(0)"},
		{"+0 < . 010:010(0) ack 1 win 1", ". 10:10(0) ack 1 win 1"},
	} {
		e := one(t, tt.in)
		if e.Packet == nil {
			t.Errorf("%s: not a packet", tt.in)
			continue
		}
		if got := e.Packet.String(); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
		if e.Packet.Inbound != strings.Contains(tt.in, "<") || !strings.Contains(tt.in, ">") {
			if first := strings.IndexAny(tt.in, "<>"); e.Packet.Inbound != (tt.in[first] == '<') {
				t.Errorf("%s: inbound is %v", tt.in, e.Packet.Inbound)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		in   string
		want EventTime
	}{
		{"0", EventTime{}},
		{"+0", EventTime{Kind: TimeRelative}},
		{"+.1", EventTime{Kind: TimeRelative, At: 100 * ms}},
		{".25", EventTime{At: 250 * ms}},
		{"1.000001", EventTime{At: time.Second + time.Microsecond}},
		{"*", EventTime{Kind: TimeAny}},
		{"", EventTime{Kind: TimeNone}},
		{"0.1~0.2", EventTime{At: 100 * ms, Range: true, Until: 200 * ms}},
		{"+0.1~+0.2", EventTime{Kind: TimeRelative, At: 100 * ms, Range: true, Until: 200 * ms}},
		{"+0.1~0.2", EventTime{Kind: TimeRelative, At: 100 * ms, Range: true, Until: 200 * ms}},
		{"0...0.2", EventTime{Blocking: true, End: 200 * ms}},
		{"0.1...0.2", EventTime{At: 100 * ms, Blocking: true, End: 200 * ms}},
		{"+.1....2", EventTime{Kind: TimeRelative, At: 100 * ms, Blocking: true, End: 200 * ms}},
		{"+0.1...+0.2", EventTime{Kind: TimeRelative, At: 100 * ms, Blocking: true, End: 200 * ms}},
	} {
		if got := one(t, tt.in+" read(4, ..., 10) = 10").Time; got != tt.want {
			t.Errorf("%q: got %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

func TestCallSyntax(t *testing.T) {
	for _, tt := range []struct {
		in     string
		name   string
		args   int
		result int64
		errno  string
		note   string
	}{
		{"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "socket", 3, 3, "", ""},
		{"+0 socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK, 0) = 3", "socket", 3, 3, "", ""},
		{"+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)", "connect", 3, -1, "EINPROGRESS", "Operation now in progress"},
		{"+0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)", "fcntl", 2, 2, "", "flags O_RDWR"},
		{"+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0", "fcntl", 3, 0, "", ""},
		{"+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0", "getsockopt", 5, 0, "", ""},
		{"+0 setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name=\"freebsd\",\n pcbcnt=0}, 36) = 0", "setsockopt", 5, 0, "", ""},
		{"+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0", "setsockopt", 5, 0, "", ""},
		{"+0 bind(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr(\"192.168.0.1\")}, ...) = 0", "bind", 3, 0, "", ""},
		{"+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1", "poll", 3, 1, "", ""},
		{"+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, ptr=4}) = 0", "epoll_ctl", 4, 0, "", ""},
		{"+0 epoll_wait(5, {events=EPOLLOUT, ptr=4}, 1, 0) = 1", "epoll_wait", 4, 1, "", ""},
		{"+0 epoll_wait(5, {{events=EPOLLIN, fd=4}, {events=EPOLLOUT, fd=5}}, 1, 0) = 1", "epoll_wait", 4, 1, "", ""},
		{"+0 sendto(3, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000", "sendto", 6, 1000, "", ""},
		{"+0 writev(4, [{..., 100}, {\"ab\\n\", 3}], 2) = 103", "writev", 3, 103, "", ""},
		{"+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}], msg_flags=0}, 0) = 30", "sendmsg", 3, 30, "", ""},
		{"+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{...,1000}], msg_flags=0, msg_control=[{cmsg_len=..., cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=1000}]}, 0) = 1000", "recvmsg", 3, 1000, "", ""},
		{"+0 read(4, \"a\" \"b\", 2) = 2", "read", 3, 2, "", ""},
		{"+0 close(4) = 0", "close", 1, 0, "", ""},
		{"+0 read(4, \"ab\"..., 1000) = 1000", "read", 3, 1000, "", ""},
		{"+0 connect(3, {sa_family = AF_INET6, inet_pton(AF_INET6, \"fd3d::1\", &sin6_addr), sin6_scope_id = 0}, ...) = 0", "connect", 3, 0, "", ""},
		{"+0 setsockopt(3, SOL_TCP, TCP_MD5SIG, {tcpm_addr={sa_family=AF_INET}, tcpm_key=\"a\"}, 16) = 0", "setsockopt", 5, 0, "", ""},
		{"+0 foo() = 017", "foo", 0, 15, "", ""},
		{"+0 setsockopt(3, SOL_TCP, TCP_NODELAY, [(int) 1], sizeof(int)) = 0", "setsockopt", 5, 0, "", ""},
	} {
		e := one(t, tt.in)
		c := e.Call
		if c == nil {
			t.Errorf("%s: not a call", tt.in)
			continue
		}
		v, err := eval(c.Result)
		if c.Name != tt.name || len(c.Args) != tt.args || v != tt.result || err != nil || c.Errno != tt.errno || c.Note != tt.note {
			t.Errorf("%s: %+v = %d, %v", tt.in, c, v, err)
		}
	}
}

// TestScriptForm: options, comments, code and commands, in one script.
func TestScriptForm(t *testing.T) {
	sc, err := Parse("x.pkt", `#!/usr/bin/env packetdrill
// A comment.
--ip_version=ipv4
--tolerance_usecs=10000 --define="a b"
/* Another,
   of two lines. */
`+"`sysctl -q net.ipv4.tcp_sack=1\n echo \\`date\\` # not a comment of the script\n`"+`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3 // behind a line
   +0 %{ assert tcpi_state == TCP_ESTABLISHED, "}" }%
   +0 `+"`ss -tan | grep ESTAB`"+`
+0...0.5 accept(3, ...,
                ...) = 4
+.1 < S 0:0(0) win 1000 <mss 1000> +0 > S. 0:0(0) ack 1 <...>
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(sc.Options) != 3 || sc.Options[2].Value != "a b" || sc.Options[1].Value != "10000" {
		t.Errorf("options: %+v", sc.Options)
	}
	var kinds string
	for _, e := range sc.Events {
		switch {
		case e.Call != nil:
			kinds += "c"
		case e.Packet != nil:
			kinds += "p"
		case e.Code != nil:
			kinds += "%"
		case e.Command != nil:
			kinds += "`"
		}
	}
	if kinds != "`c%`cpp" {
		t.Errorf("events are %s", kinds)
	}
	if !strings.Contains(sc.Events[0].Command.Text, "`date`") {
		t.Errorf("the command is %q", sc.Events[0].Command.Text)
	}
	if p := sc.Events[5].Pos; p.Line != 15 || p.Col != 1 {
		t.Errorf("the first packet is at %v", p)
	}
}

// TestSyntaxErrors: an error tells the place, to the column, and what is wrong there.
func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		in        string
		line, col int
		msg       string
	}{
		{"0 foo(", 1, 7, "the end of the script"},
		{"\n  +0 < S 0:1(0) win 1", 2, 10, "are not 0 octets apart"},
		{"+0 < S 0:0(0) win 65536", 1, 19, "more than 65535"},
		{"+0 < X 0:0(0) win 1", 1, 6, "is not a flag"},
		{"+0 < S 0-0(0)", 1, 9, `expected ":"`},
		{"+0 < S 0:0(0) win 1 <mss>", 1, 25, "value of mss"},
		{"+0 < S 0:0(0) win 1 <mss 5", 1, 27, "expected"},
		{"+0 < S 0:0(0) win 1 win 1", 1, 24, "twice"},
		{"+0 < [zap] S 0:0(0)", 1, 6, "not an IP property"},
		{"+0 `foo", 1, 4, "does not end"},
		{"+0 %{ foo", 1, 6, "does not end"},
		{"/* foo", 1, 1, "does not end"},
		{"+0 foo(\"bar) = 0", 1, 8, "does not end"},
		{"+0 foo(1 = 0", 1, 10, `expected`},
		{"+0 foo(1)", 1, 10, `expected "="`},
		{"+0 foo(99999999999999999999) = 0", 1, 8, "fits"},
		{"+0 foo(09) = 0", 1, 8, "base 8"},
		{"+", 1, 2, "expected a time"},
		{"+1", 1, 3, "nothing that happens"},
		{"0.2~0.1 > . 1:1(0) ack 1", 1, 8, "before it begins"},
		{"9999999999 foo() = 0", 1, 1, "ten years"},
		{"+0 ?", 1, 4, "expected a packet"},
		{"+0 < S 0:0(0) win 1 <FO abc>", 1, 25, "two hexadecimal digits"},
		{"+0 < P. 1:3(2) ack 1 win 1 \"abc\"", 1, 28, "has 3 octets"},
		{"+0 foo(" + strings.Repeat("[", 500) + ") = 0", 1, 0, "nested too deeply"},
		{"+0 foo(" + strings.Repeat("-", 500) + ") = 0", 1, 0, "nested too deeply"},
	} {
		_, err := Parse("x.pkt", tt.in)
		e := IsSyntaxError(err)
		if e == nil {
			t.Errorf("%q: no error", tt.in)
			continue
		}
		if e.Pos.Line != tt.line || tt.col > 0 && e.Pos.Col != tt.col || !strings.Contains(e.Msg, tt.msg) {
			t.Errorf("%q: %v, want %d:%d ... %s", tt.in, e, tt.line, tt.col, tt.msg)
		}
		if !strings.HasPrefix(e.Error(), "x.pkt:") {
			t.Errorf("%q: %q does not begin with the file", tt.in, e.Error())
		}
	}
}

// FuzzParse: no text makes the parser panic, or work without end, and a packet that was
// read can be read again as it prints.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"--a=b\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < S 0:0(0) win 65535 <mss 1460,sackOK,nop,nop,nop,wscale 7>\n+0 > S. 0:0(0) ack 1 <...>",
		"+0.1~+0.2 > [ect0] P. 1:1461(1460) ack 1 win 5 urg 3 <nop,nop,TS val 1 ecr 2,sack 1:2 3:4,FO 12>",
		"+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]\n`sysctl a=b`\n%{ assert 1 == 1 }%",
		"+0...1 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, -1) = -1 EAGAIN (foo (bar))",
		"* < ipv4 1.2.3.4 > 5.6.7.8: mpls (label 0, tc 0, S, ttl 5): . 1:1(0) /udp(1 > 2)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sc, err := Parse("f.pkt", text)
		if err != nil {
			if IsSyntaxError(err) == nil {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		for _, e := range sc.Events {
			if e.Packet == nil || e.Packet.Proto != ProtoTCP || len(e.Packet.Encap) > 0 {
				continue
			}
			text := e.Packet.String()
			again, err := Parse("g.pkt", "+0 > "+text)
			if err != nil || len(again.Events) != 1 || again.Events[0].Packet.String() != text {
				t.Fatalf("%s is not read again as it prints: %v", text, err)
			}
		}
	})
}
