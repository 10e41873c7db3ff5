package tcpcore

// ring is a byte queue whose storage grows as it is used. Bytes may be placed
// beyond its end (out-of-order data) and become part of it later (extend).
type ring struct {
	buf  []byte // len(buf) is zero or a power of two
	head int    // index of the first byte
	n    int    // bytes in the queue
}

// minRing is the storage that a ring begins with: enough for a request, and no more than the rest of a
// connection that has but one.
const minRing = 512

// len returns the number of bytes in the queue.
func (r *ring) len() int { return r.n }

// reserve makes room for size bytes counted from the head. held is how many bytes
// from the head, including those placed beyond the end, must survive.
func (r *ring) reserve(size, held int) {
	if size <= len(r.buf) {
		return
	}
	c := max(len(r.buf), minRing)
	for c < size {
		c *= 2
	}
	b := make([]byte, c)
	x, y := r.at(0, held)
	copy(b[copy(b, x):], y)
	r.buf, r.head = b, 0
}

// at returns the n bytes of storage at offset off from the head, in two parts.
func (r *ring) at(off, n int) (a, b []byte) {
	if n == 0 {
		return nil, nil
	}
	i := (r.head + off) & (len(r.buf) - 1)
	if i+n <= len(r.buf) {
		return r.buf[i : i+n], nil
	}
	return r.buf[i:], r.buf[:i+n-len(r.buf)]
}

// append adds p to the end, where it may lie already.
func (r *ring) append(p []byte) {
	r.reserve(r.n+len(p), r.n)
	if !r.endsAt(p) {
		r.place(r.n, p)
	}
	r.n += len(p)
}

// behind returns storage behind the end as far as it lies in one piece, no more than n bytes,
// which must have been reserved.
func (r *ring) behind(n int) []byte {
	p, _ := r.at(r.n, n)
	return p[:len(p):len(p)]
}

// endsAt reports whether p lies right behind the end.
func (r *ring) endsAt(p []byte) bool {
	return len(p) > 0 && len(r.buf) > 0 && &p[0] == &r.buf[(r.head+r.n)&(len(r.buf)-1)]
}

// leave moves the first held bytes to other storage, and abandons what there was to whoever knows
// pieces of it.
func (r *ring) leave(held int) {
	if held == 0 {
		r.release()
		return
	}
	was, b := *r, make([]byte, len(r.buf))
	x, y := was.at(0, held)
	copy(b[copy(b, x):], y)
	r.buf, r.head = b, 0
}

// place writes p at offset off without making it part of the queue. The room must
// have been reserved.
func (r *ring) place(off int, p []byte) {
	a, b := r.at(off, len(p))
	copy(b, p[copy(a, p):])
}

// extend makes the n bytes placed behind the end part of the queue.
func (r *ring) extend(n int) { r.n += n }

// peek copies bytes at offset off into p, which must lie within the queue.
func (r *ring) peek(off int, p []byte) {
	a, b := r.at(off, len(p))
	copy(p[copy(p, a):], b)
}

// drop removes n bytes from the head.
func (r *ring) drop(n int) {
	r.n -= n
	if len(r.buf) > 0 {
		r.head = (r.head + n) & (len(r.buf) - 1)
	}
}

// release gives the storage back; the queue must be empty. It goes to the garbage collector
// and to no other ring: a train that is on its way may still be read from it.
func (r *ring) release() { *r = ring{} }
