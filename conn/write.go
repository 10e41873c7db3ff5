package conn

import (
	"net"

	"example.com/culvert/tcpcore"
)

// Write hands p over for delivery, and blocks while the send buffer is full. It
// returns early, with the number of bytes taken over, when the write deadline
// passes (os.ErrDeadlineExceeded), the connection breaks or is closed
// (net.ErrClosed). Concurrent Writes do not interleave.
func (x *Conn) Write(p []byte) (int, error) {
	one := [1][]byte{p}
	n, err := x.c.send(one[:], false)
	return int(n), err
}

// WriteBuffers writes the buffers as one: they are cut into segments together, and
// no other Write comes between. It returns the number of bytes taken over, and does
// not change bufs. (net.Buffers.WriteTo writes them one by one.)
func (x *Conn) WriteBuffers(bufs [][]byte) (int64, error) { return x.c.send(bufs, false) }

// WriteUrgent is Write with the urgent flag (RFC 9293 section 3.8.5): the peer is
// told that urgent data ends with the last byte of p, and gets it in line with the
// rest. New protocols should not use it (RFC 6093).
func (x *Conn) WriteUrgent(p []byte) (int, error) {
	one := [1][]byte{p}
	n, err := x.c.send(one[:], true)
	return int(n), err
}

// send is SEND: it takes its turn, and moves the buffers into the engine as room
// comes.
func (c *core) send(bufs [][]byte, urgent bool) (n int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.writing {
		if err := c.mayWrite(); err != nil {
			return 0, err
		}
		c.wr.wait(ForChange)
	}
	c.writing = true
	first, off := 0, 0 // the first buffer that is not wholly taken, and how much of it is
	for {
		if err = c.mayWrite(); err != nil {
			break
		}
		now, before := c.now(), n
		// Everything that fits goes to the engine before anything is transmitted, so
		// that small buffers share segments.
		for first < len(bufs) {
			var m int
			if urgent {
				m, err = c.engine.WriteUrgent(now, bufs[first][off:])
			} else {
				m, err = c.engine.Write(now, bufs[first][off:])
			}
			n, off = n+int64(m), off+m
			if off < len(bufs[first]) {
				break
			}
			if err != nil && err != tcpcore.ErrWouldBlock {
				break
			}
			err = nil
			first, off = first+1, 0
		}
		if first == len(bufs) {
			break
		}
		if err != nil && err != tcpcore.ErrWouldBlock {
			err = c.writeError(err)
			break
		}
		err = nil
		if n > before {
			c.pump() // lets go of the lock: room may have come meanwhile
			continue
		}
		c.wr.wait(ForChange)
	}
	// The next writer may fill up the segments that this one transmits.
	c.writing = false
	c.wr.wake()
	c.asked = c.asked || n > 0
	if n > 0 || err != nil {
		c.pump()
	}
	return n, err
}

// mayWrite returns what stops a writer whatever the engine says.
func (c *core) mayWrite() error {
	if c.closed {
		return c.opError("write", net.ErrClosed)
	}
	if c.wr.deadline != tcpcore.Never { // else the clock need not be read
		if err := c.wr.expired(c.now()); err != nil {
			return c.opError("write", err)
		}
	}
	if c.failure != nil {
		return c.writeError(c.failure)
	}
	return nil
}

// EndRecord ends a record at what was written last: as far as it is not sent yet, it shares
// no segment with what is written later.
func (x *Conn) EndRecord() error {
	return x.c.change(func(tcpcore.Time) error {
		x.c.engine.EndRecord()
		return nil
	})
}

// CloseWrite sends FIN after what was written; reading goes on.
func (x *Conn) CloseWrite() error {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	err := c.engine.CloseWrite(c.now())
	c.wr.wake()
	c.pump()
	switch err {
	case nil, tcpcore.ErrClosing:
		return nil // a second shutdown is none
	}
	return c.notConnected("close")
}
