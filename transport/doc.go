// Package transport is the front door: Dial and Listen as in package net, over a
// TCP that runs in this process and travels in UDP datagrams, or in IPv4 datagrams.
//
//	l, err := transport.Listen("tcp", ":8080")
//	c, err := transport.Dial("tcp", "host:8080")
//
// What they return is a net.Listener and a net.Conn with the behaviour, and the
// errors, of package net's TCP; type-assert to *listener.Listener and *conn.Conn for
// more. The networks "tcp", "tcp4" and "tcp6" mean our TCP over UDP, and ports are
// UDP ports. Both ends must speak it.
//
// The network "ip4:tcp" means the same TCP directly in IPv4 datagrams, to and from any
// other TCP; it needs Linux and a privilege, see package rawcarrier.
//
// Dialer and ListenConfig take a Config with every tunable. An Endpoint shares one
// socket, or anything else that is a carrier.Carrier, among many dials and
// listeners.
//
// Inside, a shard is one carrier, whose socket is read by a goroutine in the background or
// by the Read or Write that blocks (or several of one address, a goroutine each, see
// Config.Sockets), and what its segments belong to: flows (connections as the shard knows them), listeners, and
// records of connections in TIME-WAIT. A Dial has a shard of its own, a listener
// shares one with the connections that it accepts. A shard closes its carrier when
// nothing is left that needs it. There is no goroutine and no queue per connection.
//
// Locks: a connection's comes first, then a shard's, a listener's or the registry's,
// which are leaves. None is held across a system call or a call to the application.
//
// Start reading at receive.go.
package transport
