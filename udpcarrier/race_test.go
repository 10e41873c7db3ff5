//go:build race

package udpcarrier

// poolsForget: the race detector makes a sync.Pool drop what it is given, now and then.
const poolsForget = true
