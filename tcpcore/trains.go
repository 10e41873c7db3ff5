package tcpcore

// trainState watches for a system that spoils trains: some kernels and drivers, asked to
// divide one, make segments that nobody accepts. All that shows is that losses follow the
// segments' place in the train.
//
// What counts is that the first of each train arrives, as what is sent alone does, and
// nothing behind it. No congestion is like that for long: a queue that overflows takes firsts as
// well, and what follows once the sender has slowed down passes. So each flight counts once, as
// losses of one cause come in one flight; the loss of a first begins the account anew, and so
// does the arrival of anything behind one.
type trainState struct {
	rest    uint8  // segments behind the first that were lost, and none arrived
	flights uint8  // in so many flights
	first   bool   // the first of a train arrived since the last of them
	order   uint32 // what was sent before this transmission belongs to a flight that counted
}

// How much it takes: with losses by chance of one segment in three, one account in half a
// million would come to so much even if firsts were spared.
const (
	spoiledSegments = 12
	spoiledFlights  = 4
)

// arrived takes note that a record arrived.
func (s *trainState) arrived(r *record) {
	if r.place == 0 {
		s.first = s.first || s.fresh(r)
	} else if s.rest > 0 {
		s.rest, s.flights = 0, 0
	}
}

// fresh reports whether r was sent after the last flight that counted.
func (s *trainState) fresh(r *record) bool {
	return s.flights == 0 || !sentAfter(s.order, r.rate.order)
}

// lost takes note that a record was lost, and reports whether that is one too many. next is the
// number of the next transmission.
func (s *trainState) lost(r *record, next uint32) (spoiled bool) {
	if r.place == 0 {
		s.rest, s.flights, s.first = 0, 0, false
		return false
	}
	s.rest = min(s.rest+1, spoiledSegments)
	if s.first && s.fresh(r) {
		s.flights, s.first, s.order = s.flights+1, false, next
	}
	if s.rest < spoiledSegments || s.flights < spoiledFlights {
		return false
	}
	*s = trainState{}
	return true
}
