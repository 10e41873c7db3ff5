package link

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ends are two pairs of sockets that keep packets apart, as TUN devices do: what the
// test writes to near, the forwarder reads from far.
func ends(t *testing.T) (near, far [2]*os.File) {
	t.Helper()
	for i := range near {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		near[i], far[i] = os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
		t.Cleanup(func() { near[i].Close(); far[i].Close() })
		if err := near[i].SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return near, far
}

// ipv4 is n bytes that look like an IPv4 packet to the forwarder.
func ipv4(id byte, n int) []byte {
	b := bytes.Repeat([]byte{id}, n)
	b[0] = 0x45
	return b
}

// TestForwarder: packets go both ways with their delay, others than IPv4 do not, and the
// report has seen it all.
func TestForwarder(t *testing.T) {
	near, far := ends(t)
	p := Path{Rate: 1e8, Delay: 3 * ms, Queue: 1 << 20, Duplicate: 1, Outages: []Outage{{time.Hour, ms}}}
	for i := range near {
		if _, err := near[i].Write(ipv4(9, 50)); err != nil { // from before: to be thrown away
			t.Fatal(err)
		}
	}
	f, err := NewForwarder(far[0], far[1], p, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	begin := Now()
	f.Start(begin)
	for id := range byte(5) {
		for i := range near {
			if _, err := near[i].Write(ipv4(id, 1000+int(id))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := near[0].Write([]byte{0x60, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2*MTU)
	for id := range byte(5) {
		for range 2 {
			for i := range near {
				n, err := near[i].Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(buf[:n], ipv4(id, 1000+int(id))) {
					t.Fatalf("end %d got %d bytes that begin with % x, want packet %d", i, n, buf[:2], id)
				}
			}
		}
	}
	if took := Now() - begin; took < p.Delay {
		t.Errorf("took %v, less than the delay", took)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r := f.Report()
	for _, c := range []Counts{r.AToB, r.BToA} {
		if c.Offered != 5 || c.Delivered != 5 || c.Duplicated != 5 || c.DeliveredBytes != 5010 {
			t.Errorf("counts are %+v", c)
		}
	}
	if r.Refused != 0 || r.Work <= 0 || len(r.Trace) == 0 {
		t.Errorf("refused %d, work %v, %d samples", r.Refused, r.Work, len(r.Trace))
	}
}

// TestForwarderRefuses a bad path.
func TestForwarderRefuses(t *testing.T) {
	_, far := ends(t)
	if _, err := NewForwarder(far[0], far[1], Path{}, 1); err == nil {
		t.Error("a path without a rate was accepted")
	}
}

// TestForwarderEnds with an error when a device is gone.
func TestForwarderEnds(t *testing.T) {
	_, far := ends(t)
	f, err := NewForwarder(far[0], far[1], even(), 1)
	if err != nil {
		t.Fatal(err)
	}
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	f.fd[1] = null // cannot be read
	if err := f.Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

// TestDeviceDrops reads the kernel's table.
func TestDeviceDrops(t *testing.T) {
	const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    7    0     0          0         0        0       0    0    0    0     0       0          0
 link0:  123456     789    0    3    0     0          0         0   654321     987    0    4    0     0       0          0
`
	if n, err := deviceDrops([]byte(table), "link0"); n != 7 || err != nil {
		t.Errorf("got %d, %v; want 7", n, err)
	}
	for _, bad := range []string{"", " link0: 1 2 3\n", " link0: a b c d e f g h i j k l m\n"} {
		if _, err := deviceDrops([]byte(bad), "link0"); err == nil {
			t.Errorf("%q gave no error", bad)
		}
	}
}
