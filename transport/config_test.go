package transport

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/congestion"
)

// Every tunable of the engine can be set, and arrives there.
func TestConfigCoversTheEngine(t *testing.T) {
	core := reflect.TypeFor[tcpcore.Config]()
	for i := range core.NumField() {
		name := core.Field(i).Name
		var c Config
		from := name
		switch name {
		case "Congestion":
			from = "Controller"
		case "NoDelay":
			from = "Nagle"
		}
		f := reflect.ValueOf(&c).Elem().FieldByName(from)
		if !f.IsValid() {
			t.Errorf("Config has no %s", from)
			continue
		}
		switch f.Interface().(type) {
		case bool:
			f.SetBool(true)
		case int:
			f.SetInt(100)
			if name == "WindowScale" {
				f.SetInt(7)
			}
			if name == "Retries1" {
				c.Retries2 = 200
			}
		case uint8:
			f.SetUint(100)
		case congestion.AfterIdle:
			f.SetUint(uint64(congestion.KeepAfterIdle))
		case tcpcore.ACKRule:
			f.SetUint(uint64(tcpcore.ACKSecond))
		case time.Duration:
			f.SetInt(int64(100 * time.Millisecond))
			if name == "MaxRTO" {
				f.SetInt(int64(100 * time.Second))
			}
		default:
			c.Controller = congestion.NewReno
		}
		s, err := c.settings()
		if err != nil {
			t.Errorf("%s: %v", from, err)
			continue
		}
		got := reflect.ValueOf(s.core).Field(i)
		if name == "NoDelay" {
			if s.core.NoDelay {
				t.Error("Nagle does not switch NoDelay off")
			}
			continue
		}
		if got.IsZero() {
			t.Errorf("%s does not reach the engine", from)
		}
	}
	if s, err := (*Config)(nil).settings(); err != nil || !s.core.NoDelay {
		t.Errorf("the default: %+v, %v; want the Nagle algorithm off, as in package net", s, err)
	}
}

// A bad value is an error that names the field.
func TestConfigErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"Config.MSS":               {MSS: 63},
		"Config.InitialWindow":     {InitialWindow: -1},
		"Config.SendBuffer":        {SendBuffer: -1},
		"Config.MaxSendBuffer":     {MaxSendBuffer: -1},
		"Config.AfterIdle":         {AfterIdle: 3},
		"Config.MaxReceiveBuffer":  {MaxReceiveBuffer: 1<<30 + 1},
		"Config.MinRTO":            {MinRTO: -1},
		"Config.DelayedACK":        {DelayedACK: time.Second},
		"Config.TrafficClass":      {TrafficClass: 1},
		"Config.Retries1":          {Retries1: 5, Retries2: 4},
		"Config.CongestionControl": {CongestionControl: "nosuch"},
		"Config.Controller":        {CongestionControl: "reno", Controller: congestion.NewReno},
		"Config.HopLimit":          {HopLimit: 256},
		"Config.Backlog":           {Backlog: -1},
		"Config.Sockets":           {Sockets: 65},
		"Config.Linger":            {Linger: maxLinger + 1},
		"Config.BusyPoll":          {BusyPoll: maxBusyPoll + 1},
	} {
		if _, err := c.settings(); err == nil || !strings.HasPrefix(err.Error(), want+": ") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// The congestion control can be named, or made.
func TestCongestionControl(t *testing.T) {
	s, err := (&Config{CongestionControl: "reno"}).settings()
	if err != nil || s.core.Congestion().Name() != "reno" {
		t.Errorf("by name: %v", err)
	}
	made := 0
	s, err = (&Config{Controller: func() congestion.Controller { made++; return congestion.NewReno() }}).settings()
	if err != nil || s.core.Congestion() == nil || made != 2 { // one was made to see that it can be
		t.Errorf("by factory: %v", err)
	}
	_, err = (&Config{Controller: func() congestion.Controller { return nil }}).settings()
	if err == nil || !strings.HasPrefix(err.Error(), "Config.Controller: ") {
		t.Errorf("a factory that makes nothing: %v", err)
	}
}

// Linger counts as SetLinger does, but that zero is the default.
func TestConfigLinger(t *testing.T) {
	for linger, want := range map[int]int{0: -1, -1: 0, 5: 5} {
		if s, err := (&Config{Linger: linger}).settings(); err != nil || s.conn.Linger != want {
			t.Errorf("Linger %d becomes %d, %v", linger, s.conn.Linger, err)
		}
	}
}
