package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
	"example.com/culvert/listener"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// shard is one carrier, the goroutine that reads it while nobody leads, and what its segments
// belong to; or several of one address, a goroutine each, of which the first one sends. It
// lives while anything needs it: a user (an Endpoint, or a Dial or Listen that is going on), a
// flow, a listener, a record in TIME-WAIT.
type shard struct {
	car   carrier.Carrier
	caps  carrier.Caps
	local netip.AddrPort
	wild  bool // the carrier is on a wildcard: flows differ by local address too
	clock clock
	entry *entry    // in the registry; nil if it is not shared
	route route     // of a socket for one peer, which a dial may take that wants the same
	once  sync.Once // begins reading

	linger lingerer

	mu        sync.Mutex
	users     int
	exclusive bool // an Endpoint has it, and nobody else may listen
	flows     map[key]*flow
	hosts     map[host]int              // flows by host, where peers can come from several ports
	learnt    map[netip.Addr]netip.Addr // the local address that a peer answered to last, on a wildcard
	ports     map[uint16]*port
	waits     timeWaits
	quiet     tcpcore.Time // until when a peer may have to be told again of a reset
	hushing   *time.Timer  // ends quiet, once nothing else keeps the carrier open
	keepWaits bool         // TIME-WAIT and quiet keep the carrier open
	dead      bool
	err       error         // why, if the carrier failed
	gone      chan struct{} // closed when the carrier is

	readers []*reader // of car, and of others that the system spreads the same port over
	counts  counts
	turn    turn
}

// key is a connection's identity in a shard. local is the zero Addr where the
// carrier has only one address, and where the local address is not known (yet).
type key struct {
	peer                  netip.AddrPort
	local                 netip.Addr
	localPort, remotePort uint16 // of the TCP header
}

// host is a key without the port of the carrier, which a NAT may change.
type host struct {
	peer                  netip.Addr
	localPort, remotePort uint16
}

func (k key) host() host { return host{k.peer.Addr(), k.localPort, k.remotePort} }

// port is a listener's inner port.
type port struct {
	l      *listener.Listener
	intake *listener.Intake
	cfg    *settings
}

// newShard makes the shard of car, with one user, and of more carriers that are at the same
// address and bring some of what comes there. They are not read before begin.
func newShard(car carrier.Carrier, more ...carrier.Carrier) *shard {
	s := &shard{
		car: car, caps: car.Caps(), local: car.LocalAddr(), clock: newClock(), users: 1, keepWaits: true,
		flows: make(map[key]*flow), hosts: make(map[host]int), ports: make(map[uint16]*port), gone: make(chan struct{}),
	}
	s.wild = !s.local.Addr().IsValid() || s.local.Addr().IsUnspecified()
	for i, car := range append([]carrier.Carrier{car}, more...) {
		s.readers = append(s.readers, newReader(s, i, car))
	}
	if len(more) > 0 {
		car = nil // who leads would hear only part of it
	}
	s.turn.init(car)
	return s
}

// begin has the carrier read, once what it was opened for is in place: a segment that
// was there before must not be answered with a reset.
func (s *shard) begin() {
	s.once.Do(func() {
		go s.read()
		for _, r := range s.readers[1:] {
			go r.readMore()
		}
	})
}

// use adds a user. It reports false if the shard is closing.
func (s *shard) use() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return false
	}
	s.users++
	lingering.remove(s)
	return true
}

// reuse adds a user to a shard that nobody needs, which makes room for another record. It
// reports false if the shard is closing, or somebody has it again.
func (s *shard) reuse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.users > 0 || len(s.flows) > 0 {
		return false
	}
	s.users++
	lingering.remove(s)
	s.waits.keep(maxKept - 1)
	return true
}

// claim gives the shard to an Endpoint alone, unless somebody has it.
func (s *shard) claim() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exclusive || s.users > 1 || len(s.ports) > 0 {
		return errInUse
	}
	s.exclusive = true
	return nil
}

// leave takes a user away.
func (s *shard) leave() {
	s.mu.Lock()
	s.users--
	s.settle()
}

// settle closes the carrier if nothing needs it any more. It is called with the
// lock held and lets go of it.
func (s *shard) settle() {
	if s.dead || s.users > 0 || len(s.flows) > 0 || len(s.ports) > 0 {
		s.mu.Unlock()
		return
	}
	if s.keepWaits {
		d := s.quiet.Sub(s.clock.now())
		if d > 0 && s.hushing == nil {
			s.hushing = time.AfterFunc(d, s.hush)
		}
		if d > 0 || s.waits.len() > 0 {
			// The number of sockets that wait like this is bounded.
			oldest := lingering.add(s)
			s.mu.Unlock()
			if oldest != nil {
				oldest.hurry()
			}
			return
		}
	}
	s.close()
}

// hurry closes a shard that only TIME-WAIT or quiet kept.
func (s *shard) hurry() {
	s.mu.Lock()
	if s.dead || s.users > 0 || len(s.flows) > 0 || len(s.ports) > 0 {
		s.mu.Unlock()
		return
	}
	s.close()
}

// close is called with the lock held and lets go of it.
func (s *shard) close() {
	s.dead = true
	s.waits.clear()
	if s.hushing != nil {
		s.hushing.Stop()
	}
	lingering.remove(s)
	s.mu.Unlock()
	for _, r := range s.readers {
		r.car.Close()
	}
	s.entry.drop()
	close(s.gone)
}

// fail is the end of a shard whose carrier broke.
func (s *shard) fail(err error) {
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		return
	}
	s.err = err
	flows := make([]*flow, 0, len(s.flows))
	for _, f := range s.flows {
		flows = append(flows, f)
	}
	ports := s.ports
	s.ports = make(map[uint16]*port)
	s.close()
	for _, p := range ports {
		p.intake.Fail(err)
	}
	for _, f := range flows {
		f.driver.Fail(err)
	}
}

// shut is the end of an Endpoint: listeners and open connections go, those that
// their user closed may finish.
func (s *shard) shut() {
	s.mu.Lock()
	s.exclusive = false
	var flows []*flow
	for _, f := range s.flows {
		flows = append(flows, f)
	}
	var listeners []*listener.Listener
	for _, p := range s.ports {
		listeners = append(listeners, p.l)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, f := range flows {
		if !f.driver.Closed() {
			f.driver.Abort()
		}
	}
}

// fate is the answer to whoever wants something of a dead shard.
func (s *shard) fate() error {
	if s.err != nil {
		return s.err
	}
	return net.ErrClosed
}

// listen makes a listener on an inner port, 0 meaning the carrier's.
func (s *shard) listen(number uint16, cfg *settings) (*listener.Listener, error) {
	if number == 0 {
		number = s.local.Port()
	}
	if number == 0 {
		return nil, errors.New("the carrier has no port to listen on; name one")
	}
	if only := s.local.Port(); s.caps.SamePorts && only != 0 && number != only {
		return nil, fmt.Errorf("port %d: segments arrive at the carrier's port alone, %d", number, only)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil, s.fate()
	}
	if s.ports[number] != nil {
		return nil, errInUse
	}
	p := &port{cfg: cfg}
	at := s.localOf(key{localPort: number}, s.local.Addr())
	l, intake := listener.New(carrier.Addr(at), cfg.backlog, func() { s.unlisten(number, p) })
	p.l, p.intake = l, intake
	s.ports[number] = p
	s.begin()
	return l, nil
}

func (s *shard) unlisten(number uint16, p *port) {
	s.mu.Lock()
	if s.ports[number] == p {
		delete(s.ports, number)
	}
	s.settle()
}

// keyOf is the key of what arrives from peer at local.
func (s *shard) keyOf(peer netip.AddrPort, local netip.Addr, localPort, remotePort uint16) key {
	if !s.wild {
		local = netip.Addr{}
	}
	return key{peer, local, localPort, remotePort}
}

// find looks a flow or a record up, the lock held. It returns the key under which
// there is one: a connection that was dialled from a wildcard may not know its
// local address yet.
func (s *shard) find(k key) (*flow, key) {
	if f := s.flows[k]; f != nil || !k.local.IsValid() || s.waits.has(k) {
		return f, k
	}
	any := k
	any.local = netip.Addr{}
	if f := s.flows[any]; f != nil || s.waits.has(any) {
		return f, any
	}
	return nil, k
}

// taken reports whether a new connection cannot have the key, the lock held.
func (s *shard) taken(k key) bool { return s.flows[k] != nil || s.waits.has(k) }

// maxLearnt bounds the addresses that a shard remembers.
const maxLearnt = 1024

// learn notes where a peer answered, the lock held.
func (s *shard) learn(peer, local netip.Addr) {
	if len(s.learnt) >= maxLearnt {
		clear(s.learnt)
	}
	if s.learnt == nil {
		s.learnt = make(map[netip.Addr]netip.Addr)
	}
	s.learnt[peer] = local
}

// free reports whether a dial may take the key's local port, the lock held. A connection
// that was dialled from a wildcard has another key once it knows its address, and the
// answers to the new one would be found to be the old one's.
func (s *shard) free(k key) bool {
	if s.taken(k) || s.ports[k.localPort] != nil {
		return false
	}
	if !s.wild || k.local.IsValid() {
		return true
	}
	return s.hosts[k.host()] == 0 && !s.taken(s.known(k))
}

// known is the key that a dial's connection will have once it knows its local address, as far as
// can be told, the lock held.
func (s *shard) known(k key) key {
	if s.wild && !k.local.IsValid() {
		k.local = s.learnt[k.peer.Addr()]
	}
	return k
}

// params are what an engine is told when it opens.
func (s *shard) params(k key) tcpcore.Params {
	local := netip.AddrPortFrom(k.local, s.local.Port())
	return tcpcore.Params{
		LocalPort:       k.localPort,
		RemotePort:      k.remotePort,
		ISN:             tcpcore.ISN(secret(), local, k.peer, k.localPort, k.remotePort),
		TimestampOffset: tcpcore.TimestampOffset(secret(), local, k.peer, k.localPort, k.remotePort),
		MMS:             s.car.MMS(k.peer),
		Gather:          s.caps.Gather && !s.caps.Checksum,
		MaxMMS:          s.maxMMS(k.peer),
		MarksVisible:    s.caps.TrafficClass,
		IPv6:            k.peer.Addr().Is6(),
	}
}

// maxMMS is the largest segment that the carrier sends to peer at all; 0 if it knows no
// more of the path than MMS.
func (s *shard) maxMMS(peer netip.AddrPort) int {
	if p, ok := s.car.(carrier.Prober); ok {
		return p.MaxMMS(peer)
	}
	return 0
}

// newFlow makes a connection around an opened engine and enters it under k, unless
// that is taken. One in TIME-WAIT that a dial follows gives way, unless it did so for another.
func (s *shard) newFlow(f *flow, engine *tcpcore.Engine, before *predecessor) (*conn.Conn, error) {
	local := s.localOf(f.key, s.local.Addr())
	if f.source.IsValid() {
		local = s.localOf(f.key, f.source)
	}
	var c *conn.Conn
	f.hop.Store(uint32(f.cfg.hop))
	c, f.driver = conn.New(f, engine, local, f.peer, f.cfg.conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if before != nil && !s.dead {
		if b := s.reusable(f.Now(), f.key); b == nil || *b != *before {
			return nil, errInUse
		}
		s.waits.drop(before.key)
	}
	switch {
	case s.dead:
		return nil, s.fate()
	case s.taken(f.key), s.taken(s.known(f.key)), f.anyPort && !s.free(f.key):
		return nil, errInUse
	}
	s.flows[f.key] = f
	s.count()
	if s.portsMove() {
		s.hosts[f.key.host()]++
	}
	s.begin()
	return c, nil
}

// localOf is what the user sees as the local address of k's connection.
func (s *shard) localOf(k key, ip netip.Addr) netip.AddrPort {
	if s.caps.SamePorts {
		return netip.AddrPortFrom(ip, k.localPort)
	}
	return netip.AddrPortFrom(ip, s.local.Port())
}

// portsMove reports whether a peer's segments may come to us from another port than
// before, behind which the connection's own ones are unchanged.
func (s *shard) portsMove() bool { return !s.caps.Connected.IsValid() && !s.caps.SamePorts }

// sourceTo is the address that the carrier will send from, for one that can tell.
func (s *shard) sourceTo(peer netip.Addr) netip.Addr {
	if c, ok := s.car.(carrier.Sourcer); ok {
		return c.Source(peer)
	}
	return netip.Addr{}
}

// forget takes a flow out, and keeps what its end asks for.
func (s *shard) forget(f *flow, how conn.End) {
	now := s.clock.now()
	s.mu.Lock()
	if s.flows[f.key] == f {
		delete(s.flows, f.key)
		s.count()
		if h := f.key.host(); s.hosts[h] > 1 {
			s.hosts[h]--
		} else {
			delete(s.hosts, h)
		}
		switch {
		case s.dead:
		case how.TimeWait:
			s.waits.add(f.key, how.Record)
			s.waits.arm(now, s.expire)
		case how.Reset:
			s.quiet = now.Add(f.cfg.quiet())
		}
	}
	s.settle()
}

// maxQuiet bounds how long a shard stays after a reset to repeat it.
const maxQuiet = 3 * time.Second

// quiet is how long a peer that does not know of the reset may still send: 2 MSL, or
// some retransmissions.
func (c *settings) quiet() time.Duration {
	if c.core.MSL == 0 {
		return maxQuiet
	}
	return min(2*c.core.MSL, maxQuiet)
}

// hush is the timer of quiet.
func (s *shard) hush() {
	s.mu.Lock()
	s.hushing = nil
	s.settle()
}

// expire is the timer of TIME-WAIT.
func (s *shard) expire() {
	now := s.clock.now()
	s.mu.Lock()
	s.waits.fired()
	s.waits.expire(now)
	s.waits.arm(now, s.expire)
	s.settle()
}

// unreachable tells whether a network error says that nobody is there (RFC 9293
// section 3.9.2.2, codes 2 to 4: SHLD-26). All others are soft (MUST-56); a Source
// Quench is none of these and no error at all (MUST-55).
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOPROTOOPT)
}

// verify checks a segment's checksum where the carrier leaves that to us.
func (s *shard) verify(d *carrier.Datagram, b []byte) bool {
	if !s.caps.Checksum || d.Verified {
		return true
	}
	local := d.Local
	if !local.IsValid() {
		local = s.local.Addr()
	}
	return segment.VerifyChecksum(b, d.Peer.Addr(), local)
}
