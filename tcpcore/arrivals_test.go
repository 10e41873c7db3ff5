package tcpcore

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

//go:embed testdata/arrivals.txt
var arrivalsTable string

// An arrival is one cell of testdata/arrivals.txt.
type arrival struct {
	line           int
	state, variant string // "SYN-RECEIVED", "passive"
	kind, ackKind  string // "data", "una"
	position       string
	replies        []string // alternatives
	next           string   // state, or "" for the same
	event          string   // "data", "eof", "reset", "refused"
	held, reopen   bool
}

var (
	arrivalKinds     = []string{"SYN", "RST", "FIN", "ACK", "data", "SYN-ACK", "RST-ACK", "SYN-FIN", "FIN-ACK"}
	arrivalPositions = []string{"old", "left", "inside", "right", "outside"}
)

// parseArrivals reads the table, and checks that no state, kind or position is missing.
func parseArrivals(t *testing.T) []arrival {
	t.Helper()
	var all []arrival
	var state, variant string
	complete := make(map[string]int)
	for i, line := range strings.Split(arrivalsTable, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] != ' ' {
			state, variant, _ = strings.Cut(strings.TrimSpace(line), " ")
			continue
		}
		cells := strings.Split(line[17:], "|")
		if len(cells) != len(arrivalPositions) {
			t.Fatalf("line %d has %d cells", i+1, len(cells))
		}
		for j, cell := range cells {
			a := arrival{line: i + 1, state: state, variant: variant, position: arrivalPositions[j]}
			a.kind, a.ackKind, _ = strings.Cut(strings.TrimSpace(line[:17]), " ")
			a.ackKind = strings.TrimSpace(a.ackKind)
			for _, w := range strings.Fields(cell) {
				switch {
				case w == "held":
					a.held = true
				case w == "reopen":
					a.reopen = true
				case w[0] == '>':
					a.next = w[1:]
				case w[0] == '!':
					a.event = w[1:]
				default:
					a.replies = strings.Split(w, "/")
				}
			}
			if a.reopen {
				a.replies, a.next = []string{"-"}, "CLOSED"
			}
			if a.replies == nil {
				t.Fatalf("line %d, %s: no reply", i+1, a.position)
			}
			all = append(all, a)
			if a.ackKind == "" {
				complete[state+" "+a.kind]++
			}
		}
	}
	for _, s := range stateNames {
		want := len(arrivalPositions)
		if s == "SYN-RECEIVED" {
			want *= 2 // passive and active
		}
		for _, k := range arrivalKinds {
			if got := complete[s+" "+k]; got != want {
				t.Errorf("%s in %s: %d cells, want %d", k, s, got, want)
			}
		}
	}
	return all
}

// TestArrivals drives an engine into each state and lets each segment of the table
// arrive, once on a connection without options and once with all of them.
//
// Shows: MUST-11, MUST-66, SHLD-31, MAY-12, MAY-13, RFC5961-1, RFC5961-2, RFC5961-3, RFC9293-1, RFC1337-1.
func TestArrivals(t *testing.T) {
	all := parseArrivals(t)
	for _, options := range []bool{false, true} {
		for _, a := range all {
			if options && a.reopen || options && a.state == "TIME-WAIT" && strings.HasPrefix(a.kind, "SYN") {
				continue // timestamps decide: see TestTimeWaitReuse
			}
			name := fmt.Sprintf("%s %s/%s %s/%s", a.state, a.variant, a.kind, a.ackKind, a.position)
			if options {
				name += "/options"
			}
			t.Run(strings.ReplaceAll(name, " /", "/"), func(t *testing.T) { a.run(t, options) })
		}
	}
}

// An arrivalScene is an engine in some state, with the numbers of the RFC, relative.
type arrivalScene struct {
	*script
	rcvNxt, rcvWnd int
	sndUna, sndNxt int
	edge           segment.Seq // RCV.NXT+RCV.WND as the engine last told
	shift          uint8       // of its windows
}

// take returns what the engine sends now, and remembers its window.
func (c *arrivalScene) take() []segment.Segment {
	gs := c.drain()
	for _, g := range gs {
		switch {
		case g.Flags.Has(SYN | ACK):
			c.edge, c.shift = g.Ack.Add(int(g.Window)), g.Options.WindowScale
		case g.Flags.Has(ACK) && !g.Flags.Has(RST):
			c.edge = g.Ack.Add(int(g.Window) << c.shift)
		}
	}
	return gs
}

// scene opens a connection up to the state.
func (a *arrival) scene(t *testing.T, options bool) *arrivalScene {
	cfg := Config{
		ReceiveBuffer: 1000, // a window that needs no scaling
		// No retransmission shall disturb.
		MinRTO: time.Minute, InitialRTO: time.Minute, MaxRTO: time.Hour,
	}
	story := fmt.Sprintf("testdata/arrivals.txt:%d: %s %s in %s %s, %s", a.line, a.kind, a.ackKind, a.state, a.variant, a.position)
	c := &arrivalScene{script: newScript(t, story, cfg, Params{}), rcvNxt: 1, rcvWnd: 1000, sndNxt: 1}
	opts := []any{optMSS(1460)}
	if options {
		opts = append(opts, optSACKOK(), optScale(3), optTSOn())
	}
	syn := func(flags segment.Flags, ack int) {
		c.recv(flags, 0, ack, opts...)
		c.negotiated(opts)
		c.take()
	}
	// What the peer and the user do, up to each state.
	passive := func() { c.listen(); syn(SYN, 0) }
	established := func() { passive(); c.recv(ACK, 1, 1); c.sndUna = 1 }
	finWait1 := func() { established(); c.closeWrite(); c.take(); c.sndNxt = 2 }
	finWait2 := func() { finWait1(); c.recv(ACK, 1, 2); c.sndUna = 2 }
	peerCloses := func() { c.recv(FIN|ACK, 1, c.sndUna); c.take(); c.rcvNxt = 2 }
	write := func() { c.write("xy"); c.take(); c.sndNxt = 3 }
	switch a.state {
	case "CLOSED":
	case "LISTEN":
		c.listen()
	case "SYN-SENT":
		c.connect()
		c.take()
	case "SYN-RECEIVED":
		if a.variant == "passive" {
			passive()
		} else {
			c.connect()
			c.take()
			syn(SYN, 0)
		}
	case "ESTABLISHED":
		established()
		write()
	case "FIN-WAIT-1":
		finWait1()
	case "FIN-WAIT-2":
		finWait2()
	case "CLOSE-WAIT":
		established()
		peerCloses()
		write()
	case "CLOSING":
		finWait1()
		peerCloses()
	case "LAST-ACK":
		established()
		peerCloses()
		c.closeWrite()
		c.take()
		c.sndNxt = 2
	case "TIME-WAIT":
		finWait2()
		peerCloses()
	default:
		c.fail("BUG: no state %q", a.state)
	}
	if got := c.e.State().String(); got != a.state {
		c.fail("the story leads to %v", got)
	}
	if c.e.State() >= SynReceived {
		c.rcvWnd = relative(c.edge, c.irs) - c.rcvNxt
		if c.rcvWnd < 10 {
			c.fail("a window of %d", c.rcvWnd)
		}
	}
	c.wantIdle()
	c.events = 0
	return c
}

// segment makes what arrives.
func (a *arrival) segment(c *arrivalScene) segment.Segment {
	g := segment.Segment{SrcPort: c.p.RemotePort, DstPort: c.p.LocalPort, Window: c.peerWindow}
	for _, w := range strings.Split(a.kind, "-") {
		switch w {
		case "SYN":
			g.Flags |= SYN
		case "RST":
			g.Flags |= RST
		case "FIN":
			g.Flags |= FIN
		case "ACK":
			g.Flags |= ACK
		case "data":
			g.Flags |= ACK | PSH
			g.Payload = []byte("abc")
		}
	}
	var ack int
	switch a.ackKind {
	case "":
		ack = c.sndNxt
	case "una":
		ack = c.sndUna
		if c.sndUna == c.sndNxt {
			c.fail("nothing is outstanding")
		}
	case "future":
		ack = c.sndNxt + 1
	case "ancient":
		scale := 0
		if c.peerTS {
			scale = 3
		}
		ack = c.sndUna - int(c.peerWindow)<<scale - 1
	default:
		c.fail("BUG: no SEG.ACK %q", a.ackKind)
	}
	if g.Flags.Has(ACK) {
		g.Ack = c.ours(ack)
	}
	off := map[string]int{"old": -max(g.Len(), 1), "left": 0, "inside": 1, "right": c.rcvWnd - 1, "outside": c.rcvWnd}[a.position]
	g.Seq = c.theirs(c.rcvNxt + off)
	if c.peerTS && !g.Flags.Has(RST) {
		g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, c.tsNow(), c.tsRecent
	}
	return g
}

// userView is what the user sees without waiting.
func (c *arrivalScene) userView() (data string, readErr, err error) {
	b := make([]byte, 10)
	n, readErr := c.e.Read(c.now, b)
	return string(b[:n]), readErr, c.e.Err()
}

// run plays the cell.
func (a *arrival) run(t *testing.T, options bool) {
	c := a.scene(t, options)
	_, readBefore, _ := c.userView()
	g := a.segment(c)
	c.note("recv %s", c.describe(&g, c.irs, c.iss))
	if a.state == "TIME-WAIT" {
		a.runRecord(c, g)
	}
	refusal := Refuse(nil, &g)

	reopen := c.recvSegment(&g)
	if reopen != a.reopen {
		c.fail("reopen is %v", reopen)
	}
	atOnce := c.take()
	c.advance(500 * time.Millisecond)
	later := c.take()

	next := a.next
	if next == "" {
		next = a.state
	}
	if got := c.e.State().String(); got != next {
		c.fail("the state becomes %v, want %v", got, next)
	}
	a.checkReply(c, g, atOnce, later)
	if a.state == "CLOSED" {
		var gs []segment.Segment
		if len(refusal) > 0 {
			gs = make([]segment.Segment, 1)
			if err := segment.Parse(&gs[0], refusal); err != nil {
				c.fail("Refuse: %v", err)
			}
		}
		a.checkReply(c, g, gs, nil)
	}
	a.checkUser(c, readBefore)
	a.checkEvents(c)
	if got := c.e.Info().OutOfOrder; (got > 0) != a.held {
		c.fail("%d octets are held", got)
	}
}

// runRecord lets the segment arrive at the record that a connection in TIME-WAIT
// leaves behind.
func (a *arrival) runRecord(c *arrivalScene, g segment.Segment) {
	r, ok := c.e.Retire()
	if !ok {
		c.fail("TIME-WAIT does not retire")
	}
	b, reopen := r.Input(c.now, &g, nil)
	if reopen != a.reopen {
		c.fail("reopen of the record is %v", reopen)
	}
	var gs []segment.Segment
	if len(b) > 0 {
		gs = make([]segment.Segment, 1)
		if err := segment.Parse(&gs[0], b); err != nil {
			c.fail("the record's reply: %v", err)
		}
	}
	a.checkReply(c, g, gs, nil)
}

// checkReply compares what was sent with the cell's alternatives.
func (a *arrival) checkReply(c *arrivalScene, g segment.Segment, atOnce, later []segment.Segment) {
	c.t.Helper()
	var why []string
	for _, r := range a.replies {
		got := atOnce
		if r == "ack~" {
			got = append(slices.Clone(atOnce), later...)
		} else if len(later) > 0 {
			why = append(why, "something is sent later: "+later[0].String())
			continue
		}
		w := a.differs(c, g, got, r)
		if w == "" {
			return
		}
		why = append(why, w)
	}
	c.fail("%s", strings.Join(why, "; "))
}

// differs tells what is wrong with the segments sent if reply is wanted; "" if nothing.
func (a *arrival) differs(c *arrivalScene, g segment.Segment, sent []segment.Segment, reply string) string {
	if reply == "-" {
		if len(sent) > 0 {
			return "want silence, got " + sent[0].String()
		}
		return ""
	}
	if len(sent) != 1 {
		return fmt.Sprintf("want %s, got %d segments %v", reply, len(sent), sent)
	}
	want := segment.Segment{SrcPort: g.DstPort, DstPort: g.SrcPort, Seq: c.ours(c.sndNxt)}
	switch reply {
	case "ack", "ack~":
		want.Flags, want.Ack = ACK, c.theirs(c.rcvNxt)
		switch {
		case a.state == "SYN-SENT":
			want.Ack = g.Seq.Add(1)
		case a.event == "data", a.event == "eof":
			want.Ack = want.Ack.Add(g.Len())
		}
	case "rst":
		want.Flags, want.Seq = RST, g.Ack
	case "rst0":
		want.Flags, want.Seq, want.Ack = RST|ACK, 0, g.Seq.Add(g.Len())
	case "synack":
		want.Flags, want.Seq, want.Ack = SYN|ACK, c.iss, g.Seq.Add(1)
	default:
		c.fail("BUG: no reply %q", reply)
	}
	got := sent[0]
	got.Window, got.Options = 0, segment.Options{}
	if got.String() != want.String() {
		return fmt.Sprintf("want %s\n  %v\n  got\n  %v", reply, &want, &got)
	}
	return ""
}

// checkUser compares what the user sees.
func (a *arrival) checkUser(c *arrivalScene, readBefore error) {
	c.t.Helper()
	data, readErr, err := c.userView()
	wantData, wantRead, wantErr := "", readBefore, error(nil)
	switch a.event {
	case "":
	case "data":
		wantData, wantRead = "abc", nil
	case "eof":
		wantRead = io.EOF
	case "reset":
		wantErr = ErrReset
	case "refused":
		wantErr = ErrRefused
	default:
		c.fail("BUG: no event %q", a.event)
	}
	if wantErr != nil && !errors.Is(readBefore, io.EOF) {
		wantRead = wantErr
	}
	if data != wantData || !errors.Is(readErr, wantRead) || !errors.Is(err, wantErr) {
		c.fail("the user reads %q, %v and finds %v; want %q, %v and %v", data, readErr, err, wantData, wantRead, wantErr)
	}
}

// checkEvents compares what is told to the user with what happened.
func (a *arrival) checkEvents(c *arrivalScene) {
	c.t.Helper()
	var want Event
	switch a.next {
	case "ESTABLISHED":
		want |= EvEstablished
	case "CLOSED":
		want |= EvClosed
	case "LISTEN":
		want |= EvListen
	case "TIME-WAIT":
		want |= EvTimeWait
	case "CLOSE-WAIT":
		if a.state == "SYN-RECEIVED" {
			want |= EvEstablished
		}
	}
	if a.event != "" {
		want |= EvReadable
	}
	const told = EvEstablished | EvClosed | EvListen | EvTimeWait
	c.wantEvent(want)
	c.wantNoEvent(told &^ want)
}
