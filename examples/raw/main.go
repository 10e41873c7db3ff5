// Command raw speaks HTTP with programs that have never heard of culvert: its TCP goes
// directly in IPv4 datagrams, where the other end is the TCP of a kernel. It needs Linux
// and the capability CAP_NET_RAW, with some kernels CAP_NET_ADMIN too, which root has.
//
//	raw serve [-listen :8080] [-size 100MB]    a server; try: curl -o /dev/null http://HOST:8080/
//	raw get URL                                a download, for example from nginx
//
// The server has one page, so many octets long, and says in X-Sha256 what their SHA-256
// is. The downloader prints the SHA-256 of what it got. The other end may be on the same
// host, on another one, or in another network namespace.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/culvert/transport"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("raw: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

var errUsage = errors.New("usage: raw serve [-listen :8080] [-size 100MB] | raw get URL | raw -h")

const help = `raw speaks HTTP with any program, by a TCP of its own in IPv4 datagrams.

  raw serve [-listen :8080] [-size 100MB]
        a server with one page, for example for: curl -o /dev/null http://HOST:8080/
  raw get URL
        a download, for example from nginx

It needs Linux and a privilege. Run it as root, or:

  go build ./examples/raw && sudo setcap cap_net_admin,cap_net_raw+ep raw && ./raw serve

Some kernels need only cap_net_raw, and ports below 1024 want cap_net_bind_service as well;
errors say what is missing. No firewall rule is needed. HOST may be this host.
`

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		_, err := io.WriteString(out, help)
		return err
	case "serve":
		f := flag.NewFlagSet("serve", flag.ContinueOnError)
		listen := f.String("listen", ":8080", "address and port to listen on")
		size := f.String("size", "100MB", "length of the page")
		f.SetOutput(out)
		if err := f.Parse(args[1:]); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil
			}
			return err
		}
		if f.NArg() > 0 {
			return fmt.Errorf("serve: unexpected argument %q (raw -h explains)", f.Arg(0))
		}
		n, err := parseSize(*size)
		if err != nil {
			return err
		}
		// The one line in which it differs from any other server, but for what Close does: this
		// TCP ends with the process, so that the end of a connection must have arrived before.
		lc := &transport.ListenConfig{Config: &transport.Config{Linger: 5}}
		l, err := lc.Listen(ctx, "ip4:tcp", *listen)
		if err != nil {
			return err
		}
		return serve(ctx, l, n, out)
	case "get":
		if len(args) != 2 {
			return errUsage
		}
		if u, err := url.Parse(args[1]); err != nil || u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("get: %q is not a URL such as http://host:8080/", args[1])
		}
		// And here it is the dialler's.
		d := &transport.Dialer{Timeout: 10 * time.Second, Config: &transport.Config{Linger: 5}}
		client := &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return d.DialContext(ctx, "ip4:tcp", address)
			},
		}}
		defer client.CloseIdleConnections()
		return get(ctx, client, args[1], out)
	}
	return fmt.Errorf("unknown command %q; %w", args[0], errUsage)
}

// parseSize reads a length such as 4096, 64KB or 100MB.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGB")
	unit, ok := map[string]int64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[s[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n < 0 || n > 1e12/unit {
		return 0, fmt.Errorf("-size: %q is no length such as 4096, 64KB or 100MB", s)
	}
	return n * unit, nil
}

// page is octets that look random, and are the same each time.
func page(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{}), n)
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, l net.Listener, size int64, out io.Writer) error {
	h := sha256.New()
	io.Copy(h, page(size))
	sum := hex.EncodeToString(h.Sum(nil))
	fmt.Fprintf(out, "http://%v/ has %d octets, SHA-256 %s\n", l.Addr(), size, sum)
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			w.Header().Set("X-Sha256", sum)
			if r.Method != http.MethodHead {
				io.Copy(w, page(size))
			}
		}),
	}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		srv.Shutdown(grace)
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// get downloads what is at a URL and says what came.
func get(ctx context.Context, client *http.Client, from string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", from, resp.Status)
	}
	h := sha256.New()
	n, err := io.Copy(h, resp.Body)
	if err != nil {
		return err
	}
	sum, took := hex.EncodeToString(h.Sum(nil)), time.Since(began)
	fmt.Fprintf(out, "%d octets in %v (%.0f MB/s), SHA-256 %s\n", n, took.Round(time.Millisecond), float64(n)/took.Seconds()/1e6, sum)
	if want := resp.Header.Get("X-Sha256"); want != "" && want != sum {
		return fmt.Errorf("the server says that the SHA-256 is %s", want)
	}
	return nil
}
