package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"example.com/culvert/tcpcore/segment"
	"golang.org/x/net/ipv4"
)

// watcher sees the segments that arrive at this host, whoever they are for, and can send
// others in the name of whoever they are for.
type watcher struct {
	c       *net.IPConn
	timeout time.Duration
	last    seen
	heard   chan seen
}

// seen is a segment that arrived.
type seen struct {
	from, to netip.Addr
	segment.Segment
	next segment.Seq // behind it
}

// injected is the traffic class of what is injected, by which others know it: DSCP 1.
const injected = 1 << 2

func watch(timeout time.Duration) (*watcher, error) {
	c, err := net.ListenIP("ip4:tcp", &net.IPAddr{IP: net.IPv4zero})
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(c)
	if err := p.SetTOS(injected); err != nil {
		return nil, err
	}
	if err := p.SetControlMessage(ipv4.FlagDst, true); err != nil {
		return nil, err
	}
	w := &watcher{c: c, timeout: timeout, heard: make(chan seen, 1000)}
	go func() {
		for {
			b := make([]byte, 1<<16)
			n, cm, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			var s seen
			if cm == nil || segment.Parse(&s.Segment, b[:n]) != nil {
				continue
			}
			s.from, _ = netip.AddrFromSlice(from.(*net.IPAddr).IP.To4())
			s.to, _ = netip.AddrFromSlice(cm.Dst.To4())
			s.next = s.Seq.Add(len(s.Payload))
			if s.Flags.Has(segment.SYN) || s.Flags.Has(segment.FIN) {
				s.next = s.next.Add(1)
			}
			w.heard <- s
		}
	}()
	return w, nil
}

// settle waits until nothing more arrives, and at least one segment has.
func (w *watcher) settle() error {
	late := time.After(w.timeout)
	for {
		select {
		case w.last = <-w.heard:
		case <-late:
			return fmt.Errorf("%w: no segment to go by", os.ErrDeadlineExceeded)
		case <-time.After(50 * time.Millisecond):
			if w.last.from.IsValid() {
				return nil
			}
		}
	}
}

// hears waits for a segment with these flags, as tcpdump spells them.
func (w *watcher) hears(flags string) error {
	late := time.After(w.timeout)
	var others []string
	for {
		select {
		case w.last = <-w.heard:
			if f := w.last.Flags.String(); f == flags {
				return nil
			} else {
				others = append(others, f)
			}
		case <-late:
			return fmt.Errorf("%w: no %s, but %q", os.ErrDeadlineExceeded, flags, others)
		}
	}
}

// inject sends the segment that would come next, for whoever sent the last one that was seen,
// with these flags and off octets away from there.
func (w *watcher) inject(flags string, off int) error {
	if err := w.settle(); err != nil {
		return err
	}
	g := segment.Segment{
		SrcPort: w.last.DstPort, DstPort: w.last.SrcPort, Seq: w.last.Ack.Add(off), Ack: w.last.next, Window: 1000,
	}
	for bit := segment.FIN; bit != 0; bit <<= 1 {
		if strings.Contains(flags, bit.String()) {
			g.Flags |= bit
		}
	}
	b := g.Append(nil)
	segment.SetChecksum(b, w.last.to, w.last.from)
	_, err := w.c.WriteTo(b, &net.IPAddr{IP: w.last.from.AsSlice()})
	return err
}
