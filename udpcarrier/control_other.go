//go:build !linux && !darwin && !freebsd

package udpcarrier

import "net/netip"

func appendControl(b []byte, _ controlKey) []byte { return b }

func parseControl([]byte) (netip.Addr, uint8) { return netip.Addr{}, 0 }
