package rawcarrier

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// socket is a raw socket for segments, one for ICMP errors, and the holder of the port.
//
// The data socket is not connected and has no error queue: an ICMP error that is
// pending there would fail the next send, whoever that is to, and be nobody's. Its
// filter selects the peer instead.
type socket struct {
	c    *Carrier
	data *net.IPConn
	icmp *net.IPConn
	hold *holder
	wild bool // bound to no address: the local one is another for each peer

	raw  syscall.RawConn // of data, to send
	both *os.File        // an epoll instance over data and icmp
	wait syscall.RawConn // of both, to receive

	// Of data and icmp. Whoever uses them has a hold on raw or wait, so that they stay
	// open: close ends these first.
	fd, icmpFD int

	in inbound
}

func (s *socket) route(peer netip.Addr) (netip.Addr, int) { return route(peer) }

func (s *socket) interrupt() { s.both.SetReadDeadline(longAgo) }

func (s *socket) close() error {
	var err error
	if s.both != nil {
		err = s.both.Close() // returns when nobody reads any more
	}
	err = errors.Join(err, s.icmp.Close(), s.data.Close())
	if s.hold != nil {
		err = errors.Join(err, s.hold.release())
	}
	return err
}
