//go:build !race

package transport_test

const (
	raceEnabled  = false
	copySize     = 1 << 30
	manyConns    = 1000
	manyBytes    = 1 << 20
	yamuxStreams = 200
)
