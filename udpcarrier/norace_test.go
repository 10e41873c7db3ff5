//go:build !race

package udpcarrier

const poolsForget = false
