package transport

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"example.com/culvert/carrier"
)

// A dial that has no route fails at once; a connection that has one and loses it does not.
func TestNoRoute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := n.open("192.0.2.1:1111"), n.open("192.0.2.2:2222")
		route := func(err error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.refuse = nil
			if err != nil {
				a.refuse = func(*carrier.Datagram) error {
					return &net.OpError{Op: "write", Net: "udp", Err: os.NewSyscallError("sendmsg", err)}
				}
			}
		}
		ea := mustEndpoint(t, a, quick())
		l, err := mustEndpoint(t, b, quick()).Listen(2222)
		if err != nil {
			t.Fatal(err)
		}
		for _, errno := range []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH} {
			route(errno)
			at := time.Now()
			if _, err := ea.Dial("tcp", "192.0.2.2:2222"); !isOp(err, "dial", errno) || time.Since(at) > 0 {
				t.Errorf("%v after %v", err, time.Since(at))
			}
		}
		route(nil)
		c, err := ea.Dial("tcp", "192.0.2.2:2222")
		if err != nil {
			t.Fatal(err)
		}
		d, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		route(syscall.ENETUNREACH)
		c.Write([]byte("x"))
		<-time.After(time.Second / 2)
		route(nil)
		if _, err := io.ReadFull(d, make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}
