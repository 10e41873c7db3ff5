package rawcarrier

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// without runs f on a thread of its own, which lacks the given capabilities, and goes with f.
func without(t *testing.T, f func(), capabilities ...int) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&head, &data[0])
		for _, c := range capabilities {
			data[c/32].Effective &^= 1 << (c % 32)
		}
		if err == nil {
			err = unix.Capset(&head, &data[0])
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestWithoutPrivilege: what is missing is said, and how to grant it without taking away what
// the process has.
func TestWithoutPrivilege(t *testing.T) {
	if !privileged(t) {
		return
	}
	want := func(name string, c *Carrier, err error, missing, grant string) {
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "the capability "+missing+"; ") ||
			!strings.Contains(err.Error(), "setcap "+grant+"+ep /") {
			t.Errorf("%s: %v, want a permission, %q and %q", name, err, missing, grant)
		}
	}
	const bind, admin, raw = unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW
	peer := at(netip.AddrFrom4([4]byte{127, 0, 0, 7}), 99)
	without(t, func() {
		c, err := Listen(at(loopback, 0), Options{})
		want("Listen", c, err, "cap_net_raw", "cap_net_raw")
		c, err = Dial(netip.AddrPort{}, peer, Options{})
		want("Dial", c, err, "cap_net_raw", "cap_net_raw")
	}, bind, admin, raw)
	without(t, func() {
		c, err := Listen(at(loopback, 0), Options{})
		if err == nil { // not every kernel wants it
			c.Close()
			return
		}
		want("Listen", c, err, "cap_net_admin", "cap_net_admin,cap_net_raw")
	}, bind, admin)
	if _, err := os.Stat("/dev/net/tun"); err == nil {
		without(t, func() {
			c, err := TUN("", tunHost, tunOwn, Options{})
			want("TUN", c, err, "cap_net_admin", "cap_net_admin,cap_net_raw")
		}, bind, admin)
	}
	// The least port that needs no privilege; 0 and there is none that does.
	least, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err == nil && strings.TrimSpace(string(least)) != "0" {
		without(t, func() {
			c, err := Listen(at(loopback, 1), Options{})
			want("Listen on port 1", c, err, "cap_net_bind_service", grant("cap_net_bind_service"))
		}, bind)
	}
}

// crashing is set for a test process that is going to be killed.
const crashing = "CULVERT_TEST_CRASH"

// TestCrash: a process that is killed holds no port any more, and the kernel answers again.
func TestCrash(t *testing.T) {
	if !privileged(t) {
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashing$")
	cmd.Env = append(os.Environ(), crashing+"=1")
	in := must[io.WriteCloser](t)(cmd.StdinPipe())
	defer in.Close()
	out := must[io.ReadCloser](t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "holds ")
	if err != nil || !ok {
		t.Errorf("the other process says %q, %v", line, err)
	}
	if l, err := net.Listen("tcp4", address); !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			l.Close()
		}
		t.Errorf("another process has the port: %v, want EADDRINUSE", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if c, err := net.Dial("tcp4", address); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			c.Close()
		}
		t.Errorf("a dial to the port after the process: %v, want ECONNREFUSED", err)
	}
	must[*Carrier](t)(Listen(netip.MustParseAddrPort(address), Options{})).Close()
}

// TestCrashing is the process of TestCrash.
func TestCrashing(t *testing.T) {
	if os.Getenv(crashing) == "" {
		return
	}
	c := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	fmt.Println("holds", c.LocalAddr())
	io.Copy(io.Discard, os.Stdin)
}
