package packetdrill

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// established is the beginning of most scripts of this file.
const established = `--profile=culvert
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
`

// play runs a script and wants the outcome, with reason in what is printed.
func play(t *testing.T, script string, set Settings, want Outcome, reason string) {
	t.Helper()
	r := Run(t, "x.pkt", script, set)
	text := r.String()
	if r.Outcome != want || !strings.Contains(text, reason) {
		t.Errorf("%s: %s: %s\nwant %s with %q", set.Level, r.Outcome, text, want, reason)
	}
}

// only lets a Mangle do something to segments of some kind, and nothing to others.
func only(flags Flags, length int, f func([]byte) [][]byte) func([]byte) [][]byte {
	return func(b []byte) [][]byte {
		l, err := decode(b)
		if err != nil || l.k.Flags != flags || l.k.Len != length {
			return [][]byte{b}
		}
		return f(b)
	}
}

// TestBrokenWire: what no stack may send is noticed whatever the script says.
func TestBrokenWire(t *testing.T) {
	script := established + `
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+.1 < P. 1:101(100) ack 101 win 65535
+.04 > . 101:101(0) ack 101
`
	data := Flags(FlagACK | FlagPSH)
	for _, tt := range []struct {
		name   string
		mangle func([]byte) [][]byte
		reason string
		// lenient, if not empty, is the reason at the lenient level.
		lenient string
	}{
		{"checksum", only(data, 100, func(b []byte) [][]byte { b[16] ^= 1; return [][]byte{b} }), "checksum", ""},
		{"payload", func(b []byte) [][]byte {
			// One octet of data is wrong, and the checksum agrees with it.
			if l, _ := decode(b); l.k.Len == 100 {
				b[len(b)-2] ^= 1
				fixChecksum(b)
			}
			return [][]byte{b}
		}, "of the stream is", ""},
		{"header", only(data, 100, func(b []byte) [][]byte { b[12] = 0xf0; return [][]byte{b[:30]} }), "malformed", ""},
		{"too long", only(data, 100, func(b []byte) [][]byte { b = append(b, make([]byte, 2000)...); fixChecksum(b); return [][]byte{b} }), "exceeds what the path takes", ""},
		{"twice", only(data, 100, func(b []byte) [][]byte { return [][]byte{b, b} }), "expected", ""},
		{"lost", only(data, 100, func(b []byte) [][]byte { return nil }), "no packet was sent", ""},
		{"no ACK", only(FlagACK, 0, func(b []byte) [][]byte { return nil }), "no packet was sent", "no acknowledgment of 101 within 500 ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lenient := tt.reason
			if tt.lenient != "" {
				lenient = tt.lenient
			}
			play(t, script, Settings{Level: Strict, Complete: true, Mangle: tt.mangle}, Fail, tt.reason)
			play(t, script, Settings{Level: Lenient, Complete: true, Mangle: tt.mangle}, Fail, lenient)
			play(t, script, Settings{Level: Strict, Complete: true}, Pass, "")
		})
	}
}

// fixChecksum makes the checksum of a segment between the default addresses right.
func fixChecksum(b []byte) {
	b[16], b[17] = 0, 0
	s := sum16(b, []byte{192, 168, 0, 1}, []byte{192, 0, 2, 1})
	b[16], b[17] = byte(s>>8), byte(s)
}

// TestUnsupported: what culvert or the runner lacks is named, and is no pass.
func TestUnsupported(t *testing.T) {
	for _, tt := range []struct{ script, reason string }{
		{"0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", "a socket other than of TCP"},
		{"0 socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 3", "MPTCP"},
		{"0 mmap(...) = 0", "the system call mmap"},
		{"0 `rm -rf /tmp/x; frobnicate now`", "the command frobnicate"},
		{"`sysctl -q net.ipv4.tcp_congestion_control=vegas`", "congestion control vegas"},
		{established + "+0 %{ assert tcpi_frobs == 1 }%", "tcpi_frobs"},
		{established + "+0 %{ for x in 1, 2: pass }%", "code: for"},
		{established + "+0 setsockopt(4, SOL_TCP, TCP_REPAIR, [1], 4) = 0", "TCP_REPAIR"},
		{established + "+0 setsockopt(4, SOL_TCP, TCP_FROB, [1], 4) = 0", "the constant TCP_FROB"},
		{established + "+0 send(4, ..., 10, MSG_ZEROCOPY) = 10", "MSG_ZEROCOPY"},
		{established + "+0 < ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0) ack 1 win 1", "packets within ipv4"},
		{established + "+0 > udp (10)", "UDP packets"},
		{established + "+0 < . 1:1(0) ack 1 win 1 <frob 5>", "TCP option frob 5"},
	} {
		play(t, tt.script, Settings{}, Unsupported, tt.reason)
	}
}

// TestUnreadable: what is not in the language says where it is not.
func TestUnreadable(t *testing.T) {
	r := Run(t, "x.pkt", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 > Z 0:0(0)", Settings{})
	if r.Outcome != Unreadable || r.Pos.Line != 2 || r.Pos.Col != 6 {
		t.Errorf("%s at %v: %v", r.Outcome, r.Pos, r)
	}
	play(t, "--mtu=wide\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", Settings{}, Unreadable, "--mtu")
	if r := RunFile(t, filepath.Join(t.TempDir(), "none.pkt"), Settings{}); r.Outcome != Unreadable {
		t.Errorf("a file that is not there: %s", r.Outcome)
	}
}

// TestSurplus: packetdrill does not mind what a script leaves unsaid at its end.
func TestSurplus(t *testing.T) {
	script := established + "+0 write(4, ..., 100) = 100\n"
	play(t, script, Settings{}, Pass, "")
	play(t, script, Settings{Complete: true}, Fail, "does not expect")
}

// TestRepeatable: two runs of a script send the same at the same times.
func TestRepeatable(t *testing.T) {
	files, err := Collect(filepath.Join("testdata", "recovery"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var runs [2]string
		for i := range runs {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			Run(t, file, string(text), Settings{Trace: func(format string, args ...any) {
				for _, a := range args {
					if k, ok := a.(*Packet); ok {
						runs[i] += k.String()
					} else if s, ok := a.(string); ok {
						runs[i] += s
					}
				}
				runs[i] += "\n"
			}})
		}
		if runs[0] != runs[1] || runs[0] == "" {
			t.Errorf("%s: two runs differ:\n%s\n%s", file, runs[0], runs[1])
		}
	}
}

// TestFailureText is what a reader of a failure gets: packetdrill's form.
func TestFailureText(t *testing.T) {
	r := Run(t, "dir/x.pkt", established+"+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 2\n", Settings{})
	want := "dir/x.pkt:10: error handling packet: live packet field tcp_ack_seq: expected: 2 (0x2) vs actual: 1 (0x1)\n" +
		"script packet: 0.100000 P. 1:101(100) ack 2\n" +
		"actual packet: 0.100000 P. 1:101(100) ack 1 win 65535"
	if r.String() != want {
		t.Errorf("got\n%s\nwant\n%s", r, want)
	}
}

// TestManySegments: a line stands for several segments of the same bytes; strict
// segments are asked for by an option.
func TestManySegments(t *testing.T) {
	body := established + "+0 write(4, ..., 4380) = 4380\n+0 > P. 1:4381(4380) ack 1\n"
	play(t, body, Settings{Level: Strict, Complete: true}, Pass, "")
	play(t, "--strict_segments=1\n"+body, Settings{Level: Strict}, Fail, "expected 4380 bytes vs actual 1460 bytes")
	// Other cuts are for the lenient level.
	body = established + "+0 write(4, ..., 2920) = 2920\n+0 > . 1:1001(1000) ack 1\n+0 > . 1001:2001(1000) ack 1\n+0 > P. 2001:2921(920) ack 1\n"
	play(t, body, Settings{Level: Strict}, Fail, "expected 1000 bytes vs actual 1460 bytes")
	play(t, body, Settings{Level: Lenient, Complete: true}, Pass, "")
}

// FuzzRun: no script makes the runner panic, or leave a goroutine in its bubble.
func FuzzRun(f *testing.F) {
	files, err := Collect("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for i, file := range files {
		if i%8 != 0 {
			continue // enough of every kind
		}
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, level := range []Level{Strict, Lenient} {
			if r := Run(t, "f.pkt", text, Settings{Level: level, Complete: true}); r.Outcome == "" {
				t.Fatal("the script has no outcome")
			}
		}
	})
}

// TestSplitShell: as a shell would, as far as scripts go.
func TestSplitShell(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want [][][]string
	}{
		{"a b; c", [][][]string{{{"a", "b"}}, {{"c"}}}},
		{"a 'b c' \"d e\"f\n\n# g\nh", [][][]string{{{"a", "b c", "d ef"}}, {{"h"}}}},
		{"a | b | c && d || e", [][][]string{{{"a"}, {"b"}, {"c"}}, {{"d"}}, {{"e"}}}},
		{"a \\\n b > /dev/null 2>&1", [][][]string{{{"a", "b", ">", "/dev/null"}}}},
	} {
		got := splitShell(tt.in)
		if s, w := flat(got), flat(tt.want); s != w {
			t.Errorf("%q: got %s, want %s", tt.in, s, w)
		}
	}
}

func flat(all [][][]string) string {
	var b strings.Builder
	for _, stages := range all {
		for _, words := range stages {
			b.WriteString("(" + strings.Join(words, ",") + ")")
		}
		b.WriteString(";")
	}
	return b.String()
}
