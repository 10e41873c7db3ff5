package packetdrill

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
)

// broken reports whether an error says that the connection is gone.
func broken(err error) bool {
	switch errnoName(err) {
	case "ECONNRESET", "ETIMEDOUT", "EPIPE", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "ENOPROTOOPT":
		return true
	}
	return false
}

// told is an error as the system that the script is for tells it: Linux says EPIPE of a reset
// after the peer's FIN.
func (f *file) told(err error) error {
	if f.r.conf.linux && f.before == tcpcore.CloseWait && errors.Is(err, syscall.ECONNRESET) {
		return syscall.EPIPE
	}
	return err
}

// noteStates remembers the states of all connections, before a packet changes them.
func (r *runner) noteStates() {
	if !r.conf.linux {
		return
	}
	for _, f := range r.fds {
		if f.c != nil {
			if s := f.c.Info().State; s != tcpcore.Closed {
				f.before = s
			}
		}
	}
}

// maxIO bounds one call's buffer.
const maxIO = 64 << 20

// connected is the file of an I/O call, or why it cannot be used. The op is then what
// the call returns.
func (r *runner) connected(c *Call, write bool) (*file, *op, error) {
	f, err := r.file(c, 0)
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) (*file, *op, error) {
		o, err := bad(err)
		return nil, o, err
	}
	switch {
	case f == nil:
		return fail(syscall.EBADF)
	case f.connErr != nil:
		return fail(f.pendingError())
	case f.c == nil && f.dial != nil && r.conf.freebsd && f.nonblock:
		return fail(syscall.ENOTCONN)
	case f.c == nil && f.dial != nil:
		return f, nil, nil // the call waits for the connection
	case f.c == nil && write:
		return fail(syscall.EPIPE)
	case f.c == nil:
		return fail(syscall.ENOTCONN)
	}
	if f.readErr != nil {
		return fail(f.pendingError())
	}
	if !write && f.asked {
		// A socket tells once why its connection broke; from then on there is nothing
		// to read. (conn, of whose users several may ask, tells each of them.)
		o, err := now(outcome{})
		return nil, o, err
	}
	return f, nil, nil
}

// connection is the connection that an I/O call uses, which a call that blocks waits for.
func (f *file) connection() func() (*conn.Conn, error) {
	x, d := f.c, f.dial
	return func() (*conn.Conn, error) {
		if x != nil {
			return x, nil
		}
		<-d.done
		return d.c, d.err
	}
}

// stopConnected takes a call back that waits for the connection or on it.
func (f *file) stopConnected(deadline func(x *conn.Conn, t time.Time)) func() {
	d := f.dial
	return func() {
		if d != nil {
			d.cancel() // does nothing to one that has succeeded
			<-d.done
			if d.c != nil {
				deadline(d.c, past)
			}
			return
		}
		deadline(f.c, past)
	}
}

func callRead(r *runner, c *Call) (*op, error) {
	if f, err := r.file(c, 0); err == nil && f != nil && f.kind != kindSocket {
		return f.readOther(c)
	}
	n, err := c.num(2)
	if err != nil {
		return nil, err
	}
	var flags int64
	if c.Name != "read" {
		if flags, err = c.flagsArg(3); err != nil {
			return nil, err
		}
	}
	return r.readOp(c, []Expr{c.arg(1)}, []int64{n}, flags, nil)
}

func callReadv(r *runner, c *Call) (*op, error) {
	bufs, sizes, err := iovec(c.arg(1))
	if err != nil {
		return nil, err
	}
	return r.readOp(c, bufs, sizes, 0, nil)
}

func callRecvmsg(r *runner, c *Call) (*op, error) {
	flags, err := c.flagsArg(2)
	if err != nil {
		return nil, err
	}
	m, ok := c.arg(1).(Struct)
	if !ok {
		return nil, unsupported("recvmsg with %s", describe(c.arg(1)))
	}
	inq, err := inqMessage(m.field("msg_control"))
	if err != nil {
		return nil, err
	}
	bufs, sizes, err := iovec(m.field("msg_iov"))
	if err != nil {
		return nil, err
	}
	o, err := r.readOp(c, bufs, sizes, flags, m.field("msg_flags"))
	if o == nil || inq == nil || o.after == nil {
		return o, err
	}
	f, err := r.file(c, 0)
	if err != nil {
		return nil, err
	}
	after := o.after
	o.after = func(res *outcome) {
		after(res)
		i := f.c.Info()
		have, check := int64(i.ReceiveQueue), res.check
		switch i.State {
		case tcpcore.CloseWait, tcpcore.Closing, tcpcore.LastAck, tcpcore.TimeWait, tcpcore.Closed:
			have = max(have, 1) // the end of the stream can be read
		}
		res.check = func() error {
			if want, err := eval(inq); err != nil || want != have {
				return errors.Join(err, fmt.Errorf("TCP_CM_INQ: expected %s but got %d", describe(inq), have))
			}
			if check != nil {
				return check()
			}
			return nil
		}
	}
	return o, nil
}

// inqMessage is the value of TCP_CM_INQ among control messages, the only one that is
// known; nil if there is none.
func inqMessage(x Expr) (Expr, error) {
	if x == nil || isAny(x) {
		return nil, nil
	}
	a, ok := x.(Array)
	if ok && len(a.Items) == 0 {
		return nil, nil
	}
	if ok && len(a.Items) == 1 {
		if s, ok := a.Items[0].(Struct); ok {
			if t, ok := s.field("cmsg_type").(Symbol); ok && (t.Name == "TCP_CM_INQ" || t.Name == "TCP_INQ") {
				return s.field("cmsg_data"), nil
			}
		}
	}
	return nil, unsupported("control messages")
}

// iovec reads [{buffer, length}, ...].
func iovec(x Expr) (bufs []Expr, sizes []int64, err error) {
	a, ok := x.(Array)
	if !ok {
		return nil, nil, unsupported("an iovec that is %s", describe(x))
	}
	for _, it := range a.Items {
		s, ok := it.(Struct)
		if !ok || len(s.Fields) != 2 {
			return nil, nil, unsupported("an iovec with %s in it", describe(it))
		}
		n, err := eval(s.Fields[1].Value)
		if err != nil {
			return nil, nil, err
		}
		bufs = append(bufs, s.Fields[0].Value)
		sizes = append(sizes, n)
	}
	return bufs, sizes, nil
}

// badPointer reports whether a buffer is a number, as NULL, where memory is needed.
func badPointer(bufs []Expr, sizes []int64) bool {
	for i, x := range bufs {
		switch x := x.(type) {
		case Number:
			if sizes[i] > 0 {
				return true
			}
		case Symbol:
			if x.Name == "NULL" && sizes[i] > 0 {
				return true
			}
		}
	}
	return false
}

// readOp reads into buffers, of which the script may say what they must contain.
func (r *runner) readOp(c *Call, bufs []Expr, sizes []int64, flags int64, wantFlags Expr) (*op, error) {
	peek := flags&constants["MSG_PEEK"] != 0
	known := constants["MSG_DONTWAIT"] | constants["MSG_WAITALL"] | constants["MSG_NOSIGNAL"] | constants["MSG_TRUNC"] | constants["MSG_PEEK"]
	for name, bit := range constants {
		if flags&^known&bit != 0 && len(name) > 4 && name[:4] == "MSG_" {
			return nil, unsupported("%s with %s", c.Name, name)
		}
	}
	total := int64(0)
	for _, n := range sizes {
		if n < 0 {
			return bad(syscall.EINVAL)
		}
		if total += n; total > maxIO {
			return nil, unsupported("a buffer of %d octets", total)
		}
	}
	f, o, err := r.connected(c, false)
	if o != nil || err != nil {
		return o, err
	}
	if i := f.c; i != nil && i.Info().ReceiveQueue > 0 && badPointer(bufs, sizes) {
		return bad(syscall.EFAULT)
	}
	nonblock := f.nonblock || flags&constants["MSG_DONTWAIT"] != 0
	if f.c == nil && nonblock {
		return bad(syscall.EAGAIN)
	}
	connection := f.connection()
	least := 1 // octets to wait for
	if !nonblock {
		least = min(max(f.rcvLowAt, 1), int(total))
	}
	if flags&constants["MSG_WAITALL"] != 0 {
		least = int(total)
	}
	buf := make([]byte, total)
	o = &op{nonblock: nonblock}
	o.run = func() outcome {
		x, err := connection()
		if err != nil {
			return failed(err)
		}
		if !nonblock && f.rcvTimeout > 0 {
			_ = x.SetReadDeadline(time.Now().Add(f.rcvTimeout))
			defer func() { _ = x.SetReadDeadline(time.Time{}) }()
		}
		n := 0
		for {
			var m int
			if peek {
				n, err = x.Peek(buf)
				break
			}
			m, err = x.Read(buf[n:])
			n += m
			if err != nil || n >= least {
				break
			}
		}
		if n > 0 || err == nil || err == io.EOF {
			return outcome{value: int64(n)}
		}
		return failed(err)
	}
	o.stop = f.stopConnected(func(x *conn.Conn, t time.Time) { _ = x.SetReadDeadline(t) })
	o.undo = func() { _ = f.c.SetReadDeadline(time.Time{}) }
	o.after = func(res *outcome) {
		f.poke()
		res.err = f.told(res.err)
		if res.err != nil {
			f.asked = f.asked || broken(res.err)
			return
		}
		got := buf[:max(res.value, 0)]
		first := f.readSeq
		if !peek {
			f.readSeq += uint32(len(got))
		}
		res.check = func() error {
			if wantFlags != nil && !isAny(wantFlags) {
				if v, err := eval(wantFlags); err != nil || v&^constants["MSG_DONTWAIT"] != 0 {
					return unsupported("msg_flags other than 0")
				}
			}
			return f.checkRead(bufs, sizes, got, first)
		}
	}
	return o, nil
}

// checkRead compares what was read with the strings of the script or, where it says
// "...", with what the peer sent.
func (f *file) checkRead(bufs []Expr, sizes []int64, got []byte, first uint32) error {
	off := 0
	for i, x := range bufs {
		part := got[off:min(off+int(sizes[i]), len(got))]
		if s, ok := x.(String); ok {
			if string(part) != s.Value && len(part) > 0 {
				return fmt.Errorf("expected %q but read %q", s.Value, part)
			}
		} else if fl := f.flow; fl != nil && fl.hasPeer && !fl.literals {
			for j, b := range part {
				if want := pattern(fl.peerISN + 1 + first + uint32(off+j)); b != want {
					return fmt.Errorf("octet %d of the stream is 0x%02x and the peer sent 0x%02x", first+uint32(off+j), b, want)
				}
			}
		}
		off += len(part)
	}
	return nil
}

func callWrite(r *runner, c *Call) (*op, error) {
	if f, err := r.file(c, 0); err == nil && f != nil && f.kind != kindSocket {
		return f.writeOther(c)
	}
	var flags int64
	var err error
	if c.Name != "write" {
		if flags, err = c.flagsArg(3); err != nil {
			return nil, err
		}
	}
	n, err := c.num(2)
	if err != nil {
		return nil, err
	}
	return r.writeOp(c, []Expr{c.arg(1)}, []int64{n}, flags)
}

func callWritev(r *runner, c *Call) (*op, error) {
	bufs, sizes, err := iovec(c.arg(1))
	if err != nil {
		return nil, err
	}
	return r.writeOp(c, bufs, sizes, 0)
}

func callSendmsg(r *runner, c *Call) (*op, error) {
	flags, err := c.flagsArg(2)
	if err != nil {
		return nil, err
	}
	m, ok := c.arg(1).(Struct)
	if !ok {
		return nil, unsupported("sendmsg with %s", describe(c.arg(1)))
	}
	if x := m.field("msg_control"); x != nil && !isAny(x) {
		return nil, unsupported("control messages")
	}
	bufs, sizes, err := iovec(m.field("msg_iov"))
	if err != nil {
		return nil, err
	}
	return r.writeOp(c, bufs, sizes, flags)
}

// writeOp writes buffers as one call.
func (r *runner) writeOp(c *Call, bufs []Expr, sizes []int64, flags int64) (*op, error) {
	oob := flags&constants["MSG_OOB"] != 0
	more := flags&constants["MSG_MORE"] != 0
	eor := flags&constants["MSG_EOR"] != 0
	known := constants["MSG_DONTWAIT"] | constants["MSG_NOSIGNAL"] | constants["MSG_OOB"] | constants["MSG_MORE"] | constants["MSG_EOR"]
	for name, bit := range constants {
		if flags&^known&bit != 0 && len(name) > 4 && name[:4] == "MSG_" {
			return nil, unsupported("%s with %s", c.Name, name)
		}
	}
	f, o, err := r.connected(c, true)
	if o != nil || err != nil {
		return o, err
	}
	if badPointer(bufs, sizes) {
		return bad(syscall.EFAULT)
	}
	nonblock := f.nonblock || flags&constants["MSG_DONTWAIT"] != 0
	if f.c == nil && nonblock {
		return bad(syscall.EAGAIN)
	}
	connection := f.connection()
	if f.shutWr {
		return bad(syscall.EPIPE)
	}
	var parts [][]byte
	total := 0
	for i, x := range bufs {
		if sizes[i] < 0 || sizes[i] > maxIO {
			return bad(syscall.EINVAL)
		}
		b := f.outgoing(total, int(sizes[i]))
		if s, ok := x.(String); ok {
			copy(b, s.Value)
		}
		parts = append(parts, b)
		total += len(b)
	}
	before := 0
	if f.flow != nil {
		before = len(f.flow.written)
		for _, p := range parts {
			f.flow.written = append(f.flow.written, p...)
		}
	}
	if f.c != nil && more && !f.conf.Cork {
		// The segment that this write leaves unfinished waits for the next one.
		if err := f.c.SetCork(true); err != nil {
			return bad(err)
		}
	}
	o = &op{nonblock: nonblock}
	o.run = func() outcome {
		x, err := connection()
		if err != nil {
			return failed(err)
		}
		if !nonblock && f.sndTimeout > 0 {
			_ = x.SetWriteDeadline(time.Now().Add(f.sndTimeout))
			defer func() { _ = x.SetWriteDeadline(time.Time{}) }()
		}
		var n int64
		if oob {
			var m int
			for _, p := range parts {
				m, err = x.WriteUrgent(p)
				n += int64(m)
			}
		} else {
			n, err = x.WriteBuffers(parts)
		}
		if eor && err == nil {
			err = x.EndRecord()
		}
		if n > 0 || err == nil {
			return outcome{value: n}
		}
		return failed(err)
	}
	o.stop = f.stopConnected(func(x *conn.Conn, t time.Time) { _ = x.SetWriteDeadline(t) })
	o.undo = func() { _ = f.c.SetWriteDeadline(time.Time{}) }
	o.after = func(res *outcome) {
		f.poke()
		res.err = f.told(res.err)
		f.asked = f.asked || broken(res.err)
		if f.more && !more && !f.conf.Cork {
			// Closed or not, there is nothing left to hold back.
			_ = f.c.SetCork(false)
		}
		f.more = more
		if f.flow != nil {
			f.flow.written = f.flow.written[:before+int(max(res.value, 0))]
		}
	}
	return o, nil
}

// outgoing is the pattern for n octets, off behind what was written before.
func (f *file) outgoing(off, n int) []byte {
	at := uint32(off)
	if f.flow != nil {
		at += uint32(len(f.flow.written))
	}
	return patternBytes(at, n)
}
