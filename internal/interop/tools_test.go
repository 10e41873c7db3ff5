//go:build interop && linux

package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// file makes a file of n octets in a directory of the test's own.
func file(t testing.TB, name string, n int) (path, sum string) {
	t.Helper()
	b := make([]byte, n)
	x := uint32(n)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(b)
	return path, hex.EncodeToString(h[:])
}

// sumOf is the SHA-256 of a file.
func sumOf(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// reachable waits until something listens on a port of a namespace.
func (l *lab) reachable(ns, port string) {
	l.t.Helper()
	l.run(ns, "sh", "-c", "for i in $(seq 100); do ss -Hltn sport = :"+port+" | grep -q . && exit; sleep 0.1; done; exit 1")
}

var pageSum = regexp.MustCompile(`SHA-256 ([0-9a-f]{64})`)

// TestDownload: curl and wget from our HTTP server.
func TestDownload(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{
		"curl": {"curl", "-sS", "-f", "-o", "FILE", "http://" + oursIP + ":8080/"},
		"wget": {"wget", "-q", "-O", "FILE", "http://" + oursIP + ":8080/"},
		"curl again and again": {"curl", "-sS", "-f", "-o", "FILE", "http://" + oursIP + ":8080/",
			"-o", os.DevNull, "http://" + oursIP + ":8080/", "-o", os.DevNull, "http://" + oursIP + ":8080/"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			server := l.start(time.Minute, l.ours, filepath.Join(dir, "raw"), "serve", "-size", "100MB")
			want := pageSum.FindStringSubmatch(server.saying("http://"))[1]
			got := filepath.Join(t.TempDir(), "page")
			args := append([]string(nil), command...)
			for i := range args {
				args[i] = strings.Replace(args[i], "FILE", got, 1)
			}
			l.start(time.Minute, l.kernel, args...).well()
			l.ended()
			if sum := sumOf(t, got); sum != want {
				t.Errorf("SHA-256 %s, want %s", sum, want)
			}
		})
	}
}

// TestNginx: our dialler downloads from nginx.
func TestNginx(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	path, want := file(t, "page", 100*mega)
	root := filepath.Dir(path)
	os.Chmod(root, 0o755)
	config := filepath.Join(t.TempDir(), "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `daemon off; user root; pid %[1]s/pid; error_log stderr; events { }
		http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
		server { listen 80; root %[2]s; } }`, filepath.Dir(config), root), 0o644); err != nil {
		t.Fatal(err)
	}
	l.start(time.Minute, l.kernel, "nginx", "-c", config)
	l.reachable(l.kernel, "80")
	out := l.start(time.Minute, l.ours, filepath.Join(dir, "raw"), "get", "http://"+kernelIP+"/page").well()
	if m := pageSum.FindStringSubmatch(out); m == nil || m[1] != want {
		t.Errorf("%swant SHA-256 %s", out, want)
	}
	l.ended()
}

// A tool is a server and a client of somebody else's, joined by a relay of ours: one of
// them is in our namespace and speaks with the relay by the kernel's TCP over loopback,
// the other one meets our TCP.
type tool struct {
	name string
	// server begins a server on a port, and returns when it is about to listen.
	server func(l *lab, ns, port string)
	// client does its work, and checks it.
	client func(l *lab, ns, host, port string)
}

const port = "7777"

func (c *tool) run(t *testing.T) {
	relay := func(l *lab, flags ...string) {
		args := append([]string{peerProgram, "relay", "-count", "0", "-timeout", "90s"}, flags...)
		l.start(2*time.Minute, l.ours, args...).saying("listening")
	}
	t.Run("we dial the server", func(t *testing.T) {
		l := newLab(t)
		c.server(l, l.kernel, port)
		l.reachable(l.kernel, port)
		relay(l, "-tcp", "kernel", "-listen", "127.0.0.1:"+port, "-to-tcp", "ours", "-to", kernelIP+":"+port)
		c.client(l, l.ours, "127.0.0.1", port)
		l.ended()
	})
	t.Run("the client dials us", func(t *testing.T) {
		l := newLab(t)
		c.server(l, l.ours, port)
		l.reachable(l.ours, port)
		// On another port than the server's, which has this one on every address.
		relay(l, "-tcp", "ours", "-listen", oursIP+":7778", "-to-tcp", "kernel", "-to", "127.0.0.1:"+port)
		c.client(l, l.kernel, oursIP, "7778")
		l.ended()
	})
}

func TestTools(t *testing.T) {
	t.Parallel()
	for _, c := range []tool{openssl(t), iperf3(), ssh(t), rsync(t), redis()} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// within runs a client to its end.
func (l *lab) within(ns string, command ...string) string {
	l.t.Helper()
	return l.start(90*time.Second, ns, command...).well()
}

func (l *lab) shell(ns, script string) string { l.t.Helper(); return l.within(ns, "sh", "-c", script) }

func openssl(t *testing.T) tool {
	path, want := file(t, "page", 20*mega)
	keys := t.TempDir()
	return tool{
		name: "openssl",
		server: func(l *lab, ns, port string) {
			l.do("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
				"-subj", "/CN=lab", "-keyout", keys+"/key", "-out", keys+"/cert")
			l.start(2*time.Minute, ns, "sh", "-c", "cd "+filepath.Dir(path)+" && exec openssl s_server -quiet -WWW -accept "+port+" -key "+keys+"/key -cert "+keys+"/cert")
		},
		client: func(l *lab, ns, host, port string) {
			got := filepath.Join(keys, "got")
			l.shell(ns, "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -ign_eof -CAfile "+keys+"/cert -verify_return_error -connect "+host+":"+port+" 2>/dev/null >"+got)
			b, _ := os.ReadFile(got)
			_, page, _ := strings.Cut(string(b), "\r\n\r\n")
			if h := sha256.Sum256([]byte(page)); hex.EncodeToString(h[:]) != want {
				l.t.Errorf("%d octets, and not those of the page", len(page))
			}
		},
	}
}

func iperf3() tool {
	return tool{
		name:   "iperf3",
		server: func(l *lab, ns, port string) { l.start(2*time.Minute, ns, "iperf3", "-s", "-p", port) },
		client: func(l *lab, ns, host, port string) {
			for _, flags := range []string{"-n 100M", "-n 100M -R", "-n 50M -P 4", "-t 2 --bidir"} {
				out := l.shell(ns, "iperf3 -c "+host+" -p "+port+" "+flags)
				if !strings.Contains(out, "iperf Done.") {
					l.t.Errorf("iperf3 %s: %s", flags, out)
				}
			}
		},
	}
}

// sshd begins a server that takes a key of the test's, in dir.
func sshd(l *lab, dir, ns, port string) {
	l.t.Helper()
	os.MkdirAll("/run/sshd", 0o755)
	for _, k := range []string{"host", "user"} {
		if _, err := os.Stat(filepath.Join(dir, k)); err != nil {
			l.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, k))
		}
	}
	config := fmt.Sprintf("HostKey %[1]s/host\nAuthorizedKeysFile %[1]s/user.pub\nStrictModes no\nPermitRootLogin yes\nPidFile none\nUsePAM no\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.start(2*time.Minute, ns, "/usr/sbin/sshd", "-D", "-e", "-p", port, "-f", filepath.Join(dir, "config"))
}

func sshFlags(dir string) string {
	return "-i " + dir + "/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes"
}

func ssh(t *testing.T) tool {
	dir := t.TempDir()
	path, want := file(t, "page", 30*mega)
	return tool{
		name:   "ssh",
		server: func(l *lab, ns, port string) { sshd(l, dir, ns, port) },
		client: func(l *lab, ns, host, port string) {
			out := l.shell(ns, "ssh "+sshFlags(dir)+" -p "+port+" root@"+host+" 'sha256sum' <"+path)
			if !strings.HasPrefix(out, want) {
				l.t.Errorf("there: %s, want %s", out, want)
			}
			out = l.shell(ns, "ssh "+sshFlags(dir)+" -p "+port+" root@"+host+" 'cat "+path+"' | sha256sum")
			if !strings.HasPrefix(out, want) {
				l.t.Errorf("back: %s, want %s", out, want)
			}
		},
	}
}

func rsync(t *testing.T) tool {
	dir := t.TempDir()
	path, want := file(t, "page", 30*mega)
	return tool{
		name:   "rsync",
		server: func(l *lab, ns, port string) { sshd(l, dir, ns, port) },
		client: func(l *lab, ns, host, port string) {
			there, back := filepath.Join(l.t.TempDir(), "there"), filepath.Join(l.t.TempDir(), "back")
			e := " -e 'ssh " + sshFlags(dir) + " -p " + port + "' "
			l.shell(ns, "rsync -W"+e+path+" root@"+host+":"+there+" && rsync -W"+e+"root@"+host+":"+path+" "+back)
			if sumOf(l.t, there) != want || sumOf(l.t, back) != want {
				l.t.Error("another file came than was sent")
			}
		},
	}
}

func redis() tool {
	return tool{
		name: "redis-benchmark",
		server: func(l *lab, ns, port string) {
			l.start(2*time.Minute, ns, "redis-server", "--port", port, "--save", "", "--protected-mode", "no")
		},
		client: func(l *lab, ns, host, port string) {
			out := l.within(ns, "redis-benchmark", "-h", host, "-p", port, "-t", "set,get,lpush", "-n", "20000", "-c", "50", "-d", "200", "--csv")
			if strings.Count(out, "\n") < 4 || strings.Contains(strings.ToLower(out), "error") {
				l.t.Errorf("redis-benchmark: %s", out)
			}
			l.within(ns, "redis-benchmark", "-h", host, "-p", port, "-t", "set,get", "-n", "20000", "-P", "16", "-q")
		},
	}
}

// TestNetcat: one side ends its direction, the other one goes on, with nc on the kernel's
// TCP. (Two of them lose octets to each other if both directions end at once.)
func TestNetcat(t *testing.T) {
	t.Parallel()
	const size = 10 * mega
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b) // what peer sends and expects
	path := filepath.Join(t.TempDir(), "octets")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	n := strconv.Itoa(size)
	args := []string{peerProgram, "transfer", "-first", "-send", n, "-expect", n}
	for name, run := range map[string]func(l *lab, script string) *process{
		"nc dials": func(l *lab, script string) *process {
			ours := l.start(time.Minute, l.ours, append(args, "-listen", ":7000")...)
			ours.saying("listening")
			l.shell(l.kernel, "nc -N "+oursIP+" 7000 "+script)
			return ours
		},
		"nc listens": func(l *lab, script string) *process {
			nc := l.start(time.Minute, l.kernel, "sh", "-c", "nc -N -l 7000 "+script)
			l.reachable(l.kernel, "7000")
			l.start(time.Minute, l.ours, append(args, "-dial", kernelIP+":7000")...).well()
			return nc
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := filepath.Join(t.TempDir(), "got")
			l := newLab(t)
			run(l, "<"+path+" >"+got).well()
			l.ended()
			if sumOf(t, got) != sumOf(t, path) {
				t.Error("other octets came than were sent")
			}
		})
	}
}
