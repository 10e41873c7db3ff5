package congestion

import "testing"

// onlyBase is the least that a controller can be.
type onlyBase struct{ Base }

func (*onlyBase) Name() string { return "only" }
func (*onlyBase) OnAck(*Ack)   {}
func (*onlyBase) OnLoss(Loss)  {}

// TestBase checks the defaults that a controller of one's own gets.
func TestBase(t *testing.T) {
	var c Controller = new(onlyBase)
	c.Start(Start{MSS: 1000, Window: 10_000})
	c.OnSend(Send{})
	c.OnLost(&Lost{})
	c.OnRecovered(0)
	c.OnSpurious(0)
	if c.Window() != 10_000 || c.Threshold() != Infinite || c.PacingRate() != 0 {
		t.Errorf("window %d, threshold %d, rate %d", c.Window(), c.Threshold(), c.PacingRate())
	}
	if c.Reduces() {
		t.Error("reduces to a threshold that is not there")
	}
	c.OnMSS(20_000)
	if c.Window() != 20_000 {
		t.Errorf("a segment of 20000 bytes does not fit into a window of %d", c.Window())
	}
	c.OnMSS(500)
	if c.Window() != 20_000 {
		t.Errorf("a smaller segment made the window %d", c.Window())
	}
}
