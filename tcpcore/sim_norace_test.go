//go:build !race

package tcpcore

// simSeeds is how many seeds a plain go test runs.
const simSeeds = 10_000
