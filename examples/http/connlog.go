package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"text/tabwriter"
	"time"

	"example.com/culvert/conn"
)

// A connLog knows one side's connections and what they did. Any number of
// goroutines may use it.
type connLog struct {
	side string // "client" or "server"
	// onClose, if set, is told of each connection that closes, and the log
	// forgets it: a server that runs for long must not remember them all.
	onClose func(connReport)

	mu    sync.Mutex
	conns []*watched
}

// watched is a culvert connection that leaves its last words in the log. It
// embeds the connection so that net/http still finds CloseWrite and ReadFrom.
type watched struct {
	*conn.Conn
	log   *connLog
	since time.Time
	once  sync.Once
	final *connReport // under log.mu; nil while open
}

// A connReport is one line of the table.
type connReport struct {
	side, peer string
	age        time.Duration
	info       conn.Info
}

// watch adds c, if it is a culvert connection, and returns what to use instead.
func (l *connLog) watch(c net.Conn) net.Conn {
	cc, ok := c.(*conn.Conn)
	if !ok {
		return c
	}
	w := &watched{Conn: cc, log: l, since: time.Now()}
	l.mu.Lock()
	l.conns = append(l.conns, w)
	l.mu.Unlock()
	return w
}

// Close takes the connection's figures before it closes it.
func (w *watched) Close() error {
	w.once.Do(func() {
		r := w.report()
		w.log.mu.Lock()
		w.final = &r
		if w.log.onClose != nil {
			for i, o := range w.log.conns {
				if o == w {
					w.log.conns = append(w.log.conns[:i], w.log.conns[i+1:]...)
					break
				}
			}
		}
		w.log.mu.Unlock()
		if w.log.onClose != nil {
			w.log.onClose(r)
		}
	})
	return w.Conn.Close()
}

// report describes the connection as it is now.
func (w *watched) report() connReport {
	return connReport{
		side: w.log.side, peer: w.RemoteAddr().String(),
		age: time.Since(w.since), info: w.Info(),
	}
}

// linger has Close wait until the end of each connection is delivered.
func (l *connLog) linger() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.conns {
		w.SetLinger(linger)
	}
}

// reports describes all connections, in the order in which they were opened.
func (l *connLog) reports() []connReport {
	l.mu.Lock()
	conns := append([]*watched(nil), l.conns...)
	l.mu.Unlock()
	rs := make([]connReport, len(conns))
	for i, w := range conns {
		rs[i] = w.report()
		l.mu.Lock()
		if w.final != nil {
			rs[i] = *w.final
		}
		l.mu.Unlock()
	}
	return rs
}

// retransmits counts the segments that were sent again on all connections.
func (l *connLog) retransmits() (n uint64) {
	for _, r := range l.reports() {
		n += r.info.Retransmits
	}
	return n
}

// dialer wraps a DialContext so that the log sees each connection.
func (l *connLog) dialer(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return l.watch(c), nil
	}
}

// watchedListener shows the log each connection that it accepts.
type watchedListener struct {
	net.Listener
	log *connLog
}

func (l watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.log.watch(c), nil
}

// printReports writes the table of connections. The columns end in the window's
// slow start threshold, which shows whether congestion control has met a loss.
func printReports(w io.Writer, rs []connReport) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "side\tpeer\tRTT\tmin RTT\twindow\tthreshold\tsegments out\tin\tretransmitted\ttimeouts\tbytes out\tin\t")
	for _, r := range rs {
		i := r.info
		threshold := "-"
		if i.SlowStartThreshold != math.MaxInt {
			threshold = sizeText(int64(i.SlowStartThreshold))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t\n",
			r.side, r.peer, rttText(i.RTT), rttText(i.MinRTT), sizeText(int64(i.CongestionWindow)), threshold,
			i.SegmentsSent, i.SegmentsReceived, i.Retransmits, i.Timeouts,
			sizeText(int64(i.BytesSent)), sizeText(int64(i.BytesReceived)))
	}
	t.Flush()
}

// line is the report of one connection on one line, for a server's log.
func (r connReport) line() string {
	i := r.info
	return fmt.Sprintf("%s: %s, RTT %s (min %s), window %s, %d segments out, %d in, %d retransmitted, %s out, %s in",
		r.peer, r.age.Round(time.Millisecond), rttText(i.RTT), rttText(i.MinRTT), sizeText(int64(i.CongestionWindow)),
		i.SegmentsSent, i.SegmentsReceived, i.Retransmits, sizeText(int64(i.BytesSent)), sizeText(int64(i.BytesReceived)))
}

// rttText writes a round-trip time with three digits or so; "-" if none was measured.
func rttText(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}
