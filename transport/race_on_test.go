//go:build race

package transport_test

// Sizes that the race detector can bear.
const (
	raceEnabled  = true
	copySize     = 32 << 20
	manyConns    = 200
	manyBytes    = 128 << 10
	yamuxStreams = 50
)
