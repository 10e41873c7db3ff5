package transport

import (
	"container/list"
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
	mu    sync.Mutex
	order list.List // of lingerer
	where map[*shard]*list.Element
}

type lingerer struct {
	s     *shard
	since time.Time
}

// add enters a shard, and returns the one that must go to make room, if any.
func (l *lingerers) add(s *shard) (oldest *shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.where[s] != nil {
		return nil
	}
	if l.where == nil {
		l.where = make(map[*shard]*list.Element)
	}
	l.where[s] = l.order.PushBack(lingerer{s, time.Now()})
	if l.order.Len() <= maxLingering {
		return nil
	}
	return l.pop(l.order.Front())
}

// pop takes one out, the lock held.
func (l *lingerers) pop(e *list.Element) *shard {
	s := l.order.Remove(e).(lingerer).s
	delete(l.where, s)
	return s
}

// take returns the oldest one, nil if there is none, which is not counted any more.
func (l *lingerers) take() *shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	front := l.order.Front()
	if front == nil {
		return nil
	}
	return l.pop(front)
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
	if l.order.Len() < manyLinger {
		return nil
	}
	e := l.order.Front()
	for range takeAmong {
		if v := e.Value.(lingerer); v.s.route == r && time.Since(v.since) < fresh {
			return l.pop(e)
		}
		e = e.Next()
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
	if e := l.where[s]; e != nil {
		l.pop(e)
	}
}
