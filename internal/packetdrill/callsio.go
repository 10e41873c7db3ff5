package packetdrill

import (
	"fmt"
	"io"
	"syscall"
	"time"
)

// broken reports whether an error says that the connection is gone.
func broken(err error) bool {
	switch errnoName(err) {
	case "ECONNRESET", "ETIMEDOUT", "EPIPE", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "ENOPROTOOPT":
		return true
	}
	return false
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

func callRead(r *runner, c *Call) (*op, error) {
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
	if x := m.field("msg_control"); x != nil && !isAny(x) {
		if a, ok := x.(Array); !ok || len(a.Items) > 0 {
			return nil, unsupported("control messages")
		}
	}
	bufs, sizes, err := iovec(m.field("msg_iov"))
	if err != nil {
		return nil, err
	}
	return r.readOp(c, bufs, sizes, flags, m.field("msg_flags"))
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
	nonblock := f.nonblock || flags&constants["MSG_DONTWAIT"] != 0
	if f.c == nil {
		if nonblock {
			return bad(syscall.EAGAIN)
		}
		return nil, unsupported("%s that blocks while connect goes on", c.Name)
	}
	buf := make([]byte, total)
	o = &op{nonblock: nonblock}
	o.run = func() outcome {
		n, err := 0, error(nil)
		for {
			var m int
			if peek {
				n, err = f.c.Peek(buf)
				break
			}
			m, err = f.c.Read(buf[n:])
			n += m
			if err != nil || flags&constants["MSG_WAITALL"] == 0 || n == len(buf) {
				break
			}
		}
		if n > 0 || err == nil || err == io.EOF {
			return outcome{value: int64(n)}
		}
		return failed(err)
	}
	o.stop = func() { _ = f.c.SetReadDeadline(past) }
	o.undo = func() { _ = f.c.SetReadDeadline(time.Time{}) }
	o.after = func(res *outcome) {
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
	known := constants["MSG_DONTWAIT"] | constants["MSG_NOSIGNAL"] | constants["MSG_OOB"] | constants["MSG_MORE"]
	for name, bit := range constants {
		if flags&^known&bit != 0 && len(name) > 4 && name[:4] == "MSG_" {
			return nil, unsupported("%s with %s", c.Name, name)
		}
	}
	f, o, err := r.connected(c, true)
	if o != nil || err != nil {
		return o, err
	}
	nonblock := f.nonblock || flags&constants["MSG_DONTWAIT"] != 0
	if f.c == nil {
		if nonblock {
			return bad(syscall.EAGAIN)
		}
		return nil, unsupported("%s that blocks while connect goes on", c.Name)
	}
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
	if more && !f.conf.Cork {
		// The segment that this write leaves unfinished waits for the next one.
		if err := f.c.SetCork(true); err != nil {
			return bad(err)
		}
	}
	o = &op{nonblock: nonblock}
	o.run = func() outcome {
		var n int64
		var err error
		if oob {
			var m int
			for _, p := range parts {
				m, err = f.c.WriteUrgent(p)
				n += int64(m)
			}
		} else {
			n, err = f.c.WriteBuffers(parts)
		}
		if n > 0 || err == nil {
			return outcome{value: n}
		}
		return failed(err)
	}
	o.stop = func() { _ = f.c.SetWriteDeadline(past) }
	o.undo = func() { _ = f.c.SetWriteDeadline(time.Time{}) }
	o.after = func(res *outcome) {
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
