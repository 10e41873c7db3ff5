package rawcarrier

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/culvert/carrier/carriertest"
	"example.com/culvert/tcpcore/segment"
)

// inside is set for a test process that has a network of its own.
const inside = "CULVERT_TEST_TUN"

var (
	tunHost = netip.MustParsePrefix("10.98.0.1/24")
	tunOwn  = netip.MustParseAddr("10.98.0.2")
)

// TestTUN runs the tests of TUN in a process with a network namespace of its own. Where
// that is not allowed, neither is TUN.
func TestTUN(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestInside", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, os.ErrPermission) {
		if _, err := TUN("", tunHost, tunOwn, Options{}); !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) ||
			errors.Is(err, os.ErrPermission) && !strings.Contains(err.Error(), "needs the capability cap_net_admin;") {
			t.Errorf("TUN: %v, want a permission and how to get it", err)
		}
		return
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideTUN") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestInsideTUN is TUN as a carrier, with a raw one on the host's side.
func TestInsideTUN(t *testing.T) {
	if os.Getenv(inside) == "" {
		return // TestTUN runs it
	}
	carriertest.Test(t, func(t *testing.T) carriertest.Pair {
		a := must[*Carrier](t)(TUN("", tunHost, tunOwn, Options{}))
		t.Cleanup(func() { a.Close() }) // or the next one would have another's address
		b := must[*Carrier](t)(Listen(at(tunHost.Addr(), 0), Options{}))
		return carriertest.Pair{A: a, B: b, ToA: at(tunOwn, 7000), ToB: b.LocalAddr(), Prepare: prepare}
	})
}

// TestInsideEcho: the address answers ICMP echo requests.
func TestInsideEcho(t *testing.T) {
	if os.Getenv(inside) == "" {
		return // TestTUN runs it
	}
	c := must[*Carrier](t)(TUN("culvert7", tunHost, tunOwn, Options{}))
	if _, err := TUN("culvert7", tunHost, tunOwn, Options{}); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), `"culvert7"`) {
		t.Errorf("a name in use: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			b, err := c.ReadBatch()
			if err != nil {
				return
			}
			b.Release()
		}
	}()
	icmp := must[net.PacketConn](t)(net.ListenPacket("ip4:icmp", tunHost.Addr().String()))
	defer icmp.Close()
	request := icmpMessage(icmpEchoRequest, 0, []byte("are you there?"), false)
	if _, err := icmp.WriteTo(request, &net.IPAddr{IP: tunOwn.AsSlice()}); err != nil {
		t.Fatal(err)
	}
	icmp.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 1500)
	n, from, err := icmp.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	if from.String() != tunOwn.String() || b[0] != icmpEchoReply || !bytes.Equal(b[8:n], request[8:]) || segment.InternetSum(b[:n]) != 0xffff {
		t.Errorf("%v answered %x", from, b[:n])
	}
	c.Close()
	<-done
	if _, err := net.InterfaceByName("culvert7"); err == nil {
		t.Error("the device is still there")
	}
}

func TestTUNArguments(t *testing.T) {
	for want, f := range map[string]func() (*Carrier, error){
		"TUN: name":       func() (*Carrier, error) { return TUN("a name that is too long", tunHost, tunOwn, Options{}) },
		"TUN: own: ::1":   func() (*Carrier, error) { return TUN("", tunHost, netip.IPv6Loopback(), Options{}) },
		"TUN: own: inval": func() (*Carrier, error) { return TUN("", tunHost, netip.Addr{}, Options{}) },
		"TUN: host":       func() (*Carrier, error) { return TUN("", tunHost, tunHost.Addr(), Options{}) },
		"TUN: host: 10":   func() (*Carrier, error) { return TUN("", tunHost, loopback, Options{}) },
		"Options.MTU":     func() (*Carrier, error) { return TUN("", tunHost, tunOwn, Options{MTU: 10}) },
	} {
		c, err := f()
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that names %q", err, want)
		}
	}
}
