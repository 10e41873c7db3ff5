package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"example.com/culvert/transport"
)

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "4096": 4096, "7B": 7, "64KB": 64000, "100MB": 100e6, "2GB": 2e9} {
		if n, err := parseSize(s); n != want || err != nil {
			t.Errorf("%s is %d, %v, want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "MB", "-1", "1TB", "1MBMB", "5 MB", "2000GB", "99999999999999999999"} {
		if n, err := parseSize(s); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
}

// TestHelp: it says what is needed, and is no failure.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"help"}, {"serve", "-h"}} {
		var out bytes.Buffer
		if err := run(context.Background(), args, &out); err != nil || !strings.Contains(out.String(), "-size") {
			t.Errorf("%q: %v, %s", args, err, out.String())
		}
	}
}

// TestServeAndGet downloads from the server, by the kernel's TCP and by ours, where the
// process may open raw sockets. Where it may not, the program says what it needs.
func TestServeAndGet(t *testing.T) {
	l, err := transport.Listen("ip4:tcp", "127.0.0.1:0")
	if err != nil {
		if runtime.GOOS == "linux" && (!errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "setcap")) ||
			runtime.GOOS != "linux" && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, l, 3e6, new(bytes.Buffer)) }()
	url := "http://" + l.Addr().String() + "/"
	for name, get := range map[string]func(*bytes.Buffer) error{
		"the kernel's": func(out *bytes.Buffer) error {
			client := &http.Client{Transport: &http.Transport{DialContext: new(net.Dialer).DialContext, DisableKeepAlives: true}}
			return get(ctx, client, url, out)
		},
		"ours": func(out *bytes.Buffer) error { return run(ctx, []string{"get", url}, out) },
	} {
		var out bytes.Buffer
		if err := get(&out); err != nil || !strings.HasPrefix(out.String(), "3000000 octets") {
			t.Errorf("%s: %v, %s", name, err, out.String())
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestBadInvocations: each mistake is answered with an error that names it.
func TestBadInvocations(t *testing.T) {
	for want, args := range map[string][]string{
		"usage": nil, "get URL": {"get"}, "-size": {"serve", "-size", "much"}, `"dance"`: {"dance"},
		`"extra"`: {"serve", "extra"}, `"foo"`: {"get", "foo"}, `"ftp://host/"`: {"get", "ftp://host/"},
	} {
		if err := run(context.Background(), args, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error about %s", args, err, want)
		}
	}
}
