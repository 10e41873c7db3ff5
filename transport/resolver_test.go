package transport_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// fakeResolver resolves every name to the addresses, over a pipe instead of a net.
func fakeResolver(t *testing.T, addrs ...string) *net.Resolver {
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				// A stream connection: each message has its length before it.
				var head [2]byte
				if _, err := readFull(server, head[:]); err != nil {
					return
				}
				q := make([]byte, int(head[0])<<8|int(head[1]))
				if _, err := readFull(server, q); err != nil {
					return
				}
				a, err := answer(q, list)
				if err != nil {
					t.Error(err)
					return
				}
				server.Write(append([]byte{byte(len(a) >> 8), byte(len(a))}, a...))
			}
		}()
		return client, nil
	}}
}

func readFull(c net.Conn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = c.Read(p[n:])
		n += m
	}
	return n, err
}

func answer(query []byte, list []netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		for _, a := range list {
			switch {
			case q.Type == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
			case q.Type == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
	return m.Pack()
}
