package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A process is one half of a measurement.
type process struct {
	role  string
	cmd   *exec.Cmd
	stdin io.Closer
	in    *json.Decoder
	out   *json.Encoder
	said  *tail
}

// A starter starts a process where it belongs.
type starter func(*exec.Cmd) error

// begin starts a process and gives it its job. It dies with ctx.
func begin(ctx context.Context, role string, j job, env []string, start starter) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, cmd: exec.CommandContext(ctx, exe, "-role", role), said: new(tail)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.said
	p.cmd.WaitDelay = time.Second // for what a child of its own keeps open
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := start(p.cmd); err != nil {
		return nil, err
	}
	p.stdin, p.in, p.out = stdin, json.NewDecoder(stdout), json.NewEncoder(stdin)
	if err := p.out.Encode(j); err != nil {
		return p, fmt.Errorf("%s: %w", role, err)
	}
	return p, nil
}

// read waits for the process's next word, which is of the type that v points to.
func (p *process) read(ctx context.Context, v any) error {
	err := p.in.Decode(v)
	if err == nil {
		return nil
	}
	p.end()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: not done in time", p.role)
	}
	if last := p.said.last(); last != "" {
		return fmt.Errorf("%s: %s", p.role, last)
	}
	return fmt.Errorf("%s: %w", p.role, err)
}

// end ends the process; it has nothing more to say.
func (p *process) end() {
	if p == nil {
		return
	}
	p.stdin.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// tail keeps the end of what a process says on standard error.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > 0 {
		t.b = bytes.Clone(t.b[n:])
	}
	return len(p), nil
}

// last is the line that says most: a panic's first, or else the last one.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	for _, l := range lines {
		if strings.HasPrefix(l, "panic:") || strings.HasPrefix(l, "fatal error:") {
			return l
		}
	}
	return strings.TrimPrefix(lines[len(lines)-1], "error: ")
}
