package benchmarks

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/xtaci/kcp-go/v5"
)

// How users set kcp-go for the most throughput: its "turbo" mode without congestion
// control, and a window that its queues on a local path still take.
const (
	kcpInterval = 10 // ms between its updates
	kcpResend   = 2  // duplicate acknowledgments that count as loss
	kcpWindow   = 1024
	kcpMTU      = 1472 // less IP and UDP headers
)

// kcpStack is kcp-go without a cipher and without forward error correction.
func kcpStack() Stack {
	return Stack{
		Name:  "kcp-go",
		About: version("github.com/xtaci/kcp-go/v5") + ", NoDelay(1, 10, 2, 1), window 1024, no cipher, no FEC",
		Listen: func(addr string) (net.Listener, error) {
			l, err := kcp.ListenWithOptions(addr, nil, 0, 0)
			if err != nil {
				return nil, err
			}
			l.SetReadBuffer(4 << 20) // as far as the system lets it
			l.SetWriteBuffer(4 << 20)
			return kcpListener{l}, nil
		},
		Dial: func(_ context.Context, addr string) (net.Conn, error) {
			s, err := kcp.DialWithOptions(addr, nil, 0, 0)
			if err != nil {
				return nil, err
			}
			s.SetReadBuffer(4 << 20)
			s.SetWriteBuffer(4 << 20)
			return turbo(s), nil
		},
	}
}

func turbo(s *kcp.UDPSession) net.Conn {
	interface{ SetStreamMode(bool) }(s).SetStreamMode(true) // the stream of a net.Conn
	s.SetNoDelay(1, kcpInterval, kcpResend, 1)
	s.SetWindowSize(kcpWindow, kcpWindow)
	s.SetMtu(kcpMTU)
	s.SetACKNoDelay(true)
	s.SetWriteDelay(false)
	return s
}

type kcpListener struct{ *kcp.Listener }

func (l kcpListener) Accept() (net.Conn, error) {
	s, err := l.AcceptKCP()
	if errors.Is(err, io.ErrClosedPipe) {
		return nil, net.ErrClosed
	} else if err != nil {
		return nil, err
	}
	return turbo(s), nil
}
