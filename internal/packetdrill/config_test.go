package packetdrill

import "testing"

// TestProfiles: what a script says tells the system that it was written for.
func TestProfiles(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       profile
	}{
		{"nothing", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", profileLinux},
		{"a sysctl of FreeBSD", "0 `sysctl -n net.inet.tcp.rfc1323=1`", profileFreeBSD},
		{"a module", "0 `kldload -n cc_newreno`", profileFreeBSD},
		{"a function block", "0 setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {a=1}, 36) = 0", profileFreeBSD},
		{"Linux's defaults", "`../common/defaults.sh`", profileLinux},
		{"the level of an option", "0 setsockopt(3, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0", profileFreeBSD},
		{"SYN with the scale first", "+0 > S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>", profileFreeBSD},
		{"SYN with padding behind", "+0 > S 0:0(0) <mss 1460,sackOK,eol,eol>", profileFreeBSD},
		{"SYN with SACK first", "+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>", profileLinux},
		{"the peer's SYN", "+0 < S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>", profileLinux},
		{"SYN of FreeBSD with sysctl of Linux", "`sysctl -q net.ipv4.tcp_sack=1`\n+0 > S 0:0(0) <mss 1460,nop,wscale 6>", profileLinux},
	} {
		sc, err := Parse("x.pkt", tt.text)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := dialect(sc); got != tt.want {
			t.Errorf("%s: profile %d, want %d", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		value string
		want  bool
	}{{"linux", true}, {"freebsd", true}, {"culvert", true}, {"minix", false}, {"", false}} {
		sc, err := Parse("x.pkt", "--profile="+tt.value+"\n")
		if err != nil {
			t.Fatal(err)
		}
		var c config
		if err := c.init(sc); (err == nil) != tt.want {
			t.Errorf("--profile=%s: %v", tt.value, err)
		}
	}
}
