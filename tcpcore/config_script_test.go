package tcpcore

import (
	"strings"
	"testing"
	"time"
)

// TestConfigCheck gives each field a bad value: the error names it.
//
// Shows: MUST-40.
func TestConfigCheck(t *testing.T) {
	for field, c := range map[string]Config{
		"MSS":               {MSS: MinMSS - 1},
		"InitialWindow":     {InitialWindow: -1},
		"SendBuffer":        {SendBuffer: -1},
		"ReceiveBuffer":     {ReceiveBuffer: maxWindow + 1},
		"MaxSendBuffer":     {MaxSendBuffer: -1},
		"AfterIdle":         {AfterIdle: 3},
		"MaxReceiveBuffer":  {MaxReceiveBuffer: maxWindow + 1},
		"NotSentLowWater":   {NotSentLowWater: -1},
		"WindowClamp":       {WindowClamp: -5},
		"MinRTO":            {MinRTO: time.Microsecond},
		"MaxRTO":            {MaxRTO: time.Millisecond},
		"InitialRTO":        {InitialRTO: -time.Second},
		"MSL":               {MSL: 25 * time.Hour},
		"DelayedACK":        {DelayedACK: 501 * time.Millisecond},
		"KeepAliveIdle":     {KeepAliveIdle: time.Microsecond},
		"KeepAliveInterval": {KeepAliveInterval: -1},
		"KeepAliveCount":    {KeepAliveCount: 1001},
		"UserTimeout":       {UserTimeout: -time.Second},
		"Retries1":          {Retries1: 256},
		"Retries2":          {Retries2: 256},
		"SYNACKRetries":     {SYNACKRetries: 256},
		"SYNLinear":         {SYNLinear: -1},
		"QuickACKs":         {QuickACKs: -1},
		"ACKRule":           {ACKRule: 3},
		"WindowScale":       {WindowScale: 15},
		"SYNRetries":        {SYNRetries: 1000},
		"OrphanTimeout":     {OrphanTimeout: time.Microsecond},
		"TrafficClass":      {TrafficClass: 1},
	} {
		err := c.Check()
		if err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
	for why, c := range map[string]Config{
		"MinRTO":     {MinRTO: 30 * time.Second, MaxRTO: 20 * time.Second},
		"InitialRTO": {InitialRTO: 30 * time.Second, MaxRTO: 20 * time.Second},
		"Retries1":   {Retries1: 5, Retries2: 4},
		"NoECN":      {ECN: true, NoECN: true},
	} {
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), why+":") {
			t.Errorf("%s beside what it must not exceed: %v", why, err)
		}
	}
	if err := (&Config{}).Check(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
}

// TestSetUserTimeout changes it while data waits.
func TestSetUserTimeout(t *testing.T) {
	s := newScript(t, "a user timeout set later counts from then, and can be taken away", Config{}, Params{})
	s.active()
	s.write("x")
	s.advance(time.Second)
	s.e.SetUserTimeout(s.now, 10*time.Second)
	s.advance(9 * time.Second)
	s.wantState(Established)
	s.e.SetUserTimeout(s.now, 0)
	s.advance(20 * time.Second)
	s.wantState(Established)
	s.e.SetUserTimeout(s.now, time.Second)
	s.advance(time.Second)
	s.wantState(Closed)
	s.wantErr(ErrTimeout)
}

// TestStateNames prints the RFC's names.
func TestStateNames(t *testing.T) {
	if got := FinWait1.String() + " " + TimeWait.String(); got != "FIN-WAIT-1 TIME-WAIT" {
		t.Error(got)
	}
	if got := State(200).String(); !strings.HasPrefix(got, "BUG") {
		t.Error(got)
	}
}
