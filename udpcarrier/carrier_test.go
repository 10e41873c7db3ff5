package udpcarrier

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"example.com/culvert/carrier"
	"example.com/culvert/carrier/carriertest"
	"github.com/pion/logging"
	"github.com/pion/transport/v3"
	"github.com/pion/transport/v3/stdnet"
	"github.com/pion/transport/v3/vnet"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

// The tests switch batches, GSO and GRO on and off themselves, whatever the environment says.
func TestMain(m *testing.M) {
	os.Unsetenv("CULVERT_NO_GSO")
	os.Unsetenv("CULVERT_NO_GRO")
	os.Unsetenv("CULVERT_NO_BATCH")
	m.Run()
}

// must returns what a constructor made, or ends the test.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func at(ip netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(ip, port) }

// unconnected is a pair of listening carriers.
func unconnected(ip netip.Addr, o Options) carriertest.Open {
	return func(t *testing.T) carriertest.Pair {
		a := must[*Carrier](t)(Listen("udp", at(ip, 0), o))
		b := must[*Carrier](t)(Listen("udp", at(ip, 0), o))
		return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr()}
	}
}

// connected is a dialled carrier and the listening one that it dialled.
func connected(ip netip.Addr, o Options) carriertest.Open {
	return func(t *testing.T) carriertest.Pair {
		b := must[*Carrier](t)(Listen("udp", at(ip, 0), o))
		a := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, b.LocalAddr(), o))
		return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr()}
	}
}

// wildcard is a dialled carrier and a listening one on all addresses.
func wildcard(network string, ip netip.Addr, o Options) carriertest.Open {
	return func(t *testing.T) carriertest.Pair {
		b := must[*Carrier](t)(Listen(network, netip.AddrPort{}, o))
		to := at(ip, b.LocalAddr().Port())
		a := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, to, o))
		return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: to}
	}
}

// plain hides what a *net.UDPConn can do beyond net.PacketConn.
type plain struct{ net.PacketConn }

// packets is a pair of carriers over sockets that are not known to be sockets.
func packets(network string) carriertest.Open {
	return func(t *testing.T) carriertest.Pair {
		open := func() *Carrier {
			pc := must[net.PacketConn](t)(net.ListenPacket(network, map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network]))
			return must[*Carrier](t)(FromPacketConn(plain{pc}, Options{}))
		}
		a, b := open(), open()
		return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr()}
	}
}

// virtual is a dialled and a listening carrier on a network of pion's.
func virtual(t *testing.T) carriertest.Pair {
	n := vnets(t)
	to := at(netip.MustParseAddr("10.0.0.2"), 4000)
	b := must[*Carrier](t)(ListenNet(n[1], "udp", at(netip.Addr{}, 4000), Options{}))
	a := must[*Carrier](t)(DialNet(n[0], "udp", netip.AddrPort{}, to, Options{}))
	return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: to}
}

// virtualUnconnected is a pair of listening carriers there.
func virtualUnconnected(t *testing.T) carriertest.Pair {
	n := vnets(t)
	a := must[*Carrier](t)(ListenNet(n[0], "udp4", at(netip.MustParseAddr("10.0.0.1"), 0), Options{}))
	b := must[*Carrier](t)(ListenNet(n[1], "udp4", at(netip.MustParseAddr("10.0.0.2"), 0), Options{}))
	return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr()}
}

// vnets are two hosts on one virtual network, 10.0.0.1 and 10.0.0.2.
func vnets(t *testing.T) (n [2]transport.Net) {
	router := must[*vnet.Router](t)(vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/24", LoggerFactory: logging.NewDefaultLoggerFactory(),
	}))
	for i, ip := range []string{"10.0.0.1", "10.0.0.2"} {
		v := must[*vnet.Net](t)(vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}}))
		if err := router.AddNet(v); err != nil {
			t.Fatal(err)
		}
		n[i] = v
	}
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { router.Stop() })
	return n
}

// system is a pair over the system's network as pion wraps it.
func system(t *testing.T) carriertest.Pair {
	n := must[*stdnet.Net](t)(stdnet.NewNet())
	b := must[*Carrier](t)(ListenNet(n, "udp", at(loopback4, 0), Options{}))
	a := must[*Carrier](t)(DialNet(n, "udp", netip.AddrPort{}, b.LocalAddr(), Options{}))
	return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr()}
}

func TestCarrier(t *testing.T) {
	portable := Options{portable: true}
	for name, open := range map[string]carriertest.Open{
		"unconnected4":     unconnected(loopback4, Options{}),
		"unconnected6":     unconnected(loopback6, Options{}),
		"connected4":       connected(loopback4, Options{}),
		"connected6":       connected(loopback6, Options{}),
		"dual-stack4":      wildcard("udp", loopback4, Options{}),
		"dual-stack6":      wildcard("udp", loopback6, Options{}),
		"wildcard4":        wildcard("udp4", loopback4, Options{}),
		"wildcard6":        wildcard("udp6", loopback6, Options{}),
		"portable4":        unconnected(loopback4, portable),
		"portable6":        connected(loopback6, portable),
		"portable-dual4":   wildcard("udp", loopback4, portable),
		"portable-dual6":   wildcard("udp", loopback6, portable),
		"packets4":         packets("udp4"),
		"packets6":         packets("udp6"),
		"stdnet":           system,
		"vnet":             virtual,
		"vnet-unconnected": virtualUnconnected,
	} {
		t.Run(name, func(t *testing.T) { carriertest.Test(t, open) })
	}
}

func TestCarrierVirtualTime(t *testing.T) {
	t.Run("connected", func(t *testing.T) { carriertest.TestVirtual(t, virtual) })
	t.Run("unconnected", func(t *testing.T) { carriertest.TestVirtual(t, virtualUnconnected) })
}

var _ carrier.Carrier = (*Carrier)(nil)
