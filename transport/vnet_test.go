package transport_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v3/vnet"
	"golang.org/x/net/nettest"

	"example.com/culvert/transport"
)

// twoHosts is a virtual network of two hosts, 10.0.0.1 and 10.0.0.2, that loses some
// percent of all datagrams. Their order is kept, and nothing else is simulated.
func twoHosts(t testing.TB, lossPercent float64) (a, b *vnet.Net) {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.0.0.0/24", LoggerFactory: logging.NewDefaultLoggerFactory(), QueueSize: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, uint64(lossPercent*100)))
	router.AddChunkFilter(func(vnet.Chunk) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()*100 >= lossPercent
	})
	var hosts []*vnet.Net
	for i := range 2 {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("10.0.0.%d", i+1)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := router.AddNet(n); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, n)
	}
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { router.Stop() })
	return hosts[0], hosts[1]
}

// lossy is a Config that gets over losses soon: the round trip is below a millisecond.
func lossy() *transport.Config {
	return &transport.Config{
		MSL: 20 * time.Millisecond, InitialRTO: 20 * time.Millisecond, MinRTO: 5 * time.Millisecond,
		DelayedACK: time.Millisecond, OrphanTimeout: time.Second, Retries2: 10, MaxRTO: time.Second,
	}
}

// What package net's users expect of a net.Conn, over a network that loses datagrams.
func TestConnOverVNet(t *testing.T) {
	for _, loss := range []float64{0, 1, 5} {
		t.Run(fmt.Sprintf("loss %v %%", loss), func(t *testing.T) {
			a, b := twoHosts(t, loss)
			d := &transport.Dialer{Net: a, Config: lossy()}
			lc := &transport.ListenConfig{Net: b, Config: lossy()}
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				return pipe(d, lc, "10.0.0.2:0")()
			})
		})
	}
}

// Two hosts that dial each other's ports meet in the middle: a simultaneous open.
//
// Shows: MUST-10.
func TestSimultaneousOpen(t *testing.T) {
	a, b := twoHosts(t, 0)
	type result struct {
		c   net.Conn
		err error
	}
	results := make(chan result, 2)
	for i, n := range []*vnet.Net{a, b} {
		go func() {
			from, to := fmt.Sprintf("10.0.0.%d", i+1), fmt.Sprintf("10.0.0.%d:%d", 2-i, 5002-i)
			d := &transport.Dialer{Net: n, Config: lossy(), LocalAddr: &net.TCPAddr{IP: net.ParseIP(from), Port: 5001 + i}}
			c, err := d.Dial("tcp", to)
			results <- result{c, err}
		}()
	}
	r1, r2 := <-results, <-results
	if r1.err != nil || r2.err != nil {
		t.Fatal(r1.err, r2.err)
	}
	defer r1.c.Close()
	defer r2.c.Close()
	if r1.c.LocalAddr().String() != r2.c.RemoteAddr().String() || r1.c.RemoteAddr().String() != r2.c.LocalAddr().String() {
		t.Errorf("%v-%v and %v-%v are not one connection", r1.c.LocalAddr(), r1.c.RemoteAddr(), r2.c.LocalAddr(), r2.c.RemoteAddr())
	}
	go echo(r2.c)
	exchange(t, r1.c, "from both ends")
}
