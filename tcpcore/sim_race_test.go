//go:build race

package tcpcore

// simSeeds is how many seeds a plain go test runs; the race detector makes each ten times slower.
const simSeeds = 300

// wrapBytes is how much TestSequenceWraps moves, little here, since all is slower.
const wrapBytes = 512 << 20
