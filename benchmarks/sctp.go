package benchmarks

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/pion/logging"
	"github.com/pion/sctp"
	"github.com/pion/transport/v3/udp"
)

const (
	sctpMTU     = 1472
	sctpMessage = 32 << 10 // what a Write is divided into: SCTP carries messages
	sctpBuffer  = 4 << 20
)

// sctpStack is pion's SCTP with one stream, in UDP as RFC 6951 has it, without the DTLS
// of WebRTC.
func sctpStack() Stack {
	return Stack{
		Name:  "sctp",
		About: "pion/sctp " + version("github.com/pion/sctp") + ", one stream, in UDP without DTLS",
		Listen: func(addr string) (net.Listener, error) {
			at, err := net.ResolveUDPAddr("udp4", addr)
			if err != nil {
				return nil, err
			}
			lc := udp.ListenConfig{ReadBufferSize: sctpBuffer, WriteBufferSize: sctpBuffer}
			l, err := lc.Listen("udp4", at)
			if err != nil {
				return nil, err
			}
			return sctpListener{l}, nil
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			to, err := net.ResolveUDPAddr("udp4", addr)
			if err != nil {
				return nil, err
			}
			u, err := net.DialUDP("udp4", nil, to)
			if err != nil {
				return nil, err
			}
			u.SetReadBuffer(sctpBuffer) // as far as the system lets it
			u.SetWriteBuffer(sctpBuffer)
			a, err := sctp.ClientContext(ctx, sctpOptions[sctp.ClientOption](u)...)
			if err != nil {
				u.Close()
				return nil, err
			}
			s, err := a.OpenStream(0, sctp.PayloadTypeWebRTCBinary)
			if err != nil {
				a.Close()
				return nil, err
			}
			return newSCTPConn(s, a, u), nil
		},
	}
}

// sctpOptions are the options of both ends, for which the library has two types.
func sctpOptions[T any](c net.Conn) []T {
	all := []sctp.AssociationOption{
		sctp.WithNetConn(c), sctp.WithLoggerFactory(logging.NewDefaultLoggerFactory()),
		sctp.WithBlockWrite(true), // or Write takes whatever it is given into memory
		sctp.WithMTU(sctpMTU), sctp.WithMaxReceiveBufferSize(sctpBuffer),
	}
	var own []T
	for _, o := range all {
		own = append(own, any(o).(T))
	}
	return own
}

// sctpListener accepts an association and its first stream together.
type sctpListener struct{ net.Listener }

func (l sctpListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if errors.Is(err, udp.ErrClosedListener) {
		return nil, net.ErrClosed
	} else if err != nil {
		return nil, err
	}
	a, err := sctp.ServerWithOptions(sctpOptions[sctp.ServerOption](c)...)
	if err != nil {
		return nil, err
	}
	s, err := a.AcceptStream()
	if err != nil {
		return nil, err
	}
	return newSCTPConn(s, a, c), nil
}

// An sctpConn makes a byte stream of messages.
type sctpConn struct {
	*sctp.Stream
	assoc *sctp.Association
	below net.Conn
	buf   []byte
	rest  []byte // of the last message
}

func newSCTPConn(s *sctp.Stream, a *sctp.Association, below net.Conn) *sctpConn {
	return &sctpConn{Stream: s, assoc: a, below: below, buf: make([]byte, sctpMessage)}
}

func (c *sctpConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if len(p) >= sctpMessage {
			return c.Stream.Read(p)
		}
		n, err := c.Stream.Read(c.buf)
		if err != nil {
			return 0, err
		}
		c.rest = c.buf[:n]
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *sctpConn) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := c.Stream.Write(p[done:min(len(p), done+sctpMessage)])
		done += n
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
	}
	return done, nil
}

func (c *sctpConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *sctpConn) LocalAddr() net.Addr  { return c.below.LocalAddr() }
func (c *sctpConn) RemoteAddr() net.Addr { return c.below.RemoteAddr() }

// Close ends the association with its only stream.
func (c *sctpConn) Close() error {
	return errors.Join(c.Stream.Close(), c.assoc.Close())
}
