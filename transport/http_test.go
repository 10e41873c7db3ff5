package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// site serves what the tests ask for.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /content/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		http.ServeContent(w, r, "x.bin", time.Time{}, bytes.NewReader(content(1, n)))
	})
	mux.HandleFunc("GET /chunks", func(w http.ResponseWriter, r *http.Request) {
		for i := range 20 {
			fmt.Fprintf(w, "chunk %d\n", i)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("POST /sum", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		if _, err := io.Copy(h, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%x", h.Sum(nil))
	})
	mux.HandleFunc("POST /refuse", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no", http.StatusExpectationFailed)
	})
	mux.HandleFunc("GET /hijack", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer c.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		io.Copy(c, rw)
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	return mux
}

// webserver starts site on a listener of ours, and returns a client that dials through
// ours, too.
func webserver(t *testing.T, h http.Handler) (url string, client *http.Client, srv *http.Server) {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	srv = &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go srv.Serve(l)
	tr := &http.Transport{DialContext: dialer.DialContext, ExpectContinueTimeout: 10 * time.Second}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
	})
	return "http://" + l.Addr().String(), &http.Client{Transport: tr, Timeout: time.Minute}, srv
}

func get(t *testing.T, client *http.Client, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func request(method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	return r
}

// Keep-alive: requests one after the other use one connection.
func TestHTTPKeepAlive(t *testing.T) {
	url, client, _ := webserver(t, site())
	conns := make(map[string]bool)
	for i := range 20 {
		req := request("GET", url+"/content/"+strconv.Itoa(1000*i), nil)
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conns[i.Conn.LocalAddr().String()] = true }}
		_, b := get(t, client, req.WithContext(httptrace.WithClientTrace(ctx, trace)))
		sameBytes(t, "body", b, content(1, 1000*i))
	}
	if len(conns) != 1 {
		t.Errorf("20 requests used %d connections", len(conns))
	}
}

// Several requests at once, large ones, ranges, chunks and an upload.
func TestHTTPContent(t *testing.T) {
	url, client, _ := webserver(t, site())
	const size = 8 << 20
	whole := content(1, size)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			req := request("GET", fmt.Sprint(url, "/content/", size), nil)
			from, to := i*size/8, (i+1)*size/8-1
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
			resp, b := get(t, client, req)
			if resp.StatusCode != http.StatusPartialContent {
				t.Errorf("status %v", resp.Status)
			}
			sameBytes(t, "range", b, whole[from:to+1])
		})
		wg.Go(func() {
			// A body of unknown length is sent in chunks.
			body := content(i, 1<<20)
			_, b := get(t, client, request("POST", url+"/sum", io.MultiReader(bytes.NewReader(body))))
			if string(b) != fmt.Sprintf("%x", sum(body)) {
				t.Errorf("the upload's sum is %s", b)
			}
		})
	}
	wg.Wait()
	resp, b := get(t, client, request("GET", url+"/chunks", nil))
	if len(resp.TransferEncoding) != 1 || strings.Count(string(b), "\n") != 20 {
		t.Errorf("chunks: %v, %q", resp.TransferEncoding, b)
	}
}

// Expect: 100-continue: the body follows only when the server wants it.
func TestHTTPExpectContinue(t *testing.T) {
	url, client, _ := webserver(t, site())
	body := content(3, 1<<20)
	for path, want := range map[string]int{"/sum": 200, "/refuse": 417} {
		sent := &countingReader{r: bytes.NewReader(body)}
		req := request("POST", url+path, io.NopCloser(sent))
		req.ContentLength = int64(len(body))
		req.Header.Set("Expect", "100-continue")
		continued := false
		trace := &httptrace.ClientTrace{Got100Continue: func() { continued = true }}
		resp, _ := get(t, client, req.WithContext(httptrace.WithClientTrace(ctx, trace)))
		if resp.StatusCode != want || continued != (want == 200) || (sent.n > 0) != continued {
			t.Errorf("%s: status %d, continued %v, %d bytes sent", path, resp.StatusCode, continued, sent.n)
		}
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// Hijack: the connection leaves net/http behind. The server has a Read going on in the
// background, which it interrupts with a deadline in the past.
func TestHTTPHijack(t *testing.T) {
	url, _, _ := webserver(t, site())
	c := dial(t, strings.TrimPrefix(url, "http://"))
	io.WriteString(c, "GET /hijack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	for i := range 5 {
		line := fmt.Sprintf("line %d\n", i)
		io.WriteString(c, line)
		if got, err := r.ReadString('\n'); got != line || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// A client that goes away is noticed by a handler that only writes.
func TestHTTPClientGoesAway(t *testing.T) {
	ended := make(chan struct{})
	url, client, _ := webserver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site().ServeHTTP(w, r)
		close(ended)
	}))
	c, cancel := context.WithCancel(ctx)
	resp, err := client.Do(request("GET", url+"/slow", nil).WithContext(c))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("the body: %v", err)
	}
	resp.Body.Close()
}

// Shutdown: no new connections, idle ones close, the request that is going on ends.
func TestHTTPShutdown(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	url, client, srv := webserver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(begun)
			<-finish
		}
		io.WriteString(w, "done")
	}))
	get(t, client, request("GET", url, nil)) // leaves an idle connection
	answer := make(chan string)
	go func() {
		resp, err := client.Do(request("GET", url+"/wait", nil))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-begun
	down := make(chan error)
	go func() { down <- srv.Shutdown(ctx) }()
	if !eventually(10*time.Second, func() bool {
		c, err := dialer.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	}) {
		t.Error("it still takes connections")
	}
	select {
	case err := <-down:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(finish)
	if got := <-answer; got != "done" {
		t.Errorf("the request that was going on: %q", got)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// HTTP/2 over crypto/tls over us, many streams on one connection.
func TestHTTP2(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	srv := &http.Server{Handler: site(), TLSConfig: serverTLS(), Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0)}
	go srv.ServeTLS(l, "", "")
	var mu sync.Mutex
	dials := 0
	tr := &http.Transport{TLSClientConfig: clientTLS(), Protocols: protocols, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		dials++
		return dialer.DialContext(ctx, network, address)
	}}
	defer srv.Close()
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: time.Minute}
	url := "https://" + l.Addr().String()
	get(t, client, request("GET", url+"/content/1", nil)) // the connection that all share
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			n := 10000 * (i + 1)
			resp, b := get(t, client, request("GET", fmt.Sprint(url, "/content/", n), nil))
			if resp.ProtoMajor != 2 {
				t.Errorf("it is %s", resp.Proto)
			}
			sameBytes(t, "body", b, content(1, n))
			body := content(i, n)
			if _, b := get(t, client, request("POST", url+"/sum", bytes.NewReader(body))); string(b) != fmt.Sprintf("%x", sum(body)) {
				t.Errorf("the upload's sum is %s", b)
			}
		})
	}
	wg.Wait()
	if dials != 1 {
		t.Errorf("%d connections", dials)
	}
}
