package tcpcore

// An agenda is what is to happen in virtual time, as a binary heap with the earliest on top.
// What happens at one moment happens in the order in which it was entered.
type agenda[E any] struct {
	heap  []entry[E]
	order uint64
}

type entry[E any] struct {
	at    Time
	order uint64
	event E
}

func (a *agenda[E]) len() int { return len(a.heap) }

func (a *agenda[E]) less(i, j int) bool {
	x, y := &a.heap[i], &a.heap[j]
	return x.at < y.at || x.at == y.at && x.order < y.order
}

func (a *agenda[E]) push(at Time, event E) {
	a.order++
	a.heap = append(a.heap, entry[E]{at, a.order, event})
	for i := len(a.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !a.less(i, up) {
			break
		}
		a.heap[i], a.heap[up] = a.heap[up], a.heap[i]
		i = up
	}
}

func (a *agenda[E]) pop() (Time, E) {
	top := a.heap[0]
	n := len(a.heap) - 1
	a.heap[0], a.heap[n] = a.heap[n], entry[E]{}
	a.heap = a.heap[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && a.less(c+1, c) {
			c++
		}
		if !a.less(c, i) {
			break
		}
		a.heap[i], a.heap[c] = a.heap[c], a.heap[i]
		i = c
	}
	return top.at, top.event
}
