package tcpcore

// A copy from elsewhere into a connection, or out of it, need not go by way of memory of the
// copier's. What follows hands out pieces of the buffers themselves. Whoever has one may keep the
// engine waiting for ever, or use it longer than agreed: nothing waits for it. The storage is
// abandoned to it where others want to go on (see ring.leave), and it is never storage of another
// connection.

// loan is what became of the room that Reserve handed out.
type loan uint8

const (
	loanNone   loan = iota
	loanOut         // somebody is filling it
	loanBroken      // somebody wrote meanwhile; until the buffer is empty there is no other
)

// pinned is how many times what is lent a ring may hold. Who waits for its source for ever keeps
// all of it.
const pinned = 128

// Reserve is for a user who can have data made right where Write would copy it: it returns room
// behind what was written, in one piece of least to most bytes, with contents of no meaning. The
// data is sent by Write with the beginning of the piece, which then copies nothing; Unreserve says
// that there is none. Whatever happens meanwhile, it does not touch the piece, and the piece
// may be written: it may just be that Write copies it after all. Errors are those of Write, and
// ErrWouldBlock means that too little is free to be worth it. Without an error and a piece,
// there is none to be had, and data must come from elsewhere.
func (e *Engine) Reserve(now Time, least, most int) ([]byte, error) {
	room, err := e.writable(now)
	if err != nil {
		return nil, err
	}
	good := e.goodRoom()
	if e.cfg.NotSentLowWater > 0 {
		good = min(good, (e.cfg.NotSentLowWater+1)/2)
	}
	if room < good && e.outstanding() > 0 {
		e.snd.refused = true
		return nil, ErrWouldBlock
	}
	r := &e.snd.buf
	if r.n == 0 {
		r.head = 0
		if e.snd.loan == loanBroken {
			e.snd.loan = loanNone
		}
	}
	if e.snd.loan != loanNone || room < least || len(r.buf) > pinned*most {
		return nil, nil
	}
	size := min(room, most)
	r.reserve(r.n+size, r.n)
	p := r.behind(size)
	if len(p) < least {
		return nil, nil
	}
	e.snd.loan = loanOut
	return p, nil
}

// Unreserve ends the loan of p by Reserve. It does nothing if that has ended.
func (e *Engine) Unreserve(now Time, p []byte) {
	if e.snd.loan == loanOut && e.snd.buf.endsAt(p) {
		e.snd.loan = loanNone
	}
	e.trimLater(now)
}

// endLoan is for a Write of p: what is lent is either p, or the source's to go on with.
func (e *Engine) endLoan(p []byte) {
	if e.snd.buf.endsAt(p) {
		e.snd.loan = loanNone
		return
	}
	e.snd.buf.leave(e.snd.buf.n)
	e.snd.loan = loanBroken
}

// Look is Peek without a copy: it returns the first of the bytes that wait to be read, as many as
// lie in one piece and no more than most, and at, their place in the stream. They stay as they
// are, and take room in the window, until Consume with the same place. Who reads or closes
// meanwhile takes them as read.
func (e *Engine) Look(now Time, most int) (p []byte, at uint64, err error) {
	e.unlook(now)
	if err := e.peekErr(); err != nil {
		return nil, 0, err
	}
	p, _ = e.rcv.buf.at(0, min(most, e.rcv.buf.len()))
	e.rcv.shown = uint32(len(p))
	return p[:len(p):len(p)], e.count.BytesDelivered, nil
}

// Consume ends the Look that returned at: n of the bytes that it showed are read, and the rest
// may be read again. It does nothing if somebody took them meanwhile.
func (e *Engine) Consume(now Time, at uint64, n int) {
	if e.rcv.shown == 0 || at != e.count.BytesDelivered {
		return
	}
	e.rcv.shown = 0
	e.consume(now, n)
}

// unlook takes what Look shows as read, and leaves it to whoever looks.
func (e *Engine) unlook(now Time) {
	n := int(e.rcv.shown)
	if n == 0 {
		return
	}
	e.rcv.shown = 0
	e.consume(now, n)
	e.rcv.buf.leave(e.held())
	e.ack.held = e.ack.held || e.ack.now // who finds nothing behind it waits, and lets go of it first
}
