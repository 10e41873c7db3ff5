package transport

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// A segment of a known connection that comes from another port of the same host is
// ignored; a SYN from there is somebody else behind the same NAT.
func TestMovedPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, _, b, ea, eb := twoEnds(t, quick(), quick())
		c := mustDial(t, ea, "192.0.2.2:2222")
		roundTrip(t, c, []byte("before"))
		var last *sent
		for _, s := range n.take() {
			if s.to.Port() == 2222 {
				last = &s
			}
		}
		b.forge("192.0.2.1:1112", &last.seg)
		synctest.Wait()
		if s := n.take(); len(s) > 0 {
			t.Errorf("answered with %v", &s[0].seg)
		}
		if got := eb.s.counts.moved.Load(); got != 1 {
			t.Errorf("%d moved segments are counted", got)
		}
		b.forge("192.0.2.1:1112", &segment.Segment{SrcPort: last.seg.SrcPort, DstPort: 2222, Flags: segment.SYN})
		synctest.Wait()
		if s := n.take(); len(s) != 1 || s[0].seg.Flags != segment.SYN|segment.ACK {
			t.Errorf("a SYN of another is answered with %d segments", len(s))
		}
		roundTrip(t, c, []byte("after"))
		c.Close()
		<-time.After(10 * time.Minute) // the half-open one gives up
		eb.s.mu.Lock()
		defer eb.s.mu.Unlock()
		if len(eb.s.hosts) > 0 {
			t.Errorf("hosts %v are remembered, connections are %v", eb.s.hosts, eb.s.flows)
		}
	})
}

// A report that quotes nothing outstanding is a forgery.
//
// Shows: RFC5927-1.
func TestForgedReport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := n.open("192.0.2.1:1111")
		ea := mustEndpoint(t, a, quick())
		result := make(chan error, 1)
		go func() {
			_, err := ea.Dial("tcp", "192.0.2.2:2222") // nobody is there
			result <- err
		}()
		synctest.Wait()
		quote := n.take()[0].Data[:20]
		forged := append([]byte(nil), quote...)
		forged[7]++
		a.report("192.0.2.2:2222", forged, syscall.ECONNREFUSED)
		synctest.Wait()
		if len(result) > 0 {
			t.Fatalf("the forgery ends the dial: %v", <-result)
		}
		a.report("192.0.2.2:2222", quote, syscall.ECONNREFUSED)
		if err := <-result; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
	})
}

// A connection that takes the place of one in TIME-WAIT begins behind its numbers,
// even if that one was faster than the clock of the ISS.
//
// Shows: MAY-2.
func TestReopenBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		b := n.open("192.0.2.2:2222")
		ea, eb := mustEndpoint(t, n.open("192.0.2.1:1111"), quick()), mustEndpoint(t, b, &Config{MSL: time.Minute})
		l, err := eb.Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			c.Write(make([]byte, 4<<20))
			c.Close() // first, and is the one in TIME-WAIT
		}()
		c := mustDial(t, ea, "192.0.2.2:2222")
		if n, err := io.Copy(io.Discard, c); n != 4<<20 || err != nil {
			t.Fatal(n, err)
		}
		c.Close()
		<-time.After(time.Second)
		var fin, syn *segment.Segment
		for _, s := range n.take() {
			if s.from.Port() == 2222 && s.seg.Flags.Has(segment.FIN) {
				fin = &s.seg
			}
		}
		b.forge("192.0.2.1:1111", &segment.Segment{SrcPort: fin.DstPort, DstPort: 2222, Flags: segment.SYN,
			Seq: fin.Ack.Add(1 << 20), Options: segment.Options{HasTimestamps: true, TSVal: fin.Options.TSEcr + 5000}})
		synctest.Wait()
		for _, s := range n.take() {
			if s.from.Port() == 2222 && s.seg.Flags.Has(segment.SYN) {
				syn = &s.seg
			}
		}
		if syn == nil || !syn.Seq.Greater(fin.Seq) {
			t.Errorf("the last number was %d, the new connection begins with %v", fin.Seq, syn)
		}
	})
}
