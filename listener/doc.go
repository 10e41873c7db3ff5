// Package listener makes a net.Listener: it decides which SYN may open a
// connection, and keeps the connections until Accept takes them.
//
// As in package conn, two parties need different levers, so New returns two faces
// of one struct: the application's Listener, and the Intake of the endpoint, which
// asks it about every segment that belongs to no connection. The Intake answers
// with a Verdict and never acts: opening a connection, and the reply, are the
// endpoint's work. What LISTEN means for a SYN (RFC 9293 section 3.10.7.2) is the
// engine's work, which gets it from the endpoint.
//
// A listener knows connections only as net.Conn, and as Reins that end one.
// Its lock is a leaf: nothing is called while it is held.
package listener
