package packetdrill

import (
	"fmt"
	"syscall"
	"time"

	"example.com/culvert/tcpcore"
)

// Readiness, as Linux computes it in tcp_poll's terms: what a call would find.
const (
	pollIn    = 1
	pollOut   = 4
	pollErr   = 8
	pollHup   = 0x10
	pollNval  = 0x20
	pollRDN   = 0x40
	pollWRN   = 0x100
	pollRdHup = 0x2000
)

// ready is what is ready of f.
func (f *file) ready() int64 {
	f.poke()
	switch {
	case f.kind == kindZero || f.kind == kindPipe:
		return pollIn | pollOut
	case f.l != nil:
		f.fill()
		if len(f.stash) > 0 {
			return pollIn | pollRDN
		}
		return 0
	case f.connErr != nil:
		return pollIn | pollRDN | pollOut | pollWRN | pollErr | pollHup | pollRdHup
	case f.c == nil && f.dial != nil:
		return 0
	case f.c == nil:
		return pollOut | pollWRN | pollHup
	}
	i := f.c.Info()
	finIn := false
	switch i.State {
	case tcpcore.CloseWait, tcpcore.Closing, tcpcore.LastAck, tcpcore.TimeWait, tcpcore.Closed:
		finIn = true
	}
	in := finIn || f.shutRd
	v := int64(0)
	if in {
		v |= pollIn | pollRDN | pollRdHup
	}
	if i.ReceiveQueue >= max(f.rcvLowAt, 1) {
		v |= pollIn | pollRDN
	}
	if in && f.shutWr || i.State == tcpcore.Closed {
		v |= pollHup
	}
	if f.shutWr || i.State == tcpcore.Closed || 3*i.SendQueue < 2*f.sendBuffer() && f.belowLowWater(i.SendQueue-i.Unacked) {
		v |= pollOut | pollWRN
	}
	if f.peekError() != nil {
		v |= pollErr
	}
	return v
}

// belowLowWater reports whether few enough octets wait to be sent (TCP_NOTSENT_LOWAT).
func (f *file) belowLowWater(unsent int) bool {
	return f.conf.NotSentLowWater == 0 || unsent < f.conf.NotSentLowWater
}

func (f *file) sendBuffer() int {
	if f.conf.SendBuffer > 0 {
		return f.conf.SendBuffer
	}
	return 1 << 20
}

// always are reported whether they were asked for or not.
const always = pollErr | pollHup | pollNval

// callPoll is poll({fd, ...}, n, timeout).
func callPoll(r *runner, c *Call) (*op, error) {
	a, ok := c.arg(0).(Array)
	if !ok {
		return nil, unsupported("poll with %s", describe(c.arg(0)))
	}
	type entry struct {
		fd, events int64
		want       Expr
	}
	var list []entry
	for _, it := range a.Items {
		s, ok := it.(Struct)
		if !ok {
			return nil, unsupported("poll with %s in it", describe(it))
		}
		e := entry{want: s.field("revents")}
		for name, to := range map[string]*int64{"fd": &e.fd, "events": &e.events} {
			x := s.field(name)
			if x == nil {
				return nil, fmt.Errorf("poll: an entry has no %s", name)
			}
			v, err := eval(x)
			if err != nil {
				return nil, err
			}
			*to = v
		}
		list = append(list, e)
	}
	timeout, err := c.num(2)
	if err != nil {
		return nil, err
	}
	look := func() (outcome, bool) {
		got := make([]int64, len(list))
		n := int64(0)
		for i, e := range list {
			f := r.fds[e.fd]
			switch {
			case e.fd < 0:
			case f == nil:
				got[i] = pollNval
			default:
				got[i] = f.ready() & (e.events | always)
			}
			if got[i] != 0 {
				n++
			}
		}
		return outcome{value: n, check: func() error {
			for i, e := range list {
				if isAny(e.want) {
					continue
				}
				w, err := eval(e.want)
				if err != nil {
					return err
				}
				if w != got[i] {
					return fmt.Errorf("revents of descriptor %d: expected 0x%x but got 0x%x", e.fd, w, got[i])
				}
			}
			return nil
		}}, n > 0
	}
	return r.pollOp(look, timeout), nil
}

// pollOp waits until look finds something, or for timeout milliseconds, negative
// meaning for ever.
func (r *runner) pollOp(look func() (outcome, bool), timeout int64) *op {
	end := r.w.now() + time.Duration(min(timeout, int64(maxTime/time.Millisecond)))*time.Millisecond
	if timeout < 0 {
		end = never
	}
	return &op{until: end, poll: func() (outcome, bool) {
		o, ok := look()
		return o, ok || r.w.now() >= end
	}}
}

// epollSet is an epoll instance.
type epollSet struct {
	order []int64
	in    map[int64]*epollEntry
}

type epollEntry struct {
	events int64
	data   Expr
	last   int64 // what was reported, for EPOLLET
	spent  bool  // EPOLLONESHOT has reported
}

func callEpollCreate(r *runner, c *Call) (*op, error) {
	f := &file{r: r, kind: kindEpoll, epoll: &epollSet{in: make(map[int64]*epollEntry)}, options: map[[2]int64]int64{}}
	n, err := r.newFile(c, f)
	if err != nil {
		return nil, err
	}
	return now(outcome{value: n})
}

func callEpollCtl(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil || f.epoll == nil {
		return bad(orBadFile(err))
	}
	what, err := c.num(1)
	if err != nil {
		return nil, err
	}
	fd, err := c.num(2)
	if err != nil {
		return nil, err
	}
	if r.fds[fd] == nil {
		return bad(syscall.EBADF)
	}
	set := f.epoll
	have := set.in[fd]
	if what == constants["EPOLL_CTL_DEL"] {
		if have == nil {
			return bad(syscall.ENOENT)
		}
		delete(set.in, fd)
		return nil, nil
	}
	s, ok := c.arg(3).(Struct)
	if !ok {
		return nil, unsupported("epoll_ctl with %s", describe(c.arg(3)))
	}
	x := s.field("events")
	if x == nil {
		return nil, fmt.Errorf("epoll_ctl: the event has no events")
	}
	ev, err := eval(x)
	if err != nil {
		return nil, err
	}
	switch {
	case what == constants["EPOLL_CTL_ADD"] && have != nil:
		return bad(syscall.EEXIST)
	case what == constants["EPOLL_CTL_MOD"] && have == nil:
		return bad(syscall.ENOENT)
	case have == nil:
		set.order = append(set.order, fd)
	}
	set.in[fd] = &epollEntry{events: ev, data: s.field("fd", "u32", "u64", "ptr")}
	return nil, nil
}

func callEpollWait(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil || f.epoll == nil {
		return bad(orBadFile(err))
	}
	limit, err := c.num(2)
	if err != nil {
		return nil, err
	}
	timeout, err := c.num(3)
	if err != nil {
		return nil, err
	}
	var wants []Expr
	switch x := c.arg(1).(type) {
	case Array:
		wants = x.Items
	case Struct:
		if len(x.Fields) > 0 && x.Fields[0].Name == "" {
			for _, fl := range x.Fields {
				wants = append(wants, fl.Value)
			}
		} else {
			wants = []Expr{x}
		}
	}
	look := func() (outcome, bool) {
		var got []int64
		for _, fd := range f.epoll.order {
			e := f.epoll.in[fd]
			g := r.fds[fd]
			if e == nil || g == nil || e.spent || int64(len(got)) >= limit {
				continue
			}
			v := g.ready() & (e.events | always)
			fresh := v&^e.last != 0 || g.stirred
			g.stirred = false
			if e.events&constants["EPOLLET"] != 0 && !fresh {
				continue
			}
			e.last = v
			if v == 0 {
				continue
			}
			e.spent = e.events&constants["EPOLLONESHOT"] != 0
			got = append(got, v)
		}
		return outcome{value: int64(len(got)), check: func() error { return checkEpoll(wants, got) }}, len(got) > 0
	}
	return r.pollOp(look, timeout), nil
}

func checkEpoll(wants []Expr, got []int64) error {
	for i, w := range wants {
		s, ok := w.(Struct)
		if !ok || i >= len(got) {
			continue
		}
		x := s.field("events")
		if isAny(x) {
			continue
		}
		v, err := eval(x)
		if err != nil {
			return err
		}
		if v != got[i] {
			return fmt.Errorf("events: expected 0x%x but got 0x%x", v, got[i])
		}
	}
	return nil
}
