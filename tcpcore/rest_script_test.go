package tcpcore

import (
	"testing"
	"time"
)

// beginRest is a script in which two full segments and a rest of 10 octets were written, after
// two more that opened the congestion window.
func beginRest(t *testing.T, sentence string, cfg Config) *script {
	cfg.NoDelay = true
	s := newScript(t, sentence, cfg, Params{MMS: 40_020})
	s.active(optMSS(40_000), optScale(8))
	s.recv(ACK, 1, 1, optWin(2000))
	s.write(80_000)
	s.want(ACK, 1, 1, 40_000)
	s.want(ACK, 40_001, 1, 40_000)
	s.recv(ACK, 1, 80_001, optWin(2000))
	s.write(80_010)
	s.want(ACK, 80_001, 1, 40_000)
	s.want(ACK, 120_001, 1, 40_000)
	return s
}

func TestRest(t *testing.T) {
	s := beginRest(t, "what is short behind two full segments, trains of their own, waits for what is written next", Config{})
	s.wantIdle()
	s.write(39_990)
	s.want(PSH|ACK, 160_001, 1, 40_000)
	s.check(!s.e.timer.on(tCork), "its timer runs on, and would hurry the next rest")

	s = beginRest(t, "but for a millisecond only", Config{})
	s.wantAfter(time.Millisecond, PSH|ACK, 160_001, 1, 10)

	s = beginRest(t, "and not if less than two segments are on their way any more", Config{})
	s.wantIdle()
	s.recv(ACK, 1, 120_001, optWin(2000))
	s.want(PSH|ACK, 160_001, 1, 10)

	s = beginRest(t, "and not if the user waits for the peer", Config{})
	s.wantIdle()
	s.check(s.e.ReleaseRest(), "nothing was released")
	s.want(PSH|ACK, 160_001, 1, 10)
	s.check(!s.e.ReleaseRest(), "there is more to release")

	s = beginRest(t, "nor if nothing will be written", Config{})
	s.wantIdle()
	s.closeWrite()
	s.want(FIN|PSH|ACK, 160_001, 1, 10)

	s = beginRest(t, "nor if each Write is pushed", Config{PushWrites: true})
	s.want(PSH|ACK, 160_001, 1, 10)
}

// Where segments share trains, nothing waits.
func TestRestOfSmallSegments(t *testing.T) {
	s := newScript(t, "what is short travels with the train", Config{NoDelay: true}, Params{})
	s.active()
	s.write(2*1460 + 10)
	s.want(ACK, 1, 1, 1460)
	s.want(ACK, 1461, 1, 1460)
	s.want(PSH|ACK, 2921, 1, 10)
}

// A writer whom Config.NotSentLowWater keeps from writing more is not waited for.
func TestRestOfWhoMayNotWriteMore(t *testing.T) {
	s := beginRest(t, "what is short does not wait for a writer who waits for it to be sent", Config{NotSentLowWater: 100_000})
	s.e.ReleaseRest()
	s.want(PSH|ACK, 160_001, 1, 10)
	s.e.SetNotSentLowWater(16_000)
	s.check(s.writeSome(patternBytes(len(s.sent), 20_000)) == 16_000, "more is taken than may wait")
	s.want(PSH|ACK, 160_011, 1, 16_000)
}
