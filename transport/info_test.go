package transport

import (
	"testing"

	"example.com/culvert/conn"
)

// queued is a carrier whose datagrams wait in queues of known sizes.
type queued struct{ *memCarrier }

func (queued) Buffers() (recv, send int) { return 1_000_000, 500_000 }

// TestInfoOfSocket: what the system granted for the socket's queues is in Info, after Close as
// well; 0 where nobody tells.
func TestInfoOfSocket(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:2222"), quick()))
		for _, to := range []struct {
			e          *Endpoint
			recv, send int
		}{
			{mustEndpoint(t, queued{n.open("192.0.2.1:1111")}, quick()), 1_000_000, 500_000},
			{mustEndpoint(t, n.open("192.0.2.3:3333"), quick()), 0, 0},
		} {
			c := mustDial(t, to.e, "192.0.2.2:2222")
			roundTrip(t, c, make([]byte, 1000))
			check := func(in conn.Info) {
				t.Helper()
				if in.SocketReceiveBuffer != to.recv || in.SocketSendBuffer != to.send || in.BytesAcked != 1000 {
					t.Errorf("queues of %d and %d bytes, %d acknowledged", in.SocketReceiveBuffer, in.SocketSendBuffer, in.BytesAcked)
				}
			}
			check(c.Info())
			c.Close()
			check(c.Info())
		}
	})
}
