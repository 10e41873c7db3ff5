package transport

import "math/rand/v2"

// The dynamic ports (RFC 6335 section 6).
const (
	firstEphemeral = 49152
	lastEphemeral  = 65535
)

// ephemeral chooses a random port that is free (RFC 6056 section 3.3.1); 0 if none
// is. math/rand/v2's generator is seeded by the system and cannot be predicted.
func ephemeral(free func(uint16) bool) uint16 {
	const n = lastEphemeral - firstEphemeral + 1
	start := rand.IntN(n)
	for i := range n {
		if p := uint16(firstEphemeral + (start+i)%n); free(p) {
			return p
		}
	}
	return 0
}
