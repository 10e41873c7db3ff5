package packetdrill

import (
	"net/netip"
	"slices"
	"syscall"

	"example.com/culvert/carrier"
)

// injectEvent sends a packet of the script to the stack.
func (r *runner) injectEvent(k *Packet) error {
	switch {
	case len(k.Encap) > 0:
		return unsupported("packets within %s", k.Encap[0])
	case k.Proto == ProtoUDP:
		return unsupported("UDP packets")
	case k.Proto == ProtoOther:
		return unsupported("%s packets", k.Other)
	case k.Proto == ProtoICMP:
		return r.injectICMP(k)
	}
	f, err := r.inboundFlow(k)
	if err != nil {
		return err
	}
	r.noteStates()
	p := f.toLive(k)
	if k.HasAck && k.Flags&FlagACK == 0 {
		p.Ack = k.Ack // a number in a field that does not count
	}
	first := k.Seq // of the data
	if k.Flags&FlagSYN != 0 {
		f.nextPeerISN = k.Seq
		if !f.hasPeer {
			f.peerISN, f.hasPeer = k.Seq, true
		}
		first++
	}
	data := k.Payload
	if data == nil {
		data = patternBytes(first, k.Len)
	} else {
		f.literals = true
	}
	b, err := encode(&p, f.remote, f.local, data)
	if err != nil {
		return err
	}
	r.trace("< %v", k)
	port := f.remote
	if r.w.udp {
		port = f.udpPort
		if k.HasUDP {
			port = k.UDPSrc
			if f.udpPort == 0 {
				f.udpPort = port
			}
		}
	}
	f.tap.inject(b, port, r.tos(k))
	r.settle()
	return nil
}

// tos is the octet that the brackets of a line ask for.
func (r *runner) tos(k *Packet) uint8 {
	tos := uint8(max(k.TOS, 0))
	switch k.ECN {
	case ECNECT0, ECNECT01:
		tos |= carrier.ECT0
	case ECNECT1:
		tos |= carrier.ECT1
	case ECNCE:
		tos |= carrier.CE
	}
	return tos
}

// inboundFlow is the connection that an inbound line is about: the one that its ports
// name, else the one under test. The first segment for a listener makes a new one, to
// which all further lines belong.
func (r *runner) inboundFlow(k *Packet) (*flow, error) {
	if k.HasPorts {
		return r.portsFlow(ports{local: k.Dst, remote: k.Src}), nil
	}
	if r.sut == nil {
		f := r.newPassiveFlow()
		r.sut = f
	}
	f := r.sut
	if f.local == 0 {
		// connect() has not sent its SYN: nobody can answer it.
		return nil, &packetError{reason: "the stack has sent nothing from the connection that this packet is for"}
	}
	return f, nil
}

// portsFlow is the connection with the script's ports.
func (r *runner) portsFlow(p ports) *flow {
	for _, f := range r.flows {
		if f.hasScript && f.script == p {
			r.sut = f
			return f
		}
	}
	// The only connection may have had no name until now.
	if f := r.sut; f != nil && !f.hasScript && len(r.flows) == 1 && f.tap != r.stray {
		f.script, f.hasScript = p, true
		return f
	}
	f := r.newPassiveFlow()
	f.script, f.hasScript = p, true
	r.sut = f
	return f
}

// newPassiveFlow is a connection that the peer begins.
func (r *runner) newPassiveFlow() *flow {
	f := &flow{}
	if l := r.listener; l != nil && l.tap != nil {
		f.tap, f.local = l.tap, l.port
	} else {
		f.tap, f.local = r.strayTap(), defaultPort
	}
	f.remote = r.freePort()
	f.udpPort = r.conf.peerUDPPort()
	r.flows = append(r.flows, f)
	return f
}

func (r *runner) freePort() uint16 {
	r.nextPort++
	return r.nextPort - 1
}

// strayTap answers for a host that has no socket at all.
func (r *runner) strayTap() *tap {
	if r.stray == nil {
		r.stray = r.w.newTap(defaultPort)
		if _, err := r.newEndpoint(r.stray, nil); err != nil {
			// The zero Config is always good.
			panic("BUG: " + err.Error())
		}
	}
	return r.stray
}

// icmpErrors are the messages of ICMP as sockets report them (RFC 1122 section
// 3.2.2.1, and what Linux makes of each code).
var icmpErrors = map[string]syscall.Errno{
	"net_unreachable": syscall.ENETUNREACH, "host_unreachable": syscall.EHOSTUNREACH,
	"protocol_unreachable": syscall.ENOPROTOOPT, "port_unreachable": syscall.ECONNREFUSED,
	"frag_needed": syscall.EMSGSIZE, "source_route_failed": syscall.EOPNOTSUPP,
	"net_unknown": syscall.ENETUNREACH, "host_unknown": syscall.EHOSTUNREACH,
	"source_host_isolated": syscall.EHOSTUNREACH, "net_prohibited": syscall.ENETUNREACH,
	"host_prohibited": syscall.EHOSTUNREACH, "net_tos": syscall.ENETUNREACH,
	"host_tos": syscall.EHOSTUNREACH, "packet_filtered": syscall.EHOSTUNREACH,
	"no_route": syscall.ENETUNREACH, "admin_prohibited": syscall.EACCES,
	"not_neighbour": syscall.EHOSTUNREACH, "addr_unreachable": syscall.EHOSTUNREACH,
	"address_unreachable":      syscall.EHOSTUNREACH,
	"communication_prohibited": syscall.EHOSTUNREACH, "time_exceeded": syscall.EHOSTUNREACH,
	"ttl_exceeded": syscall.EHOSTUNREACH, "parameter_problem": syscall.EPROTO,
	"packet_too_big": syscall.EMSGSIZE, "code 0": syscall.ENETUNREACH, "code 1": syscall.EHOSTUNREACH,
	"code 2": syscall.ENOPROTOOPT, "code 3": syscall.ECONNREFUSED, "code 4": syscall.EMSGSIZE,
}

// injectICMP reports to the stack what became of one of its segments.
func (r *runner) injectICMP(k *Packet) error {
	m := k.ICMP
	f := r.sut
	if k.HasPorts {
		f = r.portsFlow(ports{local: k.Dst, remote: k.Src})
	}
	if f == nil || f.local == 0 {
		return &packetError{reason: "there is no segment of the stack that this message could be about"}
	}
	var errno syscall.Errno
	for _, w := range m.Words {
		if e, ok := icmpErrors[w]; ok {
			errno = e
		}
	}
	switch {
	case slices.Contains(m.Words, "source_quench"):
		// No carrier reports one: RFC 6633 has it "silently discarded" (MUST-55).
		r.note("source quench discarded by the carrier")
		return nil
	case errno == 0:
		return unsupported("ICMP message %s", m.String())
	}
	passes := 0
	if errno == syscall.EMSGSIZE && m.MTU > 0 {
		passes = max(m.MTU-r.w.overhead(), 1)
		// The carrier knows the path's MTU (RFC 1191); it never goes below what IP
		// guarantees.
		least := 552
		if r.w.local.Is6() {
			least = 1280
		}
		if mtu := max(m.MTU, least); mtu < r.w.mtu {
			r.w.setMTU(mtu)
		}
	}
	seq := f.isn
	if m.HasSeq {
		seq = m.Seq + f.seqOff
	}
	q := Packet{Seq: seq, Win: 0, Urg: 0}
	b, err := encode(&q, f.local, f.remote, nil)
	if err != nil {
		return err
	}
	r.trace("< %v", k)
	port := f.remote
	if r.w.udp {
		port = f.udpPort
	}
	f.tap.deliver(carrier.Datagram{Peer: netip.AddrPortFrom(r.w.remote, port), Local: r.w.local,
		Data: b[:8], SegmentSize: passes, Err: errno})
	r.settle()
	return nil
}
