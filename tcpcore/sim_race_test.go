//go:build race

package tcpcore

// simSeeds is how many seeds a plain go test runs; the race detector makes each ten times slower.
const simSeeds = 300
