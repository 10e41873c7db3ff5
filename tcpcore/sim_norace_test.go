//go:build !race

package tcpcore

// simSeeds is how many seeds a plain go test runs.
const simSeeds = 10_000

// wrapBytes is how much TestSequenceWraps moves: more than the sequence space.
const wrapBytes = 17 << 28
