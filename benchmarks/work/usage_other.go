//go:build !unix

package work

import "time"

// Other systems do not tell.
func processTime() time.Duration  { return 0 }
func childrenTime() time.Duration { return 0 }
