package conn

import (
	"errors"
	"io"

	"example.com/culvert/tcpcore"
)

// How much a source is offered at once. It is never less than io.Copy would offer, since there
// are sources that lose what they have no room for. It doubles while the source fills it, and is
// halved when not half of it is wanted.
const (
	leastPiece = 32 << 10
	mostPiece  = 256 << 10
)

// maxEmpty is how often in a row a source may return nothing, and no error.
const maxEmpty = 100

var (
	errInvalidRead  = errors.New("conn: the source's Read returned an invalid count")
	errInvalidWrite = errors.New("conn: the sink's Write returned an invalid count")
)

// stageSize is how much may be delivered to a WriteTo that waits.
const stageSize = 64 << 10

// ReadFrom writes what r returns until its end, which is not an error, and returns how much. It
// is what io.Copy calls.
//
// r reads right into the send buffer, at least 32 KiB at a time unless an io.LimitedReader has
// less left. While it blocks everything else goes on: what it returned before is sent,
// other Writes go between, and a deadline, Close or a reset of the peer ends ReadFrom when r
// returns. Before r is asked for more it waits for room, unless r had less than it was offered:
// then that may be all, and a copy ends that fits into the send buffer. A source that keeps the
// slice and writes to it after its Read has returned, which io.Reader forbids, can spoil what is
// sent on this connection, and on no other.
func (x *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	c := x.c
	var own []byte // where the send buffer has no piece to lend
	limited, _ := r.(*io.LimitedReader)
	ending := false // r had less than it was offered, and may be at its end
	for least, most, empty := leastPiece, leastPiece, 0; ; {
		if limited != nil {
			if limited.N <= 0 {
				return n, nil
			}
			least, most = int(min(int64(least), limited.N)), int(min(int64(most), limited.N))
		}
		p, err := c.reserve(least, most, !ending)
		if err != nil {
			return n, c.copyError("readfrom", err)
		}
		lent := p
		if p == nil {
			if own == nil {
				own = make([]byte, least)
			}
			p = own
		}
		m, rerr := r.Read(p)
		if m < 0 || m > len(p) {
			m, rerr = 0, errInvalidRead
		}
		if m > 0 {
			k, err := x.Write(p[:m])
			n += int64(k)
			if err != nil {
				return n, c.copyError("readfrom", err)
			}
			empty, ending = 0, m < len(p)
		} else {
			c.unreserve(lent)
			if empty++; empty >= maxEmpty && rerr == nil {
				rerr = io.ErrNoProgress
			}
		}
		switch {
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, c.copyError("readfrom", rerr)
		case m == len(p):
			most = min(2*most, mostPiece)
		case m < most/2:
			most = max(most/2, leastPiece)
		}
	}
}

// reserve returns a piece of the send buffer to write into, without an error none if there is none
// to be had. With wait that is not for want of room: it waits until there is enough for a writer.
func (c *core) reserve(least, most int, wait bool) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.mayWrite(); err != nil {
			return nil, err
		}
		if !c.writing {
			p, err := c.engine.Reserve(c.now(), least, most)
			if err == nil {
				return p, nil
			}
			if err != tcpcore.ErrWouldBlock {
				return nil, c.writeError(err)
			}
		}
		if !wait {
			return nil, nil
		}
		c.wr.wait(ForChange)
	}
}

// unreserve gives back a piece into which nothing was written.
func (c *core) unreserve(p []byte) {
	if p == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engine.Unreserve(c.now(), p)
	c.arm()
}

// WriteTo writes the stream to w until its end, which is not an error, and returns how much. It
// is what io.Copy calls.
//
// w writes right out of the receive buffer, and room in the window comes only with its return. If
// it fails, what it was given and did not take may be lost to a later Read.
// While w blocks everything else goes on: a Read takes what follows, and a deadline, Close or a
// reset of the peer ends WriteTo when w returns. A sink that keeps or changes the slice, which
// io.Writer forbids, meets with this connection's data and no other's. If w is a Conn itself, its
// ReadFrom does it.
func (x *Conn) WriteTo(w io.Writer) (n int64, err error) {
	if to, ok := w.(*Conn); ok {
		n, err = to.ReadFrom(onlyReader{x})
	} else {
		n, err = x.c.drain(w)
	}
	if err != nil {
		err = x.c.copyError("writeto", err)
	}
	return n, err
}

// onlyReader is a Conn that cannot do more.
type onlyReader struct{ x *Conn }

func (r onlyReader) Read(p []byte) (int, error) { return r.x.Read(p) }

// drain is WriteTo for any sink.
func (c *core) drain(w io.Writer) (n int64, err error) {
	var own []byte // for what comes while we wait
	for {
		p, at, err := c.look(&own)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err := w.Write(p)
		if k < 0 || k > len(p) {
			k, err = 0, errInvalidWrite
		}
		n += int64(k)
		if at != delivered {
			c.consume(at, k)
		}
		if err == nil && k < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
}

// delivered is in the place of the place in the stream for what is read already.
const delivered = ^uint64(0)

// look is receive that does not copy: it returns a piece of the receive buffer, for consume, or of
// own, if what it waits for is delivered there.
func (c *core) look(own *[]byte) (p []byte, at uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		now := c.now()
		if err := c.mayRead(now); err != nil {
			return nil, 0, err
		}
		p, at, err = c.engine.Look(now, mostPiece)
		if err == nil {
			c.asked = false
			// Who takes what another WriteTo is busy with makes room. And p is ours from here on: if
			// somebody takes it while pump lets go of the lock, its storage stays.
			c.pump()
			return p, at, nil
		}
		if err != tcpcore.ErrWouldBlock {
			c.pump()
			return nil, 0, c.readError(err)
		}
		if ack, rest := c.engine.ReleaseACK(), c.engine.ReleaseRest(); ack || rest {
			c.pump() // lets go of the lock: something may have come meanwhile
			continue
		}
		if *own == nil && c.leader != nil {
			*own = make([]byte, stageSize)
		}
		lent := *own != nil && c.engine.Lend(*own)
		c.rd.wait(c.reason(lent))
		if lent {
			if n := c.engine.TakeBack(); n > 0 {
				c.asked = false
				return (*own)[:n], delivered, nil
			}
		}
	}
}

// consume ends a look.
func (c *core) consume(at uint64, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engine.Consume(c.now(), at, n)
	c.pump() // the window may be worth telling
}

// copyError dresses an error that came out of a copy as package net does.
func (c *core) copyError(op string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opError(op, err)
}
