package transport

import (
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore/segment"
)

// FuzzReceive gives a shard datagrams and reports from anybody: it must not panic, nor
// keep or send more than its bounds allow. Each datagram of the input begins with
// its length, and with a byte that chooses where it seems to come from.
func FuzzReceive(f *testing.F) {
	join := func(parts ...[]byte) (all []byte) {
		for i, p := range parts {
			all = append(append(all, byte(len(p)), byte(i)), p...)
		}
		return all
	}
	syn := (&segment.Segment{SrcPort: 9, DstPort: 80, Seq: 100, Flags: segment.SYN, Options: segment.Options{MSS: 100, SACKPermitted: true}}).Append(nil)
	ack := (&segment.Segment{SrcPort: 9, DstPort: 80, Seq: 101, Ack: 1, Flags: segment.ACK, Payload: []byte("data")}).Append(nil)
	rst := (&segment.Segment{SrcPort: 9, DstPort: 80, Seq: 101, Flags: segment.RST}).Append(nil)
	f.Add(join(syn, ack, rst))
	f.Add(join(syn, syn, syn, syn, syn, syn, syn, syn, syn, syn))
	f.Add(join(ack, rst, []byte{1, 2, 3}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			n := newMemNet()
			w := n.open("192.0.2.1:80", "192.0.2.7:80")
			s := newShard(w)
			cfg := mustSettings(t, &Config{MSL: time.Millisecond, Backlog: 4, SYNRetries: 1, Retries1: 1, Retries2: 2, ReceiveBuffer: 5000})
			l, err := s.listen(0, cfg)
			if err != nil {
				t.Fatal(err)
			}
			in := 0
			for len(data) >= 2 {
				size, from := min(int(data[0]), len(data)-2), data[1]
				d := carrier.Datagram{
					Peer:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 100 + from&3}), uint16(from>>4)),
					Local: w.addrs[from>>2&1].Addr(), Data: data[2 : 2+size],
				}
				if from&8 != 0 {
					d.SegmentSize = 32
				}
				if from == 255 {
					d.Err = syscall.ECONNREFUSED
				}
				data = data[2+size:]
				in++
				w.push(d)
			}
			synctest.Wait()
			if out := len(n.take()); out > 4*in+16 {
				t.Errorf("%d datagrams in, %d out", in, out)
			}
			s.mu.Lock()
			if len(s.flows) > 4 {
				t.Errorf("%d flows with a backlog of 4", len(s.flows))
			}
			s.mu.Unlock()
			l.Close()
			s.leave()
			<-s.gone
		})
	})
}
