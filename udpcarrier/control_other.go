//go:build !linux && !darwin && !freebsd

package udpcarrier

func appendControl(b []byte, _ controlKey) []byte { return b }

func parseControl([]byte) received { return received{} }
