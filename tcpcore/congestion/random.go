package congestion

// random is a pseudo-random sequence that its seed determines (SplitMix64: a counter
// and a mixing function). It mixes the times of flows apart and guards no secret.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	x := r.state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is evenly distributed from 0 to n-1; n is far below 2^64, so that the remainder's
// bias does not matter here.
func (r *random) below(n int64) int64 {
	if n <= 1 {
		return 0
	}
	return int64(r.next() % uint64(n))
}
