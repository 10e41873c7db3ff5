package tcpcore

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// ISN is F() of RFC 6528 section 3 for a connection's identity: a pseudorandom
// function keyed with a secret, so that nobody outside of the host can compute it
// (RFC 9293 SHLD-1, MUST-9). The addresses are the carrier's; the ports are those of
// the TCP header. See Params.ISN.
func ISN(secret *[32]byte, local, remote netip.AddrPort, localPort, remotePort uint16) uint32 {
	return prf(secret, 'i', local, remote, localPort, remotePort)
}

// TimestampOffset is likewise a connection's Params.TimestampOffset: it stays the
// same for an identity, so that its timestamps never go back (RFC 7323 section 5.4),
// and tells nothing of other connections.
func TimestampOffset(secret *[32]byte, local, remote netip.AddrPort, localPort, remotePort uint16) uint32 {
	return prf(secret, 't', local, remote, localPort, remotePort)
}

// prf is SHA-256 of the secret and the identity, cut to 32 bits: too little for anybody to go
// on from there. HMAC would only be slower. Every field
// has a fixed size but the zone, which comes last, so no two identities give the same input.
func prf(secret *[32]byte, use byte, local, remote netip.AddrPort, localPort, remotePort uint16) uint32 {
	var room [128]byte
	b := append(room[:0], secret[:]...)
	b = append(b, use)
	for _, a := range [...]netip.AddrPort{local, remote} {
		ip := a.Addr().As16()
		b = append(b, ip[:]...)
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	b = binary.BigEndian.AppendUint16(b, localPort)
	b = binary.BigEndian.AppendUint16(b, remotePort)
	b = append(b, remote.Addr().Zone()...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint32(sum[:])
}
