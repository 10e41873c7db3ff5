package examples

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"example.com/culvert/conn"
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/transport"
)

type Scalable struct{ congestion.Base }

func (*Scalable) Name() string { return "scalable" }

func (s *Scalable) OnAck(a *congestion.Ack) {
	switch {
	case a.InRecovery || !a.CwndLimited:
	case s.Cwnd < s.Ssthresh:
		s.Cwnd += a.Acked
	default:
		s.Cwnd += a.Acked / 100
	}
}

func (s *Scalable) OnLoss(l congestion.Loss) {
	s.Ssthresh = max(s.Cwnd*7/8, 2*s.MSS)
	s.Cwnd = s.Ssthresh
	if l.Cause == congestion.Timeout {
		s.Cwnd = s.MSS
	}
}

func chosen() any {
	cfg := &transport.Config{CongestionControl: "bbr"}
	lossy := &transport.Config{
		Controller: congestion.NewBBRWith(congestion.BBROptions{LossThreshold: 0.1}),
	}
	return []any{cfg, lossy}
}

var _ = chosen

// TestOwnController: a connection is governed by the controller of docs/congestion.md.
func TestOwnController(t *testing.T) {
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- -1
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	d := transport.Dialer{Config: &transport.Config{
		Controller: func() congestion.Controller { return new(Scalable) },
	}}
	c, err := d.DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	in := c.(*conn.Conn).Info()
	c.Close()
	if n := <-got; n != size {
		t.Errorf("%d bytes arrived, want %d", n, size)
	}
	if in.CongestionControl != "scalable" || in.CongestionWindow < in.SendMSS {
		t.Errorf("%q with a window of %d", in.CongestionControl, in.CongestionWindow)
	}
}

// TestCongestionCode: each Go block of docs/congestion.md stands in this file, which compiles.
func TestCongestionCode(t *testing.T) {
	source := unindented(t, "congestion_test.go")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(unindented(t, "../docs/congestion.md"), -1)
	if len(blocks) == 0 {
		t.Error("docs/congestion.md shows no Go code")
	}
	for _, b := range blocks {
		if !strings.Contains(source, b[1]) {
			t.Errorf("this block of docs/congestion.md is not compiled here:\n%s", b[1])
		}
	}
}
