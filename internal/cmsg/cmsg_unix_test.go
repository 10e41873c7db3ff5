//go:build linux || darwin || freebsd

package cmsg

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAppendedIsReadBack(t *testing.T) {
	type message struct {
		Kind
		data []byte
	}
	sent := []message{
		{Kind{unix.IPPROTO_IP, unix.IP_TTL}, []byte{1, 2, 3, 4}},
		{Kind{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}, []byte{5}}, // needs padding
		{Kind{unix.SOL_SOCKET, 7}, nil},
	}
	var b []byte
	for _, m := range sent {
		b = Append(b, m.Level, m.Type, m.data)
	}
	var got []message
	for k, data := range All(b) {
		got = append(got, message{k, data})
	}
	if len(got) != len(sent) {
		t.Fatalf("%d messages read, %d written", len(got), len(sent))
	}
	for i, m := range sent {
		if got[i].Kind != m.Kind || !bytes.Equal(got[i].data, m.data) {
			t.Errorf("message %d: %v %v, want %v %v", i, got[i].Kind, got[i].data, m.Kind, m.data)
		}
	}
	for k := range All(b) {
		if k == sent[1].Kind {
			t.Fatal("read on after the loop ended")
		}
		break
	}
}

func FuzzAll(f *testing.F) {
	f.Add(Append(nil, unix.IPPROTO_IP, unix.IP_TOS, []byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for _, data := range All(b) {
			total += len(data)
		}
		if total > len(b) {
			t.Errorf("%d bytes of data in %d bytes", total, len(b))
		}
	})
}
