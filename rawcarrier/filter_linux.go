package rawcarrier

import (
	"net/netip"
	"os"

	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Socket filters, in the instructions of classic BPF (the kernel's
// Documentation/networking/filter.rst). On a raw socket the octets begin with the IP
// header.

// dropAll lets nothing through.
var dropAll = []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}

const (
	ldAbsB  = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
	ldAbsW  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ldIndB  = unix.BPF_LD | unix.BPF_B | unix.BPF_IND
	ldIndH  = unix.BPF_LD | unix.BPF_H | unix.BPF_IND
	ldxSize = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH // X = the length of the IP header
	jeq     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ret     = unix.BPF_RET | unix.BPF_K
	all     = 0xffffffff
)

// program joins tests, each of which goes on if A is k after the loads before it, and
// lets everything through that passes all of them.
type program struct{ code []unix.SockFilter }

func (p *program) do(code uint16, k uint32) {
	p.code = append(p.code, unix.SockFilter{Code: code, K: k})
}

// want drops what does not have k in A.
func (p *program) want(k uint32) {
	p.code = append(p.code, unix.SockFilter{Code: jeq, Jt: 1, K: k})
	p.do(ret, 0)
}

// segmentFilter passes the segments for a local port, and from peer if that is valid.
func segmentFilter(port uint16, peer netip.AddrPort) []unix.SockFilter {
	var p program
	p.do(ldxSize, 0)
	p.do(ldIndH, 2)
	p.want(uint32(port))
	if peer.IsValid() {
		p.do(ldIndH, 0)
		p.want(uint32(peer.Port()))
		a := peer.Addr().As4()
		p.do(ldAbsW, 12)
		p.want(binary.BigEndian.Uint32(a[:]))
	}
	p.do(ret, all)
	return p.code
}

// icmpFilter passes the ICMP errors that quote a segment from a local port, and to peer
// if that is valid.
func icmpFilter(port uint16, peer netip.AddrPort) []unix.SockFilter {
	const quoted = icmpHeader // behind the outer header, whose length is in X
	var p program
	p.do(ldxSize, 0)
	p.do(ldIndB, quoted+9)
	p.want(protocolTCP)
	if peer.IsValid() {
		p.do(unix.BPF_LD|unix.BPF_W|unix.BPF_IND, quoted+16)
		a := peer.Addr().As4()
		p.want(binary.BigEndian.Uint32(a[:]))
	}
	// X grows by the length of the quoted header.
	p.do(ldIndB, quoted)
	p.do(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 15)
	p.do(unix.BPF_ALU|unix.BPF_LSH|unix.BPF_K, 2)
	p.do(unix.BPF_ALU|unix.BPF_ADD|unix.BPF_X, 0)
	p.do(unix.BPF_MISC|unix.BPF_TAX, 0)
	p.do(ldIndH, quoted)
	p.want(uint32(port))
	if peer.IsValid() {
		p.do(ldIndH, quoted+2)
		p.want(uint32(peer.Port()))
	}
	p.do(ret, all)
	return p.code
}

// attach gives a socket its filter, in place of the one that it has.
func attach(fd int, code []unix.SockFilter) error {
	f := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f))
}
