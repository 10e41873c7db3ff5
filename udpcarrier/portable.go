package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"example.com/culvert/carrier"
)

// socketLink moves datagrams over a socket, one a system call: what works on every system.
// How the calls are made is in portable_unix.go and portable_other.go.
type socketLink struct {
	*socket
	in taker
}

func newSocketLink(s *socket) *socketLink {
	l := &socketLink{socket: s}
	l.in.init(l)
	return l
}

const (
	// socketBatchSize is how many datagrams a batch has at most: each costs a call of its own, but
	// what is acknowledged together costs one acknowledgment (RFC 9293 MUST-58, MUST-59).
	socketBatchSize = 64
	// socketRoom is for the longest datagram. The buffer of a batch is several of that, and what
	// arrives lies in it one behind the other, which the processor's caches hold better than
	// pieces at equal distances.
	socketRoom = 1 << 16
)

// socketBatch is a batch and its buffer, of which the system backs what is used.
type socketBatch struct {
	batch carrier.Batch
	d     [socketBatchSize]carrier.Datagram
	buf   [4 * socketRoom]byte
}

// oobSize is room for the control messages of one datagram to be sent: source address,
// traffic class, hop limit and segment size; or for those of one received here.
const oobSize = 128

var socketBatches sync.Pool

func init() {
	socketBatches.New = func() any {
		b := new(socketBatch)
		b.batch.Free = func(*carrier.Batch) { socketBatches.Put(b) }
		return b
	}
}

// datagram describes data that came from a peer with control messages of what they tell.
func (l *socketLink) datagram(from netip.AddrPort, m received, data []byte) carrier.Datagram {
	if !m.local.IsValid() {
		m.local = l.bound()
	}
	return carrier.Datagram{Peer: from, Local: m.local, Data: data, TrafficClass: m.trafficClass}
}

func (l *socketLink) read([]byte) (*carrier.Batch, error) {
	for failures := 0; ; {
		b, err := l.receive()
		switch {
		case b != nil:
			return &b.batch, nil
		case err == nil:
			continue
		case isTruncation(err):
			l.c.counts.truncated.Add(1)
			continue
		case isTimeout(err) && !l.c.closed.Load():
			if err := l.resume(); err != nil {
				return nil, err
			}
			continue
		}
		if failures++; failures <= maxFailures && !l.c.closed.Load() && !errors.Is(err, net.ErrClosed) {
			if e, ok := networkError(err); ok {
				if !l.c.caps.Connected.IsValid() {
					continue
				}
				return report(l.c.caps.Connected, e), nil
			}
		}
		return nil, err
	}
}
