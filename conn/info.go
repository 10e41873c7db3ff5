package conn

import "example.com/culvert/tcpcore"

// Info is a snapshot of a connection, and of the socket that carries it.
type Info struct {
	tcpcore.Info

	// SocketReceiveBuffer and SocketSendBuffer are what the system granted for the socket's
	// queues, in bytes as it counts (Linux includes its own overhead, and doubles what is
	// asked for); 0 where it does not tell. All connections of the socket share them. A
	// receive queue that is small beside what arrives in a millisecond loses some of it.
	SocketReceiveBuffer, SocketSendBuffer int
}

// A Buffered is a Host that knows the queues of the socket below.
type Buffered interface {
	Host
	// Buffers returns what the system granted for receiving and sending, in bytes as it
	// counts; 0 where it does not tell.
	Buffers() (recv, send int)
}

// Info returns a snapshot of the connection's state and counters, also after Close.
func (x *Conn) Info() Info {
	var i Info
	if b, ok := x.c.host.(Buffered); ok {
		i.SocketReceiveBuffer, i.SocketSendBuffer = b.Buffers()
	}
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	i.Info = x.c.engine.Info()
	return i
}
