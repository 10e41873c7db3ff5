package packetdrill

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/transport"
)

// Settings are how a script is run.
type Settings struct {
	Level Level
	// Complete: whatever the stack sends must have been expected before the script
	// ends; packetdrill itself does not mind.
	Complete bool
	// Mangle, if set, alters each segment that the stack sends: it stands for a stack
	// that is broken.
	Mangle func([]byte) [][]byte
	// Trace, if set, is told of each event and packet.
	Trace func(format string, args ...any)
}

// RunFile reads and runs a script.
func RunFile(t *testing.T, file string, set Settings) *Result {
	text, err := os.ReadFile(file)
	if err != nil {
		r := &Result{File: file, Level: set.Level}
		r.settle(Pos{file, 1, 1}, err)
		r.Outcome = Unreadable
		return r
	}
	return Run(t, file, string(text), set)
}

// Run runs a script's text in a bubble of testing/synctest, which is why it needs a
// *testing.T; it does not fail t.
func Run(t *testing.T, file, text string, set Settings) *Result {
	begin := time.Now()
	if set.Level == "" {
		set.Level = Strict
	}
	res := &Result{File: file, Level: set.Level}
	sc, err := Parse(file, text)
	if err != nil {
		res.settle(Pos{file, 1, 1}, err)
		return res
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := newRunner(sc, set)
		at := Pos{file, 1, 1}
		if err == nil {
			at, err = r.run()
			res.Notes = r.notes
			r.close()
		}
		res.settle(at, err)
	})
	res.Elapsed = time.Since(begin)
	return res
}

// runner plays one script.
type runner struct {
	sc   *Script
	set  Settings
	w    *wire
	conf config

	ipv6      bool
	tolerance time.Duration
	tsTick    time.Duration // 0: timestamps' values are not compared
	oneToOne  bool          // a line of the script is one segment (strict segments)

	fds      map[int64]*file
	flows    []*flow
	sut      *flow // the connection that lines without ports are about
	listener *file // the last that listened
	stray    *tap  // answers segments when there is no socket
	ends     []*transport.Endpoint
	nextPort uint16

	calls []*pending // blocking calls
	// events is what happens to connections, stir what happens to connects: both only
	// wake the script.
	events chan tcpcore.Event
	stir   chan struct{}
	last   time.Duration
	shift  time.Duration // the live time's lead, after lenient lateness
	vars   map[string]value
	notes  []string
}

func newRunner(sc *Script, set Settings) (*runner, error) {
	r := &runner{sc: sc, set: set, tolerance: 4 * time.Millisecond,
		events: make(chan tcpcore.Event, 1), stir: make(chan struct{}, 1),
		fds: make(map[int64]*file), nextPort: 53000, vars: make(map[string]value)}
	if err := r.conf.init(sc); err != nil {
		return nil, err
	}
	if err := sc.define(); err != nil {
		return nil, err
	}
	local, remote := netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("192.0.2.1")
	for _, o := range sc.Options {
		if err := r.option(o, &local, &remote); err != nil {
			var lack *unsupportedError
			if errors.As(err, &lack) {
				return nil, err
			}
			return nil, &SyntaxError{o.Pos, err.Error()}
		}
	}
	if r.ipv6 && !local.Is6() {
		local, remote = netip.MustParseAddr("fd3d:fa7b:d17d::1"), netip.MustParseAddr("fd3d:fa7b:d17d::2")
	}
	udp, udpPort, mtu, link := r.conf.udp, r.conf.udpPort, r.conf.mtu, r.conf.link
	r.w = newWire(local, remote)
	r.w.udp, r.w.udpPort, r.w.mangle = udp, udpPort, set.Mangle
	if mtu > 0 {
		r.w.mtu = mtu
	}
	r.w.link = link
	return r, nil
}

// option takes one option of the script's head.
func (r *runner) option(o Option, local, remote *netip.Addr) error {
	num := func() (int, error) {
		n, err := strconv.ParseInt(o.Value, 0, 32)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("--%s: %q is not a number", o.Name, o.Value)
		}
		return int(n), nil
	}
	switch strings.ReplaceAll(o.Name, "-", "_") {
	case "ip_version":
		switch o.Value {
		case "ipv4", "ipv4-mapped-ipv6", "ipv4_mapped_ipv6":
		case "ipv6":
			r.ipv6 = true
		default:
			return fmt.Errorf("--ip_version: %q is neither ipv4, ipv4-mapped-ipv6 nor ipv6", o.Value)
		}
	case "tolerance_usecs":
		n, err := num()
		if err != nil {
			return err
		}
		r.tolerance = time.Duration(n) * time.Microsecond
	case "tolerance_percent":
	case "tcp_ts_tick_usecs":
		n, err := num()
		if err != nil {
			return err
		}
		r.tsTick = time.Duration(n) * time.Microsecond
	case "strict_segments":
		r.oneToOne = o.Value == "" || o.Value == "1" || o.Value == "true"
	case "mtu", "link_mtu":
		n, err := num()
		if err != nil || n < 68 || n > 65535 {
			return fmt.Errorf("--%s: %q is not a number from 68 to 65535", o.Name, o.Value)
		}
		if o.Name == "mtu" {
			r.conf.mtu = n
		} else {
			r.conf.link = n
		}
	case "profile", "define": // were looked at before
	case "mss":
		// packetdrill's hint for device MTU; the sockets here take the route's.
	case "udp_encapsulation":
		switch o.Value {
		case "tcp":
			r.conf.udp = true
			if r.conf.udpPort == 0 {
				r.conf.udpPort = 9899
			}
		case "", "none":
		default:
			return unsupported("--udp_encapsulation=%s", o.Value)
		}
	case "udp_encapsulation_local_port", "local_udp_encapsulation_port", "udp_encaps_local_port":
		n, err := num()
		if err != nil || n == 0 || n > 65535 {
			return fmt.Errorf("--%s: %q is not a port", o.Name, o.Value)
		}
		r.conf.udpPort = uint16(n)
	case "local_ip", "remote_ip", "local_ipv4", "remote_ipv4", "local_ipv6", "remote_ipv6":
		host, _, _ := strings.Cut(o.Value, "/")
		a, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Errorf("--%s: %q is not an address", o.Name, o.Value)
		}
		if strings.HasPrefix(o.Name, "local") {
			*local = a
		} else {
			*remote = a
		}
	default:
		r.note("option --%s ignored", o.Name)
	}
	return nil
}

func (r *runner) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	for _, have := range r.notes {
		if have == n {
			return
		}
	}
	r.notes = append(r.notes, n)
}

func (r *runner) trace(format string, args ...any) {
	if r.set.Trace != nil {
		r.set.Trace("%s "+format, append([]any{seconds(r.w.now())}, args...)...)
	}
}

// run plays all events and returns where it ended.
func (r *runner) run() (Pos, error) {
	at := Pos{r.sc.File, 1, 1}
	for _, e := range r.sc.Events {
		at = e.Pos
		if err := r.event(e); err != nil {
			return r.blame(at, err)
		}
		if err := r.w.error(); err != nil {
			return at, err
		}
	}
	if err := r.finish(); err != nil {
		return r.blame(at, err)
	}
	if err := r.w.error(); err != nil {
		return at, err
	}
	return at, nil
}

// posError is an error that belongs to another line than the current one.
type posError struct {
	pos Pos
	err error
}

func (e *posError) Error() string { return e.err.Error() }
func (e *posError) Unwrap() error { return e.err }

func (r *runner) blame(at Pos, err error) (Pos, error) {
	var p *posError
	if errors.As(err, &p) {
		return p.pos, p.err
	}
	return at, err
}

// event plays one event.
func (r *runner) event(e *Event) error {
	at, until := r.schedule(e)
	if e.Packet != nil && !e.Packet.Inbound {
		r.settle()
		if err := r.overdue(at); err != nil {
			return err
		}
		return r.expect(e, at, until)
	}
	if e.Time.Kind != TimeAny {
		if err := r.sleepUntil(at); err != nil {
			return err
		}
	}
	r.settle()
	if err := r.overdue(r.w.now()); err != nil {
		return err
	}
	r.last = at
	switch {
	case e.Packet != nil:
		return r.injectEvent(e.Packet)
	case e.Command != nil:
		return r.command(e.Command.Text)
	case e.Code != nil:
		return r.code(e.Code)
	case e.Call != nil:
		return r.call(e)
	}
	return nil
}

// schedule is when an event is to happen, in live time, and until when for a range.
func (r *runner) schedule(e *Event) (at, until time.Duration) {
	base := r.shift
	switch e.Time.Kind {
	case TimeRelative:
		base = r.last
	case TimeNone:
		return r.last, r.last
	case TimeAny:
		return r.w.now(), maxTime
	}
	at = base + e.Time.At
	until = at
	if e.Time.Range {
		until = base + e.Time.Until
	}
	return at, until
}

// settle lets everything happen that can happen now.
func (r *runner) settle() {
	synctest.Wait()
	select {
	case <-r.events:
		r.stirred()
	default:
	}
	for _, t := range r.w.taps {
		for _, l := range t.take() {
			f := r.flowOf(t, l)
			if l.k.Flags&FlagSYN != 0 && !f.hasISN {
				f.seqOff = l.k.Seq // as long as the script has not said otherwise
			}
			f.queue = append(f.queue, l)
			k := f.toScript(l)
			r.trace("> %v", &k)
		}
	}
}

// flowOf finds the connection that sent a segment, or makes one.
func (r *runner) flowOf(t *tap, l *live) *flow {
	for _, f := range r.flows {
		if f.tap == t && f.local == l.src && f.remote == l.dst {
			return f
		}
	}
	for _, f := range r.flows {
		// The connection that the script has just begun: its port shows now.
		if f.tap == t && f.local == 0 && f.remote == l.dst {
			f.local = l.src
			return f
		}
	}
	f := &flow{tap: t, local: l.src, remote: l.dst, udpPort: l.udpDst}
	r.flows = append(r.flows, f)
	return f
}

// sleepUntil lets time pass up to a moment of the script. Segments that the stack sends
// meanwhile wait in their queues.
func (r *runner) sleepUntil(at time.Duration) error {
	r.settle()
	for {
		d := at - r.w.now()
		if d <= 0 {
			return nil
		}
		if err := r.w.error(); err != nil {
			return err
		}
		r.pause(d, nil)
	}
}

// longest is how long a line waits that names no time.
const longest = time.Hour

// close ends everything, so that no goroutine stays in the bubble.
func (r *runner) close() {
	for _, c := range r.calls {
		c.cancel()
	}
	for _, f := range r.fds {
		f.abandon()
	}
	for _, e := range r.ends {
		e.Close()
	}
	for _, t := range r.w.taps {
		t.Close()
	}
	synctest.Wait()
}

// finish is what remains to be checked at the end of the script.
func (r *runner) finish() error {
	r.settle()
	end := r.w.now()
	for _, c := range r.calls {
		end = max(end, c.end+r.tolerance)
	}
	for _, f := range r.flows {
		for _, d := range f.debts {
			end = max(end, d.deadline)
		}
	}
	surplus := r.surplus()
	if err := r.sleepUntil(end); err != nil {
		return err
	}
	if err := r.overdue(end + 1); err != nil {
		return err
	}
	if r.set.Complete && surplus != nil {
		return surplus
	}
	return nil
}

// surplus is a segment that nobody expected.
func (r *runner) surplus() error {
	for _, f := range r.flows {
		for _, l := range f.queue {
			if r.set.Level == Lenient && r.skippable(f, l) {
				continue
			}
			k := f.toScript(l)
			return &packetError{reason: "the stack sent a packet that the script does not expect",
				actual: seconds(l.at) + " " + k.String()}
		}
	}
	return nil
}

// overdue complains of calls and acknowledgments that should have come.
func (r *runner) overdue(now time.Duration) error {
	kept := r.calls[:0]
	for _, c := range r.calls {
		done, err := r.checkPending(c, now)
		if err != nil {
			return &posError{c.call.Pos, err}
		}
		if !done {
			kept = append(kept, c)
		}
	}
	r.calls = kept
	for _, f := range r.flows {
		r.payDebts(f)
		for _, d := range f.debts {
			if now > d.deadline {
				return &posError{d.pos, &packetError{
					reason: fmt.Sprintf("no acknowledgment of %d within 500 ms", d.ack), script: d.script}}
			}
		}
	}
	return nil
}
