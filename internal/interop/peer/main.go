// Command peer is one end of an interoperation test: a program on culvert's TCP over raw
// IPv4, or on the kernel's, that says what it sent and got.
//
//	peer transfer -tcp ours -listen :7000 -send 1000000 -expect 1000000
//	peer transfer -tcp kernel -dial 10.0.0.1:7000 -send 1000000 -expect 1000000
//	peer relay -tcp ours -listen :7000 -to-tcp kernel -to 127.0.0.1:22
//	peer drive -tcp ours		does what standard input says, see drive.go
//
// It prints "listening ADDRESS" when it does, and "ok ..." for each connection that
// ended well. The exit status is 0 if all did.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/rawcarrier"
	"example.com/culvert/transport"
)

func main() {
	log.SetFlags(log.Lmicroseconds)
	log.SetPrefix("peer: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: peer transfer|relay|drive FLAGS")
	}
	var o options
	if err := o.parse(os.Args[2:]); err != nil {
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "transfer":
		err = transfers(&o)
	case "relay":
		err = relay(&o)
	case "drive":
		err = drive(&o)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

type options struct {
	tcp, listen, dial, local string
	toTCP, to                string
	send, expect             int64
	count                    int
	timeout                  time.Duration
	readSize                 int
	stall                    time.Duration
	linger                   int
	first                    bool
	cc                       string
	config                   transport.Config
	tun                      *transport.Endpoint
	profile                  string
}

func (o *options) parse(args []string) error {
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	f.StringVar(&o.tcp, "tcp", "ours", "whose TCP: ours, kernel, tun (ours, with an address of its own) or udp (ours, in UDP)")
	f.StringVar(&o.listen, "listen", "", "address to listen on")
	f.StringVar(&o.dial, "dial", "", "address to dial")
	f.StringVar(&o.local, "local", "", "address to dial from")
	f.StringVar(&o.toTCP, "to-tcp", "kernel", "relay: whose TCP leads on")
	f.StringVar(&o.to, "to", "", "relay: address to dial for each connection")
	f.Int64Var(&o.send, "send", 0, "octets to send")
	f.Int64Var(&o.expect, "expect", 0, "octets to get")
	f.IntVar(&o.count, "count", 1, "connections, one after the other; 0: without end")
	f.DurationVar(&o.timeout, "timeout", 60*time.Second, "how long a connection may take")
	f.IntVar(&o.readSize, "read", 1<<16, "octets to read at once")
	f.DurationVar(&o.stall, "stall", 0, "how long to read nothing, once a quarter of the octets is there")
	f.IntVar(&o.linger, "linger", -1, "SetLinger before Close")
	f.BoolVar(&o.first, "first", false, "read all before sending")
	f.StringVar(&o.cc, "cc", "", "congestion control")
	c := &o.config
	f.DurationVar(&c.MSL, "msl", 300*time.Millisecond, "ours: maximum segment lifetime")
	f.BoolVar(&c.NoSACK, "nosack", false, "ours: no SACK")
	f.BoolVar(&c.NoTimestamps, "notimestamps", false, "ours: no timestamps")
	f.BoolVar(&c.NoWindowScale, "nowindowscale", false, "ours: no window scale")
	f.BoolVar(&c.ECN, "ecn", false, "ours: ask for ECN")
	f.IntVar(&c.MSS, "mss", 0, "ours: the most to send in a segment")
	f.IntVar(&c.ReceiveBuffer, "receive", 0, "ours: receive buffer")
	f.IntVar(&c.SendBuffer, "sendbuffer", 0, "ours: send buffer")
	f.BoolVar(&c.KeepAlive, "keepalive", false, "keep-alive, after a second, each second")
	f.StringVar(&o.profile, "profile", "", "file for a CPU profile")
	if err := f.Parse(args); err != nil {
		return err
	}
	c.CongestionControl = o.cc
	c.KeepAliveIdle, c.KeepAliveInterval, c.KeepAliveCount = time.Second, time.Second, 3
	return nil
}

// listener opens the listener of the TCP that was chosen.
func (o *options) listener() (net.Listener, error) {
	var l net.Listener
	var err error
	switch o.tcp {
	case "ours":
		l, err = (&transport.ListenConfig{Config: &o.config}).Listen(context.Background(), "ip4:tcp", o.listen)
	case "udp":
		l, err = (&transport.ListenConfig{Config: &o.config}).Listen(context.Background(), "tcp4", o.listen)
	case "tun":
		var e *transport.Endpoint
		var at *net.TCPAddr
		if e, err = o.endpoint(); err == nil {
			if at, err = net.ResolveTCPAddr("tcp4", o.listen); err == nil {
				l, err = e.Listen(uint16(at.Port))
			}
		}
	case "kernel":
		l, err = (&net.ListenConfig{Control: o.control, KeepAliveConfig: o.keepAlive()}).Listen(context.Background(), "tcp4", o.listen)
	default:
		err = fmt.Errorf("-tcp: %q is none of ours, kernel, tun, udp", o.tcp)
	}
	if err == nil {
		fmt.Println("listening", l.Addr())
	}
	return l, err
}

// dialer opens a connection on tcp.
func (o *options) dialTo(tcp, address string) (net.Conn, error) {
	var local net.Addr
	if o.local != "" {
		a, err := net.ResolveTCPAddr("tcp4", o.local)
		if err != nil {
			return nil, err
		}
		local = a
	}
	if tcp == "udp" {
		return (&transport.Dialer{Timeout: o.timeout, Config: &o.config}).Dial("tcp4", address)
	}
	if tcp == "tun" {
		e, err := o.endpoint()
		if err != nil {
			return nil, err
		}
		return e.Dial("ip4:tcp", address)
	}
	if tcp == "ours" {
		return (&transport.Dialer{Timeout: o.timeout, LocalAddr: local, Config: &o.config}).Dial("ip4:tcp", address)
	}
	return (&net.Dialer{Timeout: o.timeout, LocalAddr: local, Control: o.control, KeepAliveConfig: o.keepAlive()}).Dial("tcp4", address)
}

// Addresses of the TUN device: the host's, and that which belongs to our TCP.
var (
	tunHost = netip.MustParsePrefix("10.98.0.1/24")
	tunOwn  = netip.MustParseAddr("10.98.0.2")
)

// endpoint is our TCP on a TUN device.
func (o *options) endpoint() (*transport.Endpoint, error) {
	if o.tun == nil {
		c, err := rawcarrier.TUN("", tunHost, tunOwn, rawcarrier.Options{})
		if err != nil {
			return nil, err
		}
		if o.tun, err = transport.NewEndpoint(c, &o.config); err != nil {
			return nil, err
		}
	}
	return o.tun, nil
}

func (o *options) keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: o.config.KeepAlive, Idle: time.Second, Interval: time.Second, Count: 3}
}

// conns calls each for every connection, in a goroutine of its own if there is no end
// of them, and returns the first error.
func (o *options) conns(each func(net.Conn) error) error {
	if o.dial != "" {
		for range o.count {
			c, err := o.dialTo(o.tcp, o.dial)
			if err == nil {
				err = each(c)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	l, err := o.listener()
	if err != nil {
		return err
	}
	defer l.Close()
	for i := 0; o.count == 0 || i < o.count; i++ {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if o.count == 0 {
			go func() {
				if err := each(c); err != nil {
					log.Print(err)
				}
			}()
			continue
		}
		if err := each(c); err != nil {
			return err
		}
	}
	return nil
}

func transfers(o *options) error {
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	err := o.conns(func(c net.Conn) error { return transfer(o, c) })
	if err == nil && o.tcp != "kernel" {
		time.Sleep(2*o.config.MSL + 100*time.Millisecond) // TIME-WAIT answers repetitions
	}
	return err
}

// octets are those that every peer sends.
func octets(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), n) }

// transfer sends and receives at the same time, and closes.
func transfer(o *options, c net.Conn) error {
	defer c.Close()
	began := time.Now()
	c.SetDeadline(began.Add(o.timeout))
	sent := make(chan error, 1)
	send := func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{c}, octets(o.send), make([]byte, 1<<18))
		if err == nil {
			err = c.(interface{ CloseWrite() error }).CloseWrite()
		}
		sent <- err
	}
	if !o.first {
		go send()
	}
	got, want := sha256.New(), sha256.New()
	n, err := o.receive(got, c)
	if err != nil {
		return fmt.Errorf("after %d octets: %w", n, err)
	}
	if n != o.expect {
		return fmt.Errorf("%d octets came, want %d", n, o.expect)
	}
	io.Copy(want, octets(n))
	if sum := got.Sum(nil); string(sum) != string(want.Sum(nil)) {
		return errors.New("the octets that came are not those that were sent")
	}
	if o.first {
		go send()
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	linger := o.linger
	if linger < 0 && o.tcp != "kernel" {
		linger = 30 // the connection is in this process, which must not end before it
	}
	if linger >= 0 {
		c.(interface{ SetLinger(int) error }).SetLinger(linger)
	}
	if err := c.Close(); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("ok sent %d got %d in %v, %.1f MB/s, SHA-256 %x%s\n", o.send, n, took.Round(time.Millisecond),
		float64(o.send+n)/took.Seconds()/1e6, got.Sum(nil)[:8], account(c))
	return nil
}

// account is what a connection of ours is like, and what it did about losses.
func account(c net.Conn) string {
	ours, ok := c.(*conn.Conn)
	if !ok {
		return ""
	}
	i := ours.Info()
	var with []string
	for _, o := range []struct {
		name string
		on   bool
	}{{"SACK", i.SACK}, {"timestamps", i.Timestamps}, {"window scale", i.WindowScale}, {"ECN", i.ECN}} {
		if o.on {
			with = append(with, o.name)
		}
	}
	return fmt.Sprintf(", with %s; segments of %d, and of %d back; sent again %d of %d, in %d recoveries and %d timeouts; %d window probes",
		strings.Join(with, ", "), i.SendMSS, i.ReceiveMSS, i.Retransmits, i.DataSegmentsSent, i.FastRecoveries, i.Timeouts, i.ZeroWindowProbes)
}

// receive reads to the end, in the pieces and with the pause that were asked for.
func (o *options) receive(w io.Writer, r io.Reader) (n int64, err error) {
	b := make([]byte, o.readSize)
	stalled := o.stall == 0
	for {
		if !stalled && n >= o.expect/4 {
			time.Sleep(o.stall)
			stalled = true
		}
		k, err := r.Read(b)
		w.Write(b[:k])
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// relay connects each connection to another one, of another TCP.
func relay(o *options) error {
	return o.conns(func(c net.Conn) error {
		defer c.Close()
		d, err := o.dialTo(o.toTCP, o.to)
		if err != nil {
			return err
		}
		defer d.Close()
		errs := make(chan error, 1)
		go func() { errs <- pipe(c, d) }()
		return errors.Join(pipe(d, c), <-errs)
	})
}

// pipe copies until the end, and passes that on.
func pipe(to, from net.Conn) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 1<<17))
	if e := to.(interface{ CloseWrite() error }).CloseWrite(); err == nil && !errors.Is(e, syscall.ENOTCONN) {
		err = e
	}
	return err
}
