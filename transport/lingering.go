package transport

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"example.com/culvert/carrier"
)

// maxLingering bounds the sockets, in the whole process, that stay open for nothing
// but TIME-WAIT, or to repeat a reset.
const maxLingering = 1024

// Who dials so often that many sockets linger is given those again, the oldest first: to open
// and to close a socket costs as much as a handshake. Connections that follow each other on one
// differ by their ports in the TCP header, and those before stay in TIME-WAIT.
const (
	// manyLinger is how many that are.
	manyLinger = maxLingering / 2
	// fresh is for how long a socket may have lingered, as the source address that the
	// system chose for it need not be the machine's for ever.
	fresh = time.Second
	// takeAmong is among how many of the oldest one to the same peer is looked for.
	takeAmong = 8
	// maxKept bounds the records in TIME-WAIT of a socket that is used again: all that
	// linger have no more than one that is shared.
	maxKept = maxTimeWaits / maxLingering
)

// route is what a socket for one peer was opened with; the zero route is none.
type route struct {
	network      string
	local        netip.Addr
	to           netip.AddrPort
	noGSO, noGRO bool
	log          *slog.Logger
}

// lingering are those sockets, oldest first. Its lock comes after a shard's.
var lingering lingerers

type lingerers struct {
	mu           sync.Mutex
	oldest, last *shard
	n            int
}

// lingerer is a shard's place among them, which their lock guards.
type lingerer struct {
	here         bool
	since        time.Time
	older, newer *shard
}

// add enters a shard, and returns the one that must go to make room, if any.
func (l *lingerers) add(s *shard) (oldest *shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.linger.here {
		return nil
	}
	s.linger = lingerer{here: true, since: time.Now(), older: l.last}
	*l.newer(l.last), l.last = s, s
	if l.n++; l.n <= maxLingering {
		return nil
	}
	return l.pop(l.oldest)
}

// pop takes one out, the lock held.
func (l *lingerers) pop(s *shard) *shard {
	at := s.linger
	*l.newer(at.older) = at.newer
	if at.newer != nil {
		at.newer.linger.older = at.older
	} else {
		l.last = at.older
	}
	s.linger = lingerer{}
	l.n--
	return s
}

// newer is the link that leads on from s, or to the oldest.
func (l *lingerers) newer(s *shard) **shard {
	if s == nil {
		return &l.oldest
	}
	return &s.linger.newer
}

// take returns the oldest one, nil if there is none, which is not counted any more.
func (l *lingerers) take() *shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.oldest == nil {
		return nil
	}
	return l.pop(l.oldest)
}

// again returns a socket with the route that has lingered, with the caller as its user; nil if
// there is none, or if it is not worth while.
func (l *lingerers) again(r route) *shard {
	s := l.find(r)
	if s == nil || !s.reuse() {
		return nil
	}
	return s
}

func (l *lingerers) find(r route) *shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n < manyLinger {
		return nil
	}
	s := l.oldest
	for range takeAmong {
		if s.route == r && time.Since(s.linger.since) < fresh {
			return l.pop(s)
		}
		s = s.linger.newer
	}
	return nil
}

// spare opens a socket. Where there are too many open files, it ends the oldest socket that
// lingers and tries once more.
func spare(open func() (carrier.Carrier, error)) (carrier.Carrier, error) {
	c, err := open()
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return c, err
	}
	oldest := lingering.take()
	if oldest == nil {
		return c, err
	}
	oldest.hurry()
	return open()
}

func (l *lingerers) remove(s *shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.linger.here {
		l.pop(s)
	}
}
