package conn

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"example.com/culvert/tcpcore"
)

// Host is what a connection wants of the endpoint that carries it; one Host
// belongs to one connection.
type Host interface {
	// Now reads the clock that the engine lives by.
	Now() tcpcore.Time
	// Transmit sends the trains in order and borrows them until it returns. It is
	// called without the connection's lock, by one goroutine at a time, and may
	// report what went wrong through the Driver.
	Transmit(trains []*tcpcore.Train)
	// Established tells once that the handshake is complete. It is called with the
	// connection's lock held: it must not block, nor call the Driver or the Conn.
	Established()
	// Done tells once that the network is finished with the connection, and how it
	// ended. It is called without the lock.
	Done(End)
}

// A Leader is a Host whose carrier can be read by whoever waits for the connection: a
// goroutine that blocks in Read or Write does the receiving itself, and is spared the
// hand-over. Who reads has the turn; at most one has it, and while nobody does, the Host sees
// to it that somebody soon will.
type Leader interface {
	Host
	// TryLead takes the turn, unless somebody has it or the Host wants nobody to. It
	// is called with the connection's lock held, and does not block.
	TryLead() bool
	// Lead reads and processes until stop is set or the carrier is at its end. It is called
	// without the lock, by whoever has the turn.
	Lead(stop *atomic.Bool, why Reason)
	// Rouse makes Lead look at stop. It does not block.
	Rouse()
	// Leave gives the turn back, with the lock held. If soon is false, nobody needs what
	// arrives at once: the caller is likely to be back.
	Leave(soon bool)
	// Attend has the carrier read if nobody does: nobody will come back to lead.
	Attend()
}

// Reason is what a leader waits for.
type Reason uint8

const (
	// ForChange is any but those below.
	ForChange Reason = iota
	// ForData is a Read, whose buffer Driver.Lent tells of until Lead returns.
	ForData
	// ForAnswer is such a Read that follows a Write: a peer that is quick answers at once.
	ForAnswer
)

// A TrainSender is a Host that can send segments one by one instead of in trains.
type TrainSender interface {
	// TrainsSpoiled tells that trains are lost but for their first segments: something on
	// the way spoils them. It is called without the connection's lock.
	TrainsSpoiled()
}

// End is how a connection ended for the network.
type End struct {
	// TimeWait: the connection is in TIME-WAIT with its user gone, and Record is
	// what remains to be looked after.
	TimeWait bool
	Record   tcpcore.TimeWaitRecord
	// Reset: it was established, and this side gave it up. The peer may not know,
	// and should get a reset for whatever it still sends.
	Reset bool
}

// Options are the properties of a connection that the engine does not know.
type Options struct {
	// Linger is as SetLinger's argument; the zero value of Options is not the
	// default, which is negative.
	Linger int
	// KeepAlive tells whether the engine was configured to send keep-alive probes.
	KeepAlive bool
}

// core is one connection; Conn and Driver are its faces.
type core struct {
	host Host

	mu            sync.Mutex
	clock         tcpcore.Time // the latest time that the engine was told
	engine        *tcpcore.Engine
	local, remote address

	rd, wr side  // readers and writers
	bye    *side // who lingers in Close, from there on

	writing   bool  // a Write has its turn
	asked     bool  // something was written since data was read
	closed    bool  // the user called Close
	readShut  bool  // the user called CloseRead
	told      bool  // Host.Established was called
	over      bool  // Host.Done was called, or is about to be
	reported  bool  // the user has been told why the connection broke
	failure   error // what the carrier, or the network, ended it with
	refused   refusals
	soft      error // what the network said last, and nothing arrived since
	linger    int
	keepAlive bool
	watch     watch

	leader  Leader      // the host, if it is one
	leading *side       // who reads the carrier waits here; nil if none of ours does
	roused  atomic.Bool // and has been woken
	woken   bool        // a reader or a writer was, since Driver.Finish said so

	sending bool // the send token
	spoiled bool // Host.TrainsSpoiled is to be called, by whoever has the token
	trains  [maxGather]*tcpcore.Train

	timer *time.Timer
	due   tcpcore.Time // when timer fires; Never if it is not armed
}

// Conn is a TCP connection: a net.Conn with the methods of *net.TCPConn that can
// exist here. All methods may be called by any number of goroutines at once.
//
// There is no SyscallConn and no File: the socket below may be shared, and what
// arrives on it is not the stream.
type Conn struct{ c *core }

// Driver is the network's side of a connection. Receive and Finish are for
// whoever reads the socket; all methods may be called by any number of goroutines.
type Driver struct{ c *core }

// New returns a connection around an engine that has been opened, and its Driver.
// Nothing is sent before the first Driver.Finish. The addresses are what LocalAddr
// and RemoteAddr return.
func New(host Host, engine *tcpcore.Engine, local, remote netip.AddrPort, o Options) (*Conn, *Driver) {
	all := &struct {
		core
		conn   Conn
		driver Driver
	}{}
	c := &all.core
	c.host, c.engine, c.linger, c.keepAlive = host, engine, o.Linger, o.KeepAlive
	c.local.at, c.remote.at = local, remote
	c.leader, _ = host.(Leader)
	c.due = tcpcore.Never
	c.rd.init(c)
	c.wr.init(c)
	all.conn.c, all.driver.c = c, c
	return &all.conn, &all.driver
}

// LocalAddr returns the *net.TCPAddr of this end, with the port of the carrier. It
// must not be modified.
func (x *Conn) LocalAddr() net.Addr {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	return x.c.local.addr()
}

// RemoteAddr returns the *net.TCPAddr of the peer, with the port of the carrier. It
// must not be modified.
func (x *Conn) RemoteAddr() net.Addr {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	return x.c.remote.addr()
}

// address is an end's, which many a connection is never asked for. core.mu guards it.
type address struct {
	at  netip.AddrPort
	tcp *net.TCPAddr // made when it is asked for
}

func (a *address) addr() *net.TCPAddr {
	if a.tcp == nil {
		a.tcp = net.TCPAddrFromAddrPort(a.at)
	}
	return a.tcp
}

// now reads the clock for the engine, whose time must not go back: a batch is
// stamped when it arrives, and a writer may have the lock before the reader.
func (c *core) now() tcpcore.Time { return c.at(c.host.Now()) }

func (c *core) at(t tcpcore.Time) tcpcore.Time {
	c.clock = max(c.clock, t)
	return c.clock
}
