package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/culvert/transport"
)

// Bounds on what a server, who may be anyone, can make the client do.
const (
	maxIndex = 64 << 20 // bytes of index.json
	maxReply = 4 << 10  // bytes of a receipt or of an error's text
)

// A client fetches everything that a server has, and sends it something large.
type client struct {
	base     *url.URL
	only     string // path of the only file wanted; empty for all
	parallel int
	patience time.Duration // how long a transfer may stand still
	http     *http.Client
	log      *connLog
	meter    meter
	stats    stats
}

// stats are what the summary tells.
type stats struct {
	files, requests, ranges atomic.Int64
	fetched, uploaded       atomic.Int64 // bytes
	uploadTime              time.Duration
}

// newClient returns a client for the server at rawURL, which is its root, its
// index, or one of its files. cc names the congestion control.
func newClient(rawURL, cc string, parallel int, patience time.Duration) (*client, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("%q is not a URL such as http://host:8080/", rawURL)
	}
	c := &client{parallel: parallel, patience: patience, log: &connLog{side: "client"}}
	if p := u.EscapedPath(); strings.HasPrefix(p, "/"+filesPrefix) {
		c.only = p[1:]
	} else if p != "" && p != "/" && p != "/index.json" {
		return nil, fmt.Errorf("%q: the path must be /, /index.json or begin with /%s", rawURL, filesPrefix)
	}
	c.base = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	d := &transport.Dialer{Timeout: patience, Config: &transport.Config{CongestionControl: cc}}
	c.http = &http.Client{Transport: &http.Transport{
		// This line is all that net/http needs to know of culvert.
		DialContext: c.log.dialer(d.DialContext),

		MaxIdleConnsPerHost:   parallel + 1,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        64 << 10,
		WriteBufferSize:       64 << 10,
	}}
	return c, nil
}

// run does everything: index, files, upload. The first error ends it.
func (c *client) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idx, err := c.index(ctx)
	if err != nil {
		return err
	}
	upload := min(max(idx.total()/4, 1), 1<<30)
	c.meter.total.Store(idx.total() + upload)

	jobs := make(chan func() error)
	var workers sync.WaitGroup
	for range c.parallel {
		workers.Go(func() {
			for job := range jobs {
				c.meter.active.Add(1)
				if err := job(); err != nil {
					cancel(err) // the first one stays
				}
				c.meter.active.Add(-1)
			}
		})
	}
	give := func(job func() error) {
		select {
		case jobs <- job:
		case <-ctx.Done():
		}
	}
	give(func() error { return c.upload(ctx, upload) })
	for i, e := range idx.Files {
		give(func() error { return c.file(ctx, e, i%2 == 1) })
	}
	close(jobs)
	workers.Wait()
	return context.Cause(ctx)
}

// index fetches the list of files.
func (c *client) index(ctx context.Context) (*index, error) {
	var x index
	err := c.do(ctx, "index.json", nil, func(r *http.Response, body io.Reader) error {
		if err := wantStatus(r, body, http.StatusOK); err != nil {
			return err
		}
		return json.NewDecoder(io.LimitReader(body, maxIndex)).Decode(&x)
	})
	if err != nil {
		return nil, fmt.Errorf("fetching the index: %w", err)
	}
	if c.only != "" {
		all := x.Files
		x.Files = nil
		for _, e := range all {
			if e.Path == c.only {
				x.Files = append(x.Files, e)
			}
		}
	}
	if len(x.Files) == 0 {
		return nil, fmt.Errorf("the server's index does not list %s", map[bool]string{true: "any file", false: c.only}[c.only == ""])
	}
	for _, e := range x.Files {
		if e.Size < 0 || e.Size > 1<<50 || !strings.HasPrefix(e.Path, filesPrefix) {
			return nil, fmt.Errorf("the server's index has a bad entry: %q of %d bytes", e.Path, e.Size)
		}
	}
	return &x, nil
}

// file fetches one file, whole or in ranges, and checks its size and its hash.
func (c *client) file(ctx context.Context, e entry, ranges bool) error {
	h := sha256.New()
	var err error
	if ranges && e.Size > 0 {
		piece := min(e.Size/3+1, 16<<20)
		for at := int64(0); at < e.Size && err == nil; at += piece {
			err = c.fetchRange(ctx, e, h, at, min(at+piece, e.Size)-1)
		}
	} else {
		err = c.do(ctx, e.Path, nil, func(r *http.Response, body io.Reader) error {
			if err := wantStatus(r, body, http.StatusOK); err != nil {
				return err
			}
			return c.copy(h, body, e.Size)
		})
	}
	if err != nil {
		return fmt.Errorf("fetching %s: %w", e.Path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != e.SHA256 {
		return fmt.Errorf("%s arrived damaged: its sha256 is %s, not %s", e.Path, got, e.SHA256)
	}
	c.stats.files.Add(1)
	return nil
}

// fetchRange fetches the bytes from first to last (RFC 9110 section 14.1.2).
func (c *client) fetchRange(ctx context.Context, e entry, h hash.Hash, first, last int64) error {
	c.stats.ranges.Add(1)
	header := http.Header{
		"Range":    {fmt.Sprintf("bytes=%d-%d", first, last)},
		"If-Range": {`"` + e.SHA256 + `"`},
	}
	return c.do(ctx, e.Path, header, func(r *http.Response, body io.Reader) error {
		if err := wantStatus(r, body, http.StatusPartialContent); err != nil {
			return err
		}
		if got, want := r.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", first, last, e.Size); got != want {
			return fmt.Errorf("asked for %s, was sent %q", want, got)
		}
		return c.copy(h, body, last-first+1)
	})
}

// copy moves exactly want bytes of a response body into h.
func (c *client) copy(h hash.Hash, body io.Reader, want int64) error {
	counted := readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		c.meter.moved.Add(int64(n))
		c.stats.fetched.Add(int64(n))
		return n, err
	})
	n, err := io.CopyBuffer(h, io.LimitReader(counted, want+1), make([]byte, copyBuffer))
	if err == nil && n != want {
		err = fmt.Errorf("%d bytes arrived instead of %d", n, want)
	}
	return err
}

// upload sends size pseudo-random bytes and compares the server's hash with its own.
func (c *client) upload(ctx context.Context, size int64) error {
	begin := time.Now()
	h := sha256.New()
	src := newGenerated("upload.bin", size)
	body := readerFunc(func(p []byte) (int, error) {
		n, err := src.Read(p)
		if n > 0 {
			h.Write(p[:n])
			c.meter.moved.Add(int64(n))
			c.stats.uploaded.Add(int64(n))
		}
		return n, err
	})
	var got receipt
	err := c.send(ctx, http.MethodPut, "upload", http.Header{"Expect": {"100-continue"}}, body, size, func(r *http.Response, body io.Reader) error {
		if err := wantStatus(r, body, http.StatusOK); err != nil {
			return err
		}
		return json.NewDecoder(io.LimitReader(body, maxReply)).Decode(&got)
	})
	if err != nil {
		return fmt.Errorf("uploading: %w", err)
	}
	if c.stats.uploaded.Load() < size {
		// And h may still be in the hands of the request's writer.
		return errors.New("uploading: the server answered before it had everything")
	}
	if want := hex.EncodeToString(h.Sum(nil)); got.Size != size || got.SHA256 != want {
		return fmt.Errorf("the upload arrived damaged: %d bytes with sha256 %.64q, not %d with %s", got.Size, got.SHA256, size, want)
	}
	c.stats.uploadTime = time.Since(begin)
	return nil
}

// do is a GET.
func (c *client) do(ctx context.Context, path string, header http.Header, handle func(*http.Response, io.Reader) error) error {
	return c.send(ctx, http.MethodGet, path, header, nil, 0, handle)
}

// send makes one request, which fails when it stands still for longer than
// c.patience: a server that died without a word sends neither FIN nor RST, and who
// only waits for data would never find out.
func (c *client) send(ctx context.Context, method, path string, header http.Header, body io.Reader, size int64, handle func(*http.Response, io.Reader) error) error {
	u, err := c.base.Parse(path)
	if err != nil || u.Host != c.base.Host {
		return fmt.Errorf("bad path %q in the server's index", path)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(c.patience, func() {
		cancel(fmt.Errorf("nothing moved for %v: the server or the path to it is gone", c.patience))
	})
	defer stalled.Stop()
	moving := func(r io.Reader) io.Reader {
		return readerFunc(func(p []byte) (int, error) {
			n, err := r.Read(p)
			stalled.Reset(c.patience)
			return n, err
		})
	}
	if body != nil {
		body = io.NopCloser(moving(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.ContentLength = size
	}
	c.stats.requests.Add(1)
	r, err := c.http.Do(req)
	if err == nil {
		body := moving(r.Body)
		if err = handle(r, body); err == nil {
			// net/http keeps a connection only if its response was read to the end.
			io.CopyN(io.Discard, body, maxReply)
		}
		r.Body.Close()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx) // says more than "context canceled"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the server ended the connection midway: %w", err)
	}
	return err
}

// wantStatus turns any other status than want into an error with the server's text.
func wantStatus(r *http.Response, body io.Reader, want int) error {
	if r.StatusCode == want {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxReply))
	if want == http.StatusPartialContent && r.StatusCode == http.StatusOK {
		text = []byte("the file has changed, or the server knows no Range")
	}
	return fmt.Errorf("the server says %.100q: %.200q", r.Status, strings.TrimSpace(string(text)))
}
