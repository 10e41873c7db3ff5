package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	nipv4 "gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	gvisorMTU   = 1472 // an IP packet in a datagram of an Ethernet
	gvisorPort  = 7
	gvisorBatch = 64
	gvisorQueue = 4096 // packets on their way to the socket
)

// The addresses inside.
var (
	gvisorServer = tcpip.AddrFrom4([4]byte{192, 0, 2, 1})
	gvisorClient = tcpip.AddrFrom4([4]byte{192, 0, 2, 2})
)

// gvisorStack is gVisor's TCP/IP, whose packets travel in UDP datagrams, many in one
// system call. It has one client process, and all its connections share one socket.
func gvisorStack() Stack {
	var client struct {
		sync.Mutex
		*gvisorHost
	}
	return Stack{
		Name:  "gvisor",
		About: version("gvisor.dev/gvisor") + ", CUBIC, packets of 1472 bytes in UDP",
		Listen: func(addr string) (net.Listener, error) {
			at, err := net.ResolveUDPAddr("udp4", addr)
			if err != nil {
				return nil, err
			}
			u, err := net.ListenUDP("udp4", at)
			if err != nil {
				return nil, err
			}
			h, err := newGvisorHost(u, gvisorServer, false)
			if err != nil {
				return nil, err
			}
			l, err := gonet.ListenTCP(h.stack, tcpip.FullAddress{NIC: 1, Addr: gvisorServer, Port: gvisorPort}, nipv4.ProtocolNumber)
			if err != nil {
				h.close()
				return nil, err
			}
			return &gvisorListener{l, h, make(chan struct{})}, nil
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			h, err := func() (*gvisorHost, error) {
				client.Lock()
				defer client.Unlock()
				if client.gvisorHost != nil && client.peer == addr {
					return client.gvisorHost, nil
				}
				to, err := net.ResolveUDPAddr("udp4", addr)
				if err != nil {
					return nil, err
				}
				u, err := net.DialUDP("udp4", nil, to)
				if err != nil {
					return nil, err
				}
				h, err := newGvisorHost(u, gvisorClient, true)
				if err != nil {
					return nil, err
				}
				h.peer = addr
				client.gvisorHost = h
				return h, nil
			}()
			if err != nil {
				return nil, err
			}
			return gonet.DialContextTCP(ctx, h.stack, tcpip.FullAddress{NIC: 1, Addr: gvisorServer, Port: gvisorPort}, nipv4.ProtocolNumber)
		},
	}
}

// gvisorListener has the address of the socket, and takes all down with it.
type gvisorListener struct {
	*gonet.TCPListener
	host   *gvisorHost
	closed chan struct{}
}

func (l *gvisorListener) Addr() net.Addr { return l.host.udp.LocalAddr() }

func (l *gvisorListener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil {
		select {
		case <-l.closed:
			return nil, net.ErrClosed
		default:
		}
	}
	return c, err
}

func (l *gvisorListener) Close() error {
	close(l.closed)
	err := l.TCPListener.Close()
	l.host.close()
	return err
}

// A gvisorHost is a stack with one address behind a socket.
type gvisorHost struct {
	stack *stack.Stack
	link  *channel.Endpoint
	udp   *net.UDPConn
	peer  string // that it was dialled for
	stop  context.CancelFunc

	mu   sync.Mutex
	to   net.Addr       // where packets go to; nil on a connected socket
	seen netip.AddrPort // the same
}

func newGvisorHost(u *net.UDPConn, addr tcpip.Address, connected bool) (*gvisorHost, error) {
	u.SetReadBuffer(4 << 20) // as far as the system lets it
	u.SetWriteBuffer(4 << 20)
	h := &gvisorHost{udp: u, link: channel.New(gvisorQueue, gvisorMTU, "")}
	h.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{nipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC},
	})
	err := gvisorErrors(
		gvisorOption(h.stack, tcpip.TCPSACKEnabled(true)),
		gvisorOption(h.stack, tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: 8 << 20}),
		gvisorOption(h.stack, tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: 8 << 20}),
		h.stack.CreateNIC(1, h.link),
		h.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{
			Protocol: nipv4.ProtocolNumber, AddressWithPrefix: addr.WithPrefix(),
		}, stack.AddressProperties{}),
	)
	if err != nil {
		u.Close()
		return nil, err
	}
	h.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go h.receive(connected)
	go h.send(ctx, connected)
	return h, nil
}

func gvisorOption[T any, P interface {
	*T
	tcpip.SettableTransportProtocolOption
}](s *stack.Stack, v T) tcpip.Error {
	return s.SetTransportProtocolOption(tcp.ProtocolNumber, P(&v))
}

// gvisorErrors returns the first error as Go has them.
func gvisorErrors(errs ...tcpip.Error) error {
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("gvisor: %s", err)
		}
	}
	return nil
}

func (h *gvisorHost) close() {
	h.stop()
	h.stack.Close()
	h.udp.Close()
}

// receive hands packets to the stack until the socket is closed.
func (h *gvisorHost) receive(connected bool) {
	ms := make([]ipv4.Message, gvisorBatch)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	for pc := ipv4.NewPacketConn(h.udp); ; {
		n, err := pc.ReadBatch(ms, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a refusal, while the other end is not there
		}
		if !connected && n > 0 {
			h.learn(ms[n-1].Addr)
		}
		for _, m := range ms[:n] {
			pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(m.Buffers[0][:m.N])})
			h.link.InjectInbound(nipv4.ProtocolNumber, pkt)
			pkt.DecRef()
		}
	}
}

// learn notes where the client is.
func (h *gvisorHost) learn(from net.Addr) {
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := u.AddrPort(); at != h.seen {
		h.to, h.seen = from, at
	}
}

// send takes packets from the stack, many at a time.
func (h *gvisorHost) send(ctx context.Context, connected bool) {
	ms := make([]ipv4.Message, 0, gvisorBatch)
	pkts := make([]*stack.PacketBuffer, 0, gvisorBatch)
	for pc := ipv4.NewPacketConn(h.udp); ; {
		pkt := h.link.ReadContext(ctx)
		if pkt == nil {
			return
		}
		ms, pkts = ms[:0], pkts[:0]
		var to net.Addr
		if !connected {
			h.mu.Lock()
			to = h.to
			h.mu.Unlock()
		}
		for pkt != nil {
			ms = append(ms, ipv4.Message{Buffers: pkt.AsSlices(), Addr: to})
			pkts = append(pkts, pkt)
			if len(ms) == gvisorBatch {
				break
			}
			pkt = h.link.Read()
		}
		for left := ms; len(left) > 0; {
			n, err := pc.WriteBatch(left, 0)
			if err != nil {
				break // lost
			}
			left = left[n:]
		}
		for _, p := range pkts {
			p.DecRef()
		}
	}
}
