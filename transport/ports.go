package transport

import "math/rand/v2"

// The dynamic ports (RFC 6335 section 6).
const (
	firstEphemeral = 49152
	lastEphemeral  = 65535
)

// allPorts is how many there are.
const allPorts = lastEphemeral - firstEphemeral + 1

// ephemeral chooses a random port that is free (RFC 6056 section 3.3.1); 0 if none of so many
// that it tries is. math/rand/v2's generator is seeded by the system and cannot be predicted.
func ephemeral(tries int, free func(uint16) bool) uint16 {
	start := rand.IntN(allPorts)
	for i := range tries {
		if p := uint16(firstEphemeral + (start+i)%allPorts); free(p) {
			return p
		}
	}
	return 0
}
