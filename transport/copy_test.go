package transport_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// From one connection into another over paths that do all that a path may do, to a sink and from a
// source that can only read, every octet arrives in its place.
func TestProxyInPlace(t *testing.T) {
	a, b := overMangler(t, quick())
	c, d := overMangler(t, quick())
	closeWrite := func(x any) { x.(interface{ CloseWrite() error }).CloseWrite() }
	want := content(3, 8<<20)
	go func() {
		io.Copy(a, struct{ io.Reader }{bytes.NewReader(want)})
		closeWrite(a)
	}()
	copied := make(chan int64)
	go func() {
		n, _ := io.Copy(c, b)
		closeWrite(c)
		copied <- n
	}()
	var got bytes.Buffer
	if _, err := io.Copy(struct{ io.Writer }{&got}, d); err != nil {
		t.Fatal(err)
	}
	if n := <-copied; n != int64(len(want)) {
		t.Errorf("%d octets were copied of %d", n, len(want))
	}
	sameBytes(t, "the copy", got.Bytes(), want)
}

// offers notes how much its reader offers at most.
type offers struct {
	*bytes.Reader
	most int
}

func (o *offers) Read(p []byte) (int, error) {
	o.most = max(o.most, len(p))
	return o.Reader.Read(p)
}

// What net/http serves is read right into the connection's buffer, not into one of its own, which
// has 32 KiB.
func TestServeContentInPlace(t *testing.T) {
	const n = 4 << 20
	src := make(chan *offers, 1)
	url, client, _ := webserver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &offers{Reader: bytes.NewReader(content(4, n))}
		http.ServeContent(w, r, "x.bin", time.Time{}, struct{ io.ReadSeeker }{o})
		src <- o
	}))
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "the content", got, content(4, n))
	if o := <-src; o.most <= 32<<10 {
		t.Errorf("%d bytes at most are read at once", o.most)
	}
}
