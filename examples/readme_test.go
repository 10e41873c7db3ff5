// Package examples holds the proof that what README.md shows compiles, and that
// its links lead somewhere. The programs are in the directories below.
package examples

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/rawcarrier"
	"example.com/culvert/transport"
)

// The functions below are compiled and not run; TestReadmeCode finds their lines
// in this file.

func readmeServer() {
	l, err := transport.Listen("tcp", ":8080") // example.com/culvert/transport
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(l, nil))
}

func readmeRawDial() any {
	conn, err := transport.Dial("ip4:tcp", "www.example.org:80")
	return []any{conn, err}
}

func readmeRawListen() any {
	listener, err := transport.Listen("ip4:tcp", ":8080")
	return []any{listener, err}
}

func readmeClient() any {
	d := &transport.Dialer{Timeout: 5 * time.Second}
	hc := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	resp, err := hc.Get("http://server.example:8080/")
	return []any{resp, err}
}

func readmeConfig(ctx context.Context) any {
	cfg := &transport.Config{CongestionControl: "bbr"}
	d := &transport.Dialer{Config: cfg}
	l, err := (&transport.ListenConfig{Config: cfg}).Listen(ctx, "tcp", ":8080")
	return []any{d, l, err}
}

func readmeInfo(c net.Conn) any {
	info := c.(*conn.Conn).Info() // example.com/culvert/conn
	return info
}

func readmeTUN() any {
	host, own := netip.MustParsePrefix("10.98.0.1/24"), netip.MustParseAddr("10.98.0.2")
	tun, err := rawcarrier.TUN("", host, own, rawcarrier.Options{}) // example.com/culvert/rawcarrier
	if err != nil {
		log.Fatal(err)
	}
	e, err := transport.NewEndpoint(tun, nil)
	return []any{e, err}
}

var _ = []any{readmeServer, readmeRawDial, readmeRawListen, readmeClient, readmeConfig, readmeInfo, readmeTUN}

// TestReadmeCode: each Go block of the README stands in this file, which compiles.
func TestReadmeCode(t *testing.T) {
	source := unindented(t, "readme_test.go")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(unindented(t, "../README.md"), -1)
	if len(blocks) == 0 {
		t.Error("the README shows no Go code")
	}
	for _, b := range blocks {
		if !strings.Contains(source, b[1]) {
			t.Errorf("this block of the README is not compiled here:\n%s", b[1])
		}
	}
}

// unindented reads a file without the white space at the beginning of lines.
func unindented(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(strings.ReplaceAll(string(text), "\r\n", "\n"), "")
}

// TestLinks: relative links of the documents for readers lead to files that exist.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	pages, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, docs...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), string(m[1]))); err != nil {
				t.Errorf("%s has a link to nowhere: %v", page, err)
			}
		}
	}
}
