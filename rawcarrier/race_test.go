//go:build race

package rawcarrier

// raceEnabled: under the race detector sync.Pool drops things at random.
const raceEnabled = true
