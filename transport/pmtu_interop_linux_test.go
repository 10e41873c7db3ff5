//go:build interop && linux

package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

// The kernel forwards between two namespaces by a third, whose link to the receiver takes
// 1400 octets while both hosts' take 1500. These tests need root, ip and nft:
//
//	go test -tags interop -run Interop ./transport

// pathMTUVar makes the test's own binary one of the hosts.
const pathMTUVar = "CULVERT_PATH_MTU"

// A router is three namespaces in a row.
type router struct {
	t       *testing.T
	a, r, b string
}

func newRouter(t *testing.T, told bool) *router {
	base := "culvert" + strconv.Itoa(os.Getpid())
	n := &router{t: t, a: base + "a", r: base + "r", b: base + "b"}
	for _, name := range []string{n.a, n.r, n.b} {
		n.run("ip", "netns", "add", name)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
		// Addresses count at once, the routers' own included.
		n.in(name, "sh", "-c", "for i in all default; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; done")
	}
	for _, l := range []struct{ host, near, far, v4, v6 string }{
		{n.a, "a0", "ra", "10.77.1.", "fd77:1::"}, {n.b, "b0", "rb", "10.77.2.", "fd77:2::"},
	} {
		n.run("ip", "-n", l.host, "link", "add", l.near, "type", "veth", "peer", "name", l.far, "netns", n.r)
		for _, end := range []struct{ ns, dev, number string }{{l.host, l.near, "1"}, {n.r, l.far, "2"}} {
			n.run("ip", "-n", end.ns, "address", "add", l.v4+end.number+"/24", "dev", end.dev)
			n.run("ip", "-n", end.ns, "address", "add", l.v6+end.number+"/64", "dev", end.dev, "nodad")
			n.run("ip", "-n", end.ns, "link", "set", end.dev, "up")
		}
		for _, end := range [][2]string{{l.host, l.near}, {n.r, l.far}} {
			n.in(end[0], "sh", "-c", "until [ $(cat /sys/class/net/"+end[1]+"/operstate) = up ]; do sleep 0.01; done")
		}
		n.run("ip", "-n", l.host, "link", "set", "lo", "up")
		n.run("ip", "-n", l.host, "route", "add", "default", "via", l.v4+"2")
		n.run("ip", "-n", l.host, "-6", "route", "add", "default", "via", l.v6+"2")
	}
	n.in(n.r, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
	n.run("ip", "-n", n.r, "link", "set", "rb", "mtu", "1400")
	if !told {
		n.in(n.r, "nft", "add table inet t; add chain inet t out { type filter hook output priority 0; }; "+
			"add rule inet t out icmp type destination-unreachable drop; add rule inet t out icmpv6 type packet-too-big drop")
	}
	return n
}

func (n *router) run(name string, args ...string) {
	n.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func (n *router) in(ns string, args ...string) {
	n.t.Helper()
	n.run("ip", append([]string{"netns", "exec", ns}, args...)...)
}

// host starts one end, and returns what it says line by line.
func (n *router) host(ctx context.Context, ns, role string) *bufio.Scanner {
	n.t.Helper()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", ns, os.Args[0], "-test.run", "^TestInteropHost$")
	cmd.Env = append(os.Environ(), pathMTUVar+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { cmd.Wait() })
	return bufio.NewScanner(out)
}

// TestInteropHost is a host of TestInteropPathMTU, if the environment says so.
func TestInteropHost(t *testing.T) {
	role, address, _ := strings.Cut(os.Getenv(pathMTUVar), " ")
	switch role {
	case "receive":
		l, err := transport.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, c)
		c.Close()
		fmt.Println(n, err)
	case "send":
		c, err := transport.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		// So much that the path is searched to the end.
		b, sent := make([]byte, 64<<10), 0
		for sent < 200<<20 {
			n, err := c.Write(b)
			if sent += n; err != nil {
				t.Fatal(err)
			}
			if in := c.(*conn.Conn).Info(); sent > 8<<20 && in.PathMTU >= 1340-28 {
				break
			}
		}
		in := c.(*conn.Conn).Info()
		c.Close()
		j, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(sent)
		fmt.Println(string(j))
	}
}

// TestInteropPathMTU has the kernels of two hosts and a router carry a stream over a path that is
// narrower than both hosts know, with the router's reports and without.
func TestInteropPathMTU(t *testing.T) {
	for _, c := range []struct {
		name, address string
		told          bool
		header        int
	}{
		{"IPv4, told", "10.77.2.1", true, 28},
		{"IPv4, silent", "10.77.2.1", false, 28},
		{"IPv6, told", "fd77:2::1", true, 48},
		{"IPv6, silent", "fd77:2::1", false, 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newRouter(t, c.told)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			t.Cleanup(cancel)
			address := net.JoinHostPort(c.address, "4000")
			r := n.host(ctx, n.b, "receive "+address)
			if !r.Scan() || r.Text() != "ready" {
				t.Fatalf("the receiver says %q", r.Text())
			}
			s := n.host(ctx, n.a, "send "+address)
			if !s.Scan() {
				t.Fatal("the sender failed")
			}
			sent := s.Text()
			if !s.Scan() {
				t.Fatal("the sender failed")
			}
			var in struct {
				PathMTU, SendMSS                                                   int
				TooBigReports, TooBigIgnored, BlackHoles, MTUProbes, MTUProbesLost uint64
				Timeouts, Retransmits                                              uint64
			}
			if err := json.Unmarshal(s.Bytes(), &in); err != nil {
				t.Fatalf("%v: %s", err, s.Text())
			}
			if !r.Scan() || r.Text() != sent+" <nil>" {
				t.Errorf("%s octets were sent, and what arrived is %q", sent, r.Text())
			}
			t.Logf("PathMTU %d, MSS %d, %d reports (%d ignored), %d black holes, %d probes (%d lost), %d timeouts, %d retransmissions",
				in.PathMTU, in.SendMSS, in.TooBigReports, in.TooBigIgnored, in.BlackHoles, in.MTUProbes, in.MTUProbesLost, in.Timeouts, in.Retransmits)
			least := 1400 - c.header
			if !c.told {
				least -= 40
			}
			if in.PathMTU > 1400-c.header || in.PathMTU < least {
				t.Errorf("the path is taken to carry segments of %d", in.PathMTU)
			}
			if c.told && (in.TooBigReports == 0 || in.BlackHoles > 0) || !c.told && (in.TooBigReports > 0 || in.BlackHoles == 0) {
				t.Errorf("%d reports and %d black holes", in.TooBigReports, in.BlackHoles)
			}
			for _, ns := range []string{n.r, n.b} {
				n.in(ns, "sh", "-c", `awk '/^Ip:/ && $15 ~ /^[0-9]+$/ && $15+$20 > 0 { exit 1 }' /proc/net/snmp`)
				n.in(ns, "sh", "-c", `awk '/^Ip6(ReasmReqds|FragCreates)/ && $2 > 0 { exit 1 }' /proc/net/snmp6`)
			}
		})
	}
}
