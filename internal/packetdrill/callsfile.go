package packetdrill

import "syscall"

// Files and pipes are there so that sendfile and splice have something to work with: of
// their content only the length matters, and what a socket gets from them is the pattern.

func (r *runner) other(c *Call, kind fileKind, piped *int) (*file, error) {
	f := &file{r: r, kind: kind, piped: piped, options: make(map[[2]int64]int64)}
	_, err := r.newFile(c, f)
	return f, err
}

// callOpen opens a file without end.
func callOpen(r *runner, c *Call) (*op, error) {
	f, err := r.other(c, kindZero, nil)
	if err != nil {
		return nil, err
	}
	return now(outcome{value: f.fd})
}

// callPipe is pipe([a, b]).
func callPipe(r *runner, c *Call) (*op, error) {
	a, ok := c.arg(0).(Array)
	if !ok || len(a.Items) != 2 {
		return nil, unsupported("pipe with %s", describe(c.arg(0)))
	}
	n := new(int)
	for _, x := range a.Items {
		if _, err := r.other(&Call{Name: c.Name, Result: x}, kindPipe, n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// maxPipe is what a pipe holds.
const maxPipe = 1 << 16

// readOther is read of what is not a socket.
func (f *file) readOther(c *Call) (*op, error) {
	n, err := c.num(2)
	if err != nil {
		return nil, err
	}
	switch f.kind {
	case kindPipe:
		n = min(n, int64(*f.piped))
		*f.piped -= int(n)
		if n == 0 {
			return bad(syscall.EAGAIN)
		}
	case kindEpoll:
		return bad(syscall.EINVAL)
	}
	return now(outcome{value: n})
}

// writeOther is write to what is not a socket.
func (f *file) writeOther(c *Call) (*op, error) {
	n, err := c.num(2)
	if err != nil {
		return nil, err
	}
	switch f.kind {
	case kindPipe:
		n = min(n, int64(maxPipe-*f.piped))
		*f.piped += int(max(n, 0))
	case kindEpoll:
		return bad(syscall.EINVAL)
	}
	return now(outcome{value: n})
}

// callSendfile is sendfile(to, from, offset, length): a write.
func callSendfile(r *runner, c *Call) (*op, error) {
	from, err := r.file(c, 1)
	if err != nil {
		return nil, err
	}
	if from == nil || from.kind == kindSocket || from.kind == kindEpoll {
		return bad(syscall.EINVAL)
	}
	n, err := c.num(3)
	if err != nil {
		return nil, err
	}
	return r.writeOp(c, []Expr{Ellipsis{}}, []int64{n}, 0)
}

// callSplice is splice(from, offset, to, offset, length, flags), between a pipe and a socket.
func callSplice(r *runner, c *Call) (*op, error) {
	from, err := r.file(c, 0)
	if err != nil {
		return nil, err
	}
	to, err := r.file(c, 2)
	if err != nil {
		return nil, err
	}
	n, err := c.num(4)
	if err != nil {
		return nil, err
	}
	flags, err := c.flagsArg(5)
	if err != nil {
		return nil, err
	}
	io := int64(0)
	if flags&constants["SPLICE_F_NONBLOCK"] != 0 {
		io = constants["MSG_DONTWAIT"]
	}
	var o *op
	var pipe *int
	sign := 1
	switch {
	case from == nil || to == nil:
		return bad(syscall.EBADF)
	case from.kind == kindSocket && to.kind == kindPipe:
		pipe = to.piped
		n = min(n, int64(maxPipe-*pipe))
		o, err = r.readOp(c, []Expr{Ellipsis{}}, []int64{n}, io, nil)
	case from.kind == kindPipe && to.kind == kindSocket:
		pipe, sign = from.piped, -1
		n = min(n, int64(*pipe))
		if flags&constants["SPLICE_F_MORE"] != 0 {
			io |= constants["MSG_MORE"]
		}
		o, err = r.writeOp(&Call{Name: c.Name, Args: c.Args[2:]}, []Expr{Ellipsis{}}, []int64{n}, io)
	default:
		return nil, unsupported("splice between these")
	}
	if o == nil || err != nil || o.after == nil {
		return o, err
	}
	after := o.after
	o.after = func(res *outcome) {
		after(res)
		*pipe += sign * int(max(res.value, 0))
	}
	return o, nil
}
