package packetdrill

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// outcome is what a system call returned.
type outcome struct {
	value int64
	err   error // nil, or what errno says
	// check compares what the call wrote into its arguments; nil if nothing.
	check func() error
}

// failed is a call that returns -1.
func failed(err error) outcome { return outcome{value: -1, err: err} }

// op is a system call that may block.
type op struct {
	// run is the call, in a goroutine of its own; stop takes it back, undo makes a
	// later call possible.
	run        func() outcome
	stop, undo func()
	// poll, instead of run, is asked again and again whether the call returns.
	poll func() (outcome, bool)
	// until is when poll returns whatever it finds.
	until time.Duration
	// after does what must be done where the script is played.
	after    func(*outcome)
	nonblock bool
}

// now is an op that does not block.
func now(o outcome) (*op, error) { return &op{run: func() outcome { return o }}, nil }

// bad is one that fails at once.
func bad(err error) (*op, error) { return now(failed(err)) }

// syscalls are the calls that this runner plays. A nil op and nil error ends the call
// with 0.
var syscalls map[string]func(r *runner, c *Call) (*op, error)

func init() {
	syscalls = map[string]func(r *runner, c *Call) (*op, error){
		"socket": callSocket, "bind": callBind, "listen": callListen, "accept": callAccept, "accept4": callAccept,
		"connect": callConnect, "close": callClose, "shutdown": callShutdown, "fcntl": callFcntl, "ioctl": callIoctl,
		"getsockopt": callGetsockopt, "setsockopt": callSetsockopt,
		"getsockname": callGetname, "getpeername": callGetname,
		"read": callRead, "recv": callRead, "recvfrom": callRead, "readv": callReadv, "recvmsg": callRecvmsg,
		"write": callWrite, "send": callWrite, "sendto": callWrite, "writev": callWritev, "sendmsg": callSendmsg,
		"open": callOpen, "openat": callOpen, "creat": callOpen, "pipe": callPipe, "pipe2": callPipe, "sendfile": callSendfile, "splice": callSplice,
		"poll": callPoll, "ppoll": callPoll, "epoll_create": callEpollCreate, "epoll_create1": callEpollCreate,
		"epoll_ctl": callEpollCtl, "epoll_wait": callEpollWait, "epoll_pwait": callEpollWait,
	}
}

// call plays a system call.
func (r *runner) call(e *Event) error {
	c := e.Call
	f := syscalls[c.Name]
	if f == nil {
		return unsupported("the system call %s", c.Name)
	}
	if err := r.awaitIdle(); err != nil {
		return err
	}
	o, err := f(r, c)
	if err != nil {
		return err
	}
	if o == nil {
		o, _ = now(outcome{})
	}
	p := &pending{call: c, stop: o.stop, done: make(chan struct{})}
	p.poll, p.until, p.after = o.poll, o.until, o.after
	switch {
	case e.Time.Blocking:
		p.end, p.bounds = r.w.now()+e.Time.End-e.Time.At, true
	default:
		p.end = r.w.now() + longest
	}
	r.begin(p, o)
	r.trace("%s()", c.Name)
	r.settle()
	r.ask(p)
	if !p.finished() && o.nonblock {
		r.takeBack(p, o)
	}
	if p.finished() {
		return r.returned(p)
	}
	r.calls = append(r.calls, p)
	if p.bounds {
		return nil
	}
	// The script would wait here, too.
	return r.awaitIdle()
}

// begin starts the call.
func (r *runner) begin(p *pending, o *op) {
	if o.poll != nil {
		return
	}
	go func() {
		p.res = o.run()
		p.at = r.w.now()
		close(p.done)
	}()
}

// takeBack ends a call that would block.
func (r *runner) takeBack(p *pending, o *op) {
	if o.stop == nil {
		p.res, p.at = failed(syscall.EAGAIN), r.w.now()
		close(p.done)
		return
	}
	p.cancel()
	<-p.done
	o.undo()
	if p.res.err != nil && isTimeout(p.res.err) {
		p.res.err = syscall.EAGAIN
	}
}

// checkPollers asks the calls that wait for readiness.
func (r *runner) checkPollers() {
	for _, p := range r.calls {
		r.ask(p)
	}
}

func (r *runner) ask(p *pending) {
	if p.poll == nil || p.finished() {
		return
	}
	if res, ok := p.poll(); ok {
		p.res, p.at = res, r.w.now()
		close(p.done)
	}
}

// awaitIdle waits for a call that blocks, before the script makes the next one.
func (r *runner) awaitIdle() error {
	for len(r.calls) > 0 {
		p := r.calls[0]
		for !p.finished() {
			limit := p.end + r.tolerance - r.w.now()
			if limit < 0 {
				break
			}
			if err := r.w.error(); err != nil {
				return err
			}
			r.pause(limit+1, p.done)
		}
		if err := r.overdue(r.w.now()); err != nil {
			return err
		}
	}
	return nil
}

// pause lets time pass until something happens to the stack, a call that is waiting
// may return, also is closed, or at most for d.
func (r *runner) pause(d time.Duration, also <-chan struct{}) {
	for _, p := range r.calls {
		if p.poll != nil && !p.finished() && p.until != never {
			d = min(d, max(p.until-r.w.now(), 0))
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.w.arrived:
	case <-r.stir:
	case <-r.events:
		r.stirred()
	case <-also:
	}
	r.settle()
	r.checkPollers()
}

// never is a time that does not come.
const never = 1<<63 - 1

// stirred notes that something has happened to some connection.
func (r *runner) stirred() {
	for _, f := range r.fds {
		f.stirred = true
	}
}

// checkPending looks whether a blocked call has returned, and in time.
func (r *runner) checkPending(p *pending, at time.Duration) (done bool, err error) {
	r.ask(p)
	if !p.finished() {
		if at > p.end+r.tolerance {
			return true, fmt.Errorf("the call of %s blocks and should have returned at %s", p.call.Name, seconds(p.end))
		}
		return false, nil
	}
	if p.bounds && (p.at < p.end-r.tolerance || p.at > p.end+r.tolerance) {
		return true, fmt.Errorf("timing error: expected system call %s to return at %s sec but it returned at %s sec; tolerance %s sec",
			p.call.Name, seconds(p.end), seconds(p.at), seconds(r.tolerance))
	}
	return true, r.returned(p)
}

// returned compares a call's result with the script's.
func (r *runner) returned(p *pending) error {
	if p.after != nil {
		p.after(&p.res)
	}
	c, res := p.call, &p.res
	name := errnoName(res.err)
	if res.err != nil && name == "" {
		return fmt.Errorf("runtime error in %s call: %w", c.Name, res.err)
	}
	if !isAny(c.Result) {
		want, err := eval(c.Result)
		if err != nil {
			return err
		}
		if want != res.value {
			got := strconv.FormatInt(res.value, 10)
			if name != "" {
				got += " with errno " + name
			}
			if c.Errno != "" {
				return fmt.Errorf("runtime error in %s call: expected result %d with errno %s but got %s", c.Name, want, c.Errno, got)
			}
			return fmt.Errorf("runtime error in %s call: expected result %d but got %s", c.Name, want, got)
		}
		if want == -1 && c.Errno != "" && !sameErrno(c.Errno, name) {
			return fmt.Errorf("runtime error in %s call: expected errno %s but got %s", c.Name, c.Errno, name)
		}
	}
	if res.check != nil {
		if err := res.check(); err != nil {
			return wrapCall(c.Name, err)
		}
	}
	return nil
}

func wrapCall(name string, err error) error {
	var u *unsupportedError
	if errors.As(err, &u) {
		return err
	}
	return fmt.Errorf("runtime error in %s call: %w", name, err)
}

// errnos are the errors that a stack's user can meet. Some that do not exist on every
// system stand for themselves only here.
var errnos = []struct {
	name string
	err  error
}{
	{"EAGAIN", syscall.EAGAIN}, {"EINPROGRESS", syscall.EINPROGRESS}, {"EALREADY", syscall.EALREADY},
	{"EISCONN", syscall.EISCONN}, {"ENOTCONN", syscall.ENOTCONN}, {"ECONNREFUSED", syscall.ECONNREFUSED},
	{"ECONNRESET", syscall.ECONNRESET}, {"ECONNABORTED", syscall.ECONNABORTED}, {"EPIPE", syscall.EPIPE},
	{"ETIMEDOUT", syscall.ETIMEDOUT}, {"EHOSTUNREACH", syscall.EHOSTUNREACH}, {"ENETUNREACH", syscall.ENETUNREACH},
	{"EADDRINUSE", syscall.EADDRINUSE}, {"EADDRNOTAVAIL", syscall.EADDRNOTAVAIL}, {"EINVAL", syscall.EINVAL},
	{"EBADF", syscall.EBADF}, {"EOPNOTSUPP", syscall.EOPNOTSUPP}, {"ENOPROTOOPT", syscall.ENOPROTOOPT},
	{"EPROTO", syscall.EPROTO}, {"EMSGSIZE", syscall.EMSGSIZE}, {"EACCES", syscall.EACCES}, {"EPERM", syscall.EPERM},
	{"ENOENT", syscall.ENOENT}, {"EDESTADDRREQ", syscall.EDESTADDRREQ}, {"EEXIST", syscall.EEXIST},
	{"ENOBUFS", syscall.ENOBUFS}, {"ENOMEM", syscall.ENOMEM}, {"EFAULT", syscall.EFAULT}, {"EINTR", syscall.EINTR},
	{"EPROTONOSUPPORT", syscall.EPROTONOSUPPORT}, {"EAFNOSUPPORT", syscall.EAFNOSUPPORT},
	{"EDOM", syscall.EDOM}, {"EIO", syscall.EIO}, {"ENODEV", syscall.ENODEV}, {"ENOTSOCK", syscall.ENOTSOCK},
}

// errnoName is the errno of an error, empty for nil and for one that has none.
func errnoName(err error) string {
	if err == nil {
		return ""
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "EAGAIN"
	case errors.Is(err, net.ErrClosed):
		return "EBADF"
	}
	return ""
}

func sameErrno(a, b string) bool {
	same := map[string]string{"EWOULDBLOCK": "EAGAIN", "ENOTSUP": "EOPNOTSUPP"}
	if s, ok := same[a]; ok {
		a = s
	}
	return a == b
}

// errnoValue is the number of an errno as Linux has it, for SO_ERROR.
var errnoValue = map[string]int64{
	"EPERM": 1, "ENOENT": 2, "EINTR": 4, "EIO": 5, "EBADF": 9, "EAGAIN": 11, "ENOMEM": 12, "EACCES": 13, "EFAULT": 14,
	"EEXIST": 17, "EINVAL": 22, "EPIPE": 32, "EPROTO": 71, "ENOTSOCK": 88, "EDESTADDRREQ": 89, "EMSGSIZE": 90,
	"ENOPROTOOPT": 92, "EPROTONOSUPPORT": 93, "EOPNOTSUPP": 95, "EAFNOSUPPORT": 97, "EADDRINUSE": 98,
	"EADDRNOTAVAIL": 99, "ENETUNREACH": 101, "ECONNABORTED": 103, "ECONNRESET": 104, "ENOBUFS": 105, "EISCONN": 106,
	"ENOTCONN": 107, "ETIMEDOUT": 110, "ECONNREFUSED": 111, "EHOSTUNREACH": 113, "EALREADY": 114, "EINPROGRESS": 115,
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// arg is an argument of a call, nil if there are fewer.
func (c *Call) arg(i int) Expr {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return nil
}

// num is a numeric argument.
func (c *Call) num(i int) (int64, error) {
	if c.arg(i) == nil {
		return 0, fmt.Errorf("%s has no argument %d", c.Name, i+1)
	}
	return eval(c.Args[i])
}

// flagsArg is an argument that may be missing or "...": 0.
func (c *Call) flagsArg(i int) (int64, error) {
	if isAny(c.arg(i)) {
		return 0, nil
	}
	return eval(c.Args[i])
}

// file is the descriptor that argument i names; nil if it is not open.
func (r *runner) file(c *Call, i int) (*file, error) {
	n, err := c.num(i)
	if err != nil {
		return nil, err
	}
	f := r.fds[n]
	if f != nil {
		f.poke()
	}
	return f, nil
}

// newFile gives a file the number that the script expects of the call.
func (r *runner) newFile(c *Call, f *file) (int64, error) {
	n := int64(3)
	if !isAny(c.Result) {
		v, err := eval(c.Result)
		if err != nil {
			return 0, err
		}
		n = v
	} else {
		for r.fds[n] != nil {
			n++
		}
	}
	if n < 0 {
		// The call was to fail, and has not: any number shows it.
		n = 3
		for r.fds[n] != nil {
			n++
		}
	}
	if r.fds[n] != nil {
		return 0, fmt.Errorf("the script expects the descriptor %d of %s, which is open", n, c.Name)
	}
	f.fd = n
	r.fds[n] = f
	return n, nil
}
