// Package conn makes a net.Conn out of a tcpcore.Engine. It adds what the engine
// leaves out: a lock, a clock reading, blocking, deadlines, a timer and the errors
// of package net.
//
// Two parties hold a connection and need different levers, so New returns two
// faces of one struct: the application's Conn, and the Driver of the endpoint that
// carries it, whose methods are the network's. Neither leads to the other. What a
// connection wants of its endpoint is the small interface Host.
//
// One mutex guards a connection. It is never held while a segment is handed to the
// Host, so a slow socket delays no reader. Whoever transmits holds the send token;
// the others update the engine and leave, and the holder asks the engine again
// before it lets go (see pump). So trains leave in order, small concurrent
// writes merge, and nothing that became due is forgotten.
//
// There is no goroutine here. Segments are processed by whoever calls the Driver,
// written data is sent by the writer, and one timer, armed only while the engine
// waits for something, does the rest. Nothing here may assume who reads the socket: it
// is the endpoint's goroutine or, where the Host is a Leader, a Read, Write or Close that
// would block otherwise. wait is the one place where such a call takes its turn.
//
// Who only uses connections needs Conn alone. Who reads the code starts at pump.go.
package conn
