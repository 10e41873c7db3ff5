package carriertest

import (
	"net/netip"
	"testing"
	"time"

	"example.com/culvert/carrier"
)

// A Pair is two carriers that can reach each other. B may have several addresses: it
// is asked on ToB, and what it sends has ToB as its Local. ToA and ToB are the addresses
// at which they do: where B sends to reach A, and where A sends to reach B.
type Pair struct {
	A, B     carrier.Carrier
	ToA, ToB netip.AddrPort
	// Prepare, if set, makes a segment of octets that are none, for carriers that look
	// at ports or checksums. No segment is then shorter than a TCP header.
	Prepare func(b []byte, from, to netip.AddrPort)
}

// there makes n octets to send from A to B, and back from B to A; segments of size each,
// if that is not 0.
func (p Pair) there(seed, n, size int) []byte {
	return p.prepared(pattern(seed, n), size, p.ToA, p.ToB)
}
func (p Pair) back(seed, n, size int) []byte { return p.prepared(pattern(seed, n), size, p.ToB, p.ToA) }

func (p Pair) prepared(b []byte, size int, from, to netip.AddrPort) []byte {
	if p.Prepare == nil {
		return b
	}
	d := carrier.Datagram{Data: b, SegmentSize: size}
	for seg := range d.Segments {
		if len(seg) < leastSegment {
			return b[:len(b)-len(seg)] // a train's end that is none
		}
		p.Prepare(seg, from, to)
	}
	return b
}

// leastSegment is a TCP header's length.
const leastSegment = 20

// Open makes a pair for one test. The test closes it.
type Open func(t *testing.T) Pair

// patience is how long a datagram may take; it is virtual time in a bubble.
const patience = 10 * time.Second

// reply is one segment as it arrived, in memory of its own.
type reply struct {
	carrier.Datagram
	segment []byte
}

// inbox reads a carrier until it is closed, and releases each batch at once.
type inbox struct {
	t    *testing.T
	got  chan reply
	stop chan struct{}
	err  chan error // what ended ReadBatch
}

// read starts an inbox for c, and closes c when the test ends.
func read(t *testing.T, c carrier.Carrier) *inbox {
	in := &inbox{t: t, got: make(chan reply, 1024), stop: make(chan struct{}), err: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.err <- in.run(c)
	}()
	t.Cleanup(func() {
		close(in.stop)
		c.Close()
		<-done
	})
	return in
}

func (in *inbox) run(c carrier.Carrier) error {
	for {
		b, err := c.ReadBatch()
		if err != nil {
			return err
		}
		if len(b.Datagrams) == 0 {
			in.t.Error("ReadBatch returned an empty batch without an error")
		}
		for i := range b.Datagrams {
			d := b.Datagrams[i]
			for seg := range d.Segments {
				r := reply{Datagram: d, segment: append([]byte(nil), seg...)}
				r.Data = nil
				select {
				case in.got <- r:
				case <-in.stop:
					b.Release()
					return nil
				}
			}
		}
		b.Release()
	}
}

// next waits for one segment.
func (in *inbox) next() reply {
	in.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-in.got:
		if r.Err != nil {
			in.t.Fatalf("a network error report about %v: %v", r.Peer, r.Err)
		}
		return r
	case err := <-in.err:
		in.t.Fatalf("ReadBatch: %v", err)
	case <-timer.C:
		in.t.Fatalf("no datagram within %v", patience)
	}
	panic("unreachable")
}

// send hands all of ds over, or fails the test.
func send(t *testing.T, c carrier.Carrier, ds ...carrier.Datagram) {
	t.Helper()
	n, err := c.WriteBatch(ds)
	if err != nil {
		t.Fatalf("WriteBatch: %d of %d, %v", n, len(ds), err)
	}
	if n != len(ds) {
		t.Fatalf("WriteBatch handed over %d of %d without an error", n, len(ds))
	}
}

// pattern fills n bytes so that no two seeds and no two places look alike.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
