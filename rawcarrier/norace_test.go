//go:build !race

package rawcarrier

const raceEnabled = false
