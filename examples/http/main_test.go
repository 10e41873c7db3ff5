package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be the program itself, so that tests can run
// the two halves in processes of their own.
func TestMain(m *testing.M) {
	if os.Getenv("CULVERT_EXAMPLE_HTTP") != "" {
		main()
	}
	os.Exit(m.Run())
}

// program returns a command that runs this program in a process of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, args...)
	c.Env = append(os.Environ(), "CULVERT_EXAMPLE_HTTP=1")
	return c
}

// runHere runs the program in this process.
func runHere(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// wantOK fails the test unless the run ended as a good one does.
func wantOK(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if status != 0 || stderr != "" || !strings.HasSuffix(stdout, "\nsha256 ok\n") {
		t.Fatalf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}

// TestBothHalves is the main job, small.
func TestBothHalves(t *testing.T) {
	status, out, errs := runHere(t, "-size", "3MiB", "-n", "3")
	wantOK(t, status, out, errs)
	for _, want := range []string{
		`serving 9 files, 3 MiB, at http://127\.0\.0\.1:\d+/`,
		`fetched 9 files, 3 MiB, and uploaded 768 KiB in .* (1[0-9]|2[0-9]) requests \((12) for ranges\) over [1-9] connections?`,
		`side +peer +RTT`,
		`client  127\.0\.0\.1:\d+ +[0-9.]+[mµ]s`,
		`server  127\.0\.0\.1:\d+ +[0-9.]+[mµ]s`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}

// TestKeepAlive: one transfer at a time needs one connection, the index included.
func TestKeepAlive(t *testing.T) {
	status, out, errs := runHere(t, "-size", "1MiB", "-n", "1")
	wantOK(t, status, out, errs)
	if !strings.Contains(out, " over 1 connection\n") {
		t.Errorf("connections were not kept:\n%s", out)
	}
}

// TestTinyFiles has files of no and one byte, fewer than transfers, and Reno by name.
func TestTinyFiles(t *testing.T) {
	status, out, errs := runHere(t, "-size", "1B", "-n", "20", "-cc", "reno")
	wantOK(t, status, out, errs)
}

// TestDirectory serves real files, with names that need escaping.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{
		"empty": 0, "a b%20c?#.txt": 10, "deep/er/file": 100_001, "deep/other": 1 << 20,
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	status, out, errs := runHere(t, "-dir", dir)
	wantOK(t, status, out, errs)
	if !strings.Contains(out, "fetched 4 files, 1.1 MiB") {
		t.Errorf("not all files were fetched:\n%s", out)
	}
}

// TestBadInvocations has each mistake answered with an error that names it.
func TestBadInvocations(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-nonsense"}, "-nonsense"},
		{[]string{"stray"}, `"stray"`},
		{[]string{"-size", "many"}, "-size"},
		{[]string{"-size", "-1"}, "-size"},
		{[]string{"-size", "0"}, "-size"},
		{[]string{"-size", "1e300TiB"}, "-size"},
		{[]string{"-n", "0"}, "-n"},
		{[]string{"-n", "1001"}, "-n"},
		{[]string{"-timeout", "0s"}, "-timeout"},
		{[]string{"-cc", "hope"}, `"hope" is not one of`},
		{[]string{"-dir", filepath.Join(t.TempDir(), "missing")}, "-dir"},
		{[]string{"-dir", t.TempDir()}, "holds no regular file"},
		{[]string{"-dir", ""}, "-dir"},
		{[]string{"-dir", ".", "-size", "1MiB"}, "exclude each other"},
		{[]string{"-serve", ":0", "-get", "http://localhost:1/"}, "exclude each other"},
		{[]string{"-serve", ""}, "-serve"},
		{[]string{"-serve", "nonsense"}, "nonsense"},
		{[]string{"-serve", ":0", "-n", "2"}, "client's"},
		{[]string{"-get", ""}, "-get"},
		{[]string{"-get", "http://localhost:1/", "-dir", "."}, "-get"},
		{[]string{"-get", "https://localhost:1/"}, "https://localhost:1/"},
		{[]string{"-get", "localhost:1"}, "localhost:1"},
		{[]string{"-get", "http://localhost:1/elsewhere"}, "elsewhere"},
		{[]string{"-get", "http://localhost:notaport/"}, "notaport"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, _, errs := runHere(t, c.args...)
			if status != 1 || !strings.HasPrefix(errs, "error: ") || !strings.Contains(errs, c.want) {
				t.Errorf("status %d, want 1; error %q, want it to say %q", status, errs, c.want)
			}
			if strings.Count(errs, "\n") != 1 {
				t.Errorf("the error is more than a line: %q", errs)
			}
		})
	}
}

// TestHelp explains every flag and succeeds.
func TestHelp(t *testing.T) {
	status, out, errs := runHere(t, "-h")
	if status != 0 || errs != "" {
		t.Errorf("status %d, stderr %q", status, errs)
	}
	for _, f := range []string{"-serve", "-get", "-dir", "-size", "-n ", "-cc", "-timeout", "reno"} {
		if !strings.Contains(out, f) {
			t.Errorf("the help does not mention %s", f)
		}
	}
}

// TestNothingListens fails at once, not after a timeout.
func TestNothingListens(t *testing.T) {
	s := serveHere(t, "1B")
	s.stop(time.Second)
	status, _, errs := runHere(t, "-get", s.url, "-timeout", "1h")
	if status != 1 || !strings.Contains(errs, "refused") {
		t.Errorf("status %d, error %q, want connection refused", status, errs)
	}
}

// serveHere serves generated files in this process until the test ends.
func serveHere(t *testing.T, size string) *server {
	t.Helper()
	var n byteSize
	if err := n.Set(size); err != nil {
		t.Fatal(err)
	}
	files, err := generatedCatalog(t.Context(), int64(n))
	if err != nil {
		t.Fatal(err)
	}
	return serveCatalog(t, files)
}

// serveCatalog serves files in this process until the test ends.
func serveCatalog(t *testing.T, files *catalog) *server {
	t.Helper()
	l, err := listen(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(l, files, &connLog{side: "server"})
	t.Cleanup(func() { s.http.Close() })
	return s
}

// TestDamage: a hash that does not match is an error, for whole files and for ranges.
func TestDamage(t *testing.T) {
	for i, name := range []string{1: "ranges", 2: "whole"} {
		if name == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := serveHere(t, "1MiB")
			e := &s.files.index.Files[i]
			e.SHA256 = strings.Repeat("0", 64)
			status, out, errs := runHere(t, "-get", s.url)
			if status != 1 || !strings.Contains(errs, "damaged") || !strings.Contains(errs, e.Path) {
				t.Errorf("status %d, error %q", status, errs)
			}
			if strings.Contains(out, "sha256 ok") {
				t.Errorf("damage was called ok:\n%s", out)
			}
		})
	}
}

// TestWrongSize: a file shorter or longer than the index says is an error, and
// the longer one is not read to its end.
func TestWrongSize(t *testing.T) {
	for _, d := range []int64{-1, 1} {
		s := serveHere(t, "1MiB")
		s.files.index.Files[2].Size += d
		status, _, errs := runHere(t, "-get", s.url)
		if status != 1 || !strings.Contains(errs, "bytes arrived instead of") {
			t.Errorf("size wrong by %d: status %d, error %q", d, status, errs)
		}
	}
}

// TestOneFile fetches a single one, and complains if there is no such.
func TestOneFile(t *testing.T) {
	s := serveHere(t, "1MiB")
	status, out, errs := runHere(t, "-get", s.url+"files/generated-3.bin")
	wantOK(t, status, out, errs)
	if !strings.Contains(out, "fetched 1 file,") {
		t.Errorf("not one file:\n%s", out)
	}
	status, _, errs = runHere(t, "-get", s.url+"files/other")
	if status != 1 || !strings.Contains(errs, "files/other") {
		t.Errorf("status %d, error %q", status, errs)
	}
}

// TestServerStalls: a server that stops in the middle of a file is given up.
func TestServerStalls(t *testing.T) {
	files, err := generatedCatalog(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan struct{})
	open := files.open
	files.open = func(name string) (io.ReadSeekCloser, error) {
		f, err := open(name)
		return stallingFile{f, stuck}, err
	}
	s := serveCatalog(t, files)
	defer close(stuck)
	status, _, errs := runHere(t, "-get", s.url, "-timeout", "300ms")
	if status != 1 || !strings.Contains(errs, "nothing moved for 300ms") {
		t.Errorf("status %d, error %q", status, errs)
	}
}

// stallingFile blocks in Read until released.
type stallingFile struct {
	io.ReadSeekCloser
	release chan struct{}
}

func (f stallingFile) Read(p []byte) (int, error) {
	<-f.release
	return 0, io.EOF
}

// TestServerBreaks: a server that resets its connections midway is an error at once.
func TestServerBreaks(t *testing.T) {
	files, err := generatedCatalog(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	open := files.open
	var s *server
	var once sync.Once
	files.open = func(name string) (io.ReadSeekCloser, error) {
		once.Do(func() { s.http.Close() })
		return open(name)
	}
	s = serveCatalog(t, files)
	status, _, errs := runHere(t, "-get", s.url, "-timeout", "1h")
	if status != 1 || !strings.HasPrefix(errs, "error: ") {
		t.Errorf("status %d, error %q", status, errs)
	}
}

// TestInterrupt ends the run with an error that says so.
func TestInterrupt(t *testing.T) {
	files, err := generatedCatalog(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	open := files.open
	ctx, cancel := context.WithCancelCause(t.Context())
	files.open = func(name string) (io.ReadSeekCloser, error) {
		cancel(errInterrupted)
		return open(name)
	}
	s := serveCatalog(t, files)
	var out, errs bytes.Buffer
	if status := run(ctx, []string{"-get", s.url}, &out, &errs); status != 1 || errs.String() != "error: interrupted\n" {
		t.Errorf("status %d, error %q", status, errs.String())
	}
	cause := errors.New("while hashing")
	done, stop := context.WithCancelCause(t.Context())
	stop(cause)
	if _, err := generatedCatalog(done, 1<<20); !errors.Is(err, cause) {
		t.Errorf("an interrupt while hashing gave %v", err)
	}
}

// TestTwoProcesses runs server and client as two programs, then interrupts the server.
func TestTwoProcesses(t *testing.T) {
	srv, url, lines := serverProcess(t)
	out, err := program(t, "-get", url, "-n", "2").Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, out)
	}
	wantOK(t, 0, string(out), "")

	if err := srv.Process.Signal(os.Interrupt); err != nil {
		srv.Process.Kill()
		srv.Wait()
		return // Windows knows no such signal
	}
	var rest []string
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	if err := srv.Wait(); err != nil {
		t.Errorf("the interrupted server ended with %v", err)
	}
	if log := strings.Join(rest, "\n"); !strings.Contains(log, "segments out") || !strings.Contains(log, "interrupted") {
		t.Errorf("the server's log lacks connections or its end:\n%s", log)
	}
}

// TestServerKilled: a server process that dies without a word leaves the client
// with an error, not waiting for ever.
func TestServerKilled(t *testing.T) {
	srv, url, _ := serverProcess(t, "-size", "1GiB")
	cl := program(t, "-get", url, "-timeout", "1s")
	var errs bytes.Buffer
	cl.Stderr = &errs
	stdout, err := cl.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.Start(); err != nil {
		t.Fatal(err)
	}
	// The first progress line shows that transfers are going on.
	out := bufio.NewScanner(stdout)
	out.Scan()
	first := out.Text()
	srv.Process.Kill()
	srv.Wait()
	for out.Scan() {
	}
	err = cl.Wait()
	if strings.HasPrefix(first, "fetched") {
		t.Logf("the client was done before the server could be killed")
		return
	}
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 || !strings.HasPrefix(errs.String(), "error: ") {
		t.Errorf("first line %q, then %v, error %q", first, err, errs.String())
	}
}

// serverProcess starts the server as a process and returns its URL and the rest of its output.
func serverProcess(t *testing.T, args ...string) (*exec.Cmd, string, *bufio.Scanner) {
	t.Helper()
	if args == nil {
		args = []string{"-size", "4MiB"}
	}
	srv := program(t, append([]string{"-serve", "127.0.0.1:0"}, args...)...)
	stdout, err := srv.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	srv.Stderr = os.Stderr
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Process.Kill() })
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	url := regexp.MustCompile(`http://\S+`).FindString(lines.Text())
	if url == "" {
		t.Fatalf("the server's first line is %q", lines.Text())
	}
	return srv, url, lines
}
