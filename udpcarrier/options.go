package udpcarrier

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"syscall"
)

// Options tune a carrier. The zero value works: every field that is zero means its
// default, which ends its comment.
type Options struct {
	// ReceiveBuffer and SendBuffer are what to ask of the system for the socket's
	// queues, in bytes; whatever it grants is accepted (see Carrier.Buffers). A net
	// that is no real socket ignores them. Default 4 MiB.
	ReceiveBuffer, SendBuffer int
	// MTU bounds the IP datagrams that carry segments, in bytes, IP header
	// included: 576 to 65535 (IPv6 wants 1280). Default the MTU of the route or
	// interface, and 1500 where the system does not tell.
	MTU int
	// Control, if set, is called with the socket before it is bound, as in
	// net.ListenConfig and net.Dialer. It is not used over a transport.Net.
	// Default nil.
	Control func(network, address string, c syscall.RawConn) error
	// NoGSO makes the segments of a train go one by one, even if the system would take
	// it in one piece; NoGRO keeps the system from making one piece of several that
	// arrived. They are for systems that do it badly, as are the environment variables
	// CULVERT_NO_GSO and CULVERT_NO_GRO, which do the same for every carrier that is
	// opened while they are set. Default false.
	NoGSO, NoGRO bool
	// Logger is told once of each path on which trains were switched off. Default
	// slog.Default.
	Logger *slog.Logger

	// portable keeps to the code that works on every system, one datagram a call, as does
	// the environment variable CULVERT_NO_BATCH.
	portable bool
}

// Bounds of Options.
const (
	minMTU        = 576 // RFC 791: what every host must take
	maxMTU        = 65535
	maxBuffer     = 1 << 30
	defaultMTU    = 1500
	defaultBuffer = 4 << 20
)

// check returns an error that names the first field with a bad value, or nil.
func (o *Options) check() error {
	num := func(name string, v, lo, hi int) error {
		if v != 0 && (v < lo || v > hi) {
			return fmt.Errorf("udpcarrier: Options.%s: %d is outside of %d..%d", name, v, lo, hi)
		}
		return nil
	}
	for _, err := range []error{
		num("ReceiveBuffer", o.ReceiveBuffer, 1, maxBuffer),
		num("SendBuffer", o.SendBuffer, 1, maxBuffer),
		num("MTU", o.MTU, minMTU, maxMTU),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// fill replaces zero fields by their defaults; MTU stays 0, "ask the system".
func (o *Options) fill() {
	o.NoGSO = o.NoGSO || switched("CULVERT_NO_GSO")
	o.NoGRO = o.NoGRO || switched("CULVERT_NO_GRO")
	o.portable = o.portable || switched("CULVERT_NO_BATCH")
	if o.ReceiveBuffer == 0 {
		o.ReceiveBuffer = defaultBuffer
	}
	if o.SendBuffer == 0 {
		o.SendBuffer = defaultBuffer
	}
}

// switched reports whether an environment variable is set, to something that does
// not say no.
func switched(name string) bool {
	v := os.Getenv(name)
	on, err := strconv.ParseBool(v)
	return v != "" && (on || err != nil)
}
