package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"example.com/culvert/transport"
)

// maxUpload bounds what the server reads of one upload, in bytes. It keeps nothing of it.
const maxUpload = 1 << 40

// linger is how many seconds Close waits for what is not yet delivered: no kernel goes on for
// a process that has ended.
const linger = 2

// A server is an http.Server on a culvert listener.
type server struct {
	files *catalog
	log   *connLog
	http  *http.Server
	url   string     // of the root, as a client on this host may write it
	done  chan error // what Serve returned
}

// listen opens a culvert listener. cc names the congestion control, empty for the default.
func listen(ctx context.Context, addr, cc string) (net.Listener, error) {
	lc := transport.ListenConfig{Config: &transport.Config{CongestionControl: cc, Linger: linger}}
	return lc.Listen(ctx, "tcp", addr)
}

// startServer serves files on l in the background; stop also closes l.
func startServer(l net.Listener, files *catalog, log *connLog) *server {
	s := &server{files: files, url: "http://" + l.Addr().String() + "/", log: log, done: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /index.json", s.index)
	mux.HandleFunc("GET /"+filesPrefix+"{name...}", s.file)
	mux.HandleFunc("PUT /upload", s.upload)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/index.json", http.StatusFound)
	})
	// From here on everything is what it would be over the kernel's TCP.
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() { s.done <- s.http.Serve(watchedListener{l, log}) }()
	return s
}

// stop lets what is going on come to its end, but not for longer than grace.
func (s *server) stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // Some client would not end; it is its own loss.
	}
	if serr := <-s.done; !errors.Is(serr, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", serr)
	}
	return err
}

// index publishes what there is.
func (s *server) index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.files.index)
}

// file serves one file, or ranges of it. Only what stands in the index is opened.
func (s *server) file(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	i, ok := s.files.names[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	f, err := s.files.open(name)
	if err != nil {
		http.Error(w, "the file is not there any more", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+s.files.index.Files[i].SHA256+`"`)
	http.ServeContent(w, r, name, time.Time{}, f)
}

// A receipt is the server's answer to an upload.
type receipt struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// upload hashes the body and answers with its receipt.
func (s *server) upload(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.CopyBuffer(h, http.MaxBytesReader(w, r.Body, maxUpload), make([]byte, copyBuffer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(receipt{n, hex.EncodeToString(h.Sum(nil))})
}
