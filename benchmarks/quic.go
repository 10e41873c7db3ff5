package benchmarks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// quicALPN is the application protocol that both ends name.
const quicALPN = "culvert-benchmark"

// quicStack is quic-go with one stream per connection. QUIC always encrypts: the
// comparison is with what it does, not with what it could do without TLS.
func quicStack() Stack {
	return Stack{
		Name:   "quic-go",
		About:  version("github.com/quic-go/quic-go") + ", TLS inside",
		Env:    []string{"QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true"},
		Listen: quicListen,
		Dial:   quicDial,
	}
}

// quicListener accepts a connection and its first stream together.
type quicListener struct{ *quic.Listener }

func quicListen(addr string) (net.Listener, error) {
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	l, err := quic.ListenAddr(addr, &tls.Config{
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{quicALPN},
	}, nil)
	if err != nil {
		return nil, err
	}
	return quicListener{l}, nil
}

func (l quicListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept(context.Background())
		if errors.Is(err, quic.ErrServerClosed) {
			return nil, net.ErrClosed
		} else if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		s, err := c.AcceptStream(ctx)
		cancel()
		if err == nil {
			return quicConn{s, c}, nil
		}
		c.CloseWithError(1, "no stream")
	}
}

func quicDial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := quic.DialAddr(ctx, addr, &tls.Config{
		InsecureSkipVerify: true, // a throw-away certificate on loopback
		NextProtos:         []string{quicALPN},
	}, nil)
	if err != nil {
		return nil, err
	}
	s, err := c.OpenStreamSync(ctx)
	if err != nil {
		c.CloseWithError(1, "no stream")
		return nil, err
	}
	return quicConn{s, c}, nil
}

// quicConn is a connection with its only stream.
type quicConn struct {
	*quic.Stream
	conn *quic.Conn
}

func (c quicConn) LocalAddr() net.Addr  { return c.conn.LocalAddr() }
func (c quicConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Close ends the stream and the connection.
func (c quicConn) Close() error {
	c.Stream.Close()
	return c.conn.CloseWithError(0, "")
}
