package transport

import (
	"crypto/rand"
	"sync"
	"time"

	"example.com/culvert/tcpcore"
)

// A clock tells the time since an epoch that all shards share: a connection that
// follows another with the same addresses and ports, on another socket, must find
// that initial sequence numbers and timestamps went on (RFC 6528, RFC 6191).
type clock struct{ epoch time.Time }

var processEpoch = time.Now()

// bubbleEpoch is when time begins in a bubble of testing/synctest: before the
// process did, so the process's epoch does not serve there.
var bubbleEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func newClock() clock {
	if time.Now().Before(processEpoch) {
		return clock{bubbleEpoch}
	}
	return clock{processEpoch}
}

func (c clock) now() tcpcore.Time { return tcpcore.Time(time.Since(c.epoch)) }

// secret is the key of tcpcore.ISN, as old as the process.
var secret = sync.OnceValue(func() *[32]byte {
	var b [32]byte
	rand.Read(b[:]) // never fails; it ends the program instead
	return &b
})
