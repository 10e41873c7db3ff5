package link

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that belongs to this process, has no name, and is
// gone with it, however it ends. All methods may be called by any number of goroutines.
type Namespace struct {
	// Addr is its only address besides loopback.
	Addr netip.Addr
	// TUN is the device behind which the rest of the link is: one packet per Read
	// and Write.
	TUN *os.File

	work chan func()
	done chan struct{}
}

// queueLength is the TUN device's own queue in packets: long enough that only the
// emulated queue drops.
const queueLength = 20000

// NewNamespace makes a namespace with one address, out of a prefix that contains the
// other end of the link.
func NewNamespace(addr netip.Prefix) (*Namespace, error) {
	if !addr.IsValid() || !addr.Addr().Is4() {
		return nil, fmt.Errorf("addr: %v is not an IPv4 address with its prefix", addr)
	}
	n := &Namespace{Addr: addr.Addr(), work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go n.live(addr, ready)
	if err := <-ready; err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// live is the thread that is in the namespace, and keeps it. It ends with the thread,
// which must not run anything else afterwards.
func (n *Namespace) live(addr netip.Prefix, ready chan<- error) {
	runtime.LockOSThread()
	defer close(n.done)
	err := unix.Unshare(unix.CLONE_NEWNET)
	if err != nil {
		err = fmt.Errorf("a new network namespace: %w (this needs root)", err)
	} else {
		err = n.furnish(addr)
	}
	ready <- err
	for f := range n.work {
		f()
	}
}

func (n *Namespace) furnish(addr netip.Prefix) error {
	var err error
	if n.TUN, err = openTUN("link0"); err != nil {
		return err
	}
	if err := configure("link0", addr, MTU, queueLength); err != nil {
		return err
	}
	if err := up("lo"); err != nil {
		return err
	}
	for _, s := range []struct{ name, value string }{
		// What one run measured must not help the next.
		{"ipv4/tcp_no_metrics_save", "1"},
		// Enough for each path; the kernel's own tuning decides within.
		{"ipv4/tcp_rmem", "4096 131072 67108864"},
		{"ipv4/tcp_wmem", "4096 16384 67108864"},
	} {
		if err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0); err != nil {
			return err
		}
	}
	return nil
}

// Start starts a process in the namespace, which is killed when this one ends.
func (n *Namespace) Start(cmd *exec.Cmd) error {
	bind(cmd)
	return n.Do(cmd.Start)
}

// bind lets a process die with the thread that starts it, which lives as long as the
// namespace.
func bind(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// StartRealtime is Start with a real-time priority, above all ordinary processes, if
// the system permits it. Each thread of the process has it: Go's scheduler hands work
// from thread to thread, and one that waits for its turn would keep them all.
func (n *Namespace) StartRealtime(cmd *exec.Cmd) error {
	bind(cmd)
	return n.Do(func() error {
		if before, err := unix.SchedGetAttr(0, 0); err == nil {
			if unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 10}, 0) == nil {
				defer unix.SchedSetAttr(0, before, 0)
			}
		}
		return cmd.Start()
	})
}

// Do runs f in the namespace: sockets that it opens belong there. f must not start
// goroutines that do so.
func (n *Namespace) Do(f func() error) error {
	err := make(chan error, 1)
	n.work <- func() { err <- f() }
	return <-err
}

// Close removes the namespace, once its processes have ended, and the device.
func (n *Namespace) Close() error {
	close(n.work)
	<-n.done
	if n.TUN == nil {
		return nil
	}
	return n.TUN.Close()
}
