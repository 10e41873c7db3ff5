package packetdrill

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Scripts of others are run in a process of their own, so that one that finds a panic in
// the stack, or a call that never ends, is reported like any other failure and the rest
// are still run.

// What a worker writes begins with these words; other lines are for people.
const (
	wordStart = "@start "
	wordDone  = "@done "
)

// scriptLimit is how long a script may take, in real time.
const scriptLimit = time.Minute

// dieAt names the variable that has TestWorkerDies' victim.
const dieAt = "CULVERT_DIE_AT"

// work runs the scripts that standard input names, a line each.
func work(t *testing.T, root string) {
	var set Settings
	if *flagShow {
		set.Trace = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(wordStart + in.Text())
		if in.Text() == os.Getenv(dieAt) {
			panic("BUG: as TestWorkerDies asked for")
		}
		s := RunBoth(t, root, in.Text(), set)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(wordDone + string(b))
	}
}

// runWorker runs files in a process until all are done or the process ends, and returns
// how many have a report.
func runWorker(t *testing.T, root string, files []string, report func(*ScriptReport)) (done int) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestScripts$", "-worker="+root, fmt.Sprintf("-show=%v", *flagShow))
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var late atomic.Bool
	watch := time.AfterFunc(scriptLimit, func() {
		late.Store(true)
		_ = cmd.Process.Kill() // if it is gone already, so be it
	})
	current := ""
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	var rest []string // of what a dying worker says
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, wordStart):
			current = strings.TrimPrefix(line, wordStart)
			watch.Reset(scriptLimit)
		case strings.HasPrefix(line, wordDone):
			var s ScriptReport
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, wordDone)), &s); err != nil {
				t.Fatal(err)
			}
			report(&s)
			done++
			current, rest = "", nil
		default:
			if *flagShow && !asJSON() {
				fmt.Println(line)
			}
			if rest = append(rest, line); len(rest) > 100 {
				rest = rest[1:]
			}
		}
	}
	err = cmd.Wait()
	watch.Stop()
	switch {
	case done == len(files):
		return done
	case current == "":
		t.Fatalf("the worker ended between scripts: %v\n%s", err, stderr.String())
	}
	reason := panicLine(stderr.String() + "\n" + strings.Join(rest, "\n"))
	if late.Load() {
		reason = fmt.Sprintf("the script was not over after %v", scriptLimit)
	}
	res := &Result{File: current, Outcome: Fail, Level: Strict, Pos: Pos{current, 1, 1}, Reason: reason}
	report(&ScriptReport{File: current, Folder: folder(root, current), Outcome: Fail, Level: Strict, Strict: res})
	return done + 1
}

// panicLine finds what a process died of.
func panicLine(out string) string {
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return "the process ended: " + strings.TrimSpace(out)
}

// TestWorkerDies: a script that ends the process is a failure, and the others have
// their reports.
func TestWorkerDies(t *testing.T) {
	if *flagWorker != "" {
		return
	}
	if got := panicLine("goroutine 1\npanic: BUG: foo\nmore"); got != "panic: BUG: foo" {
		t.Errorf("got %q", got)
	}
	if got := panicLine("exit 3\n"); got != "the process ended: exit 3" {
		t.Errorf("got %q", got)
	}
	files, err := Collect("testdata/rto")
	if err != nil {
		t.Fatal(err)
	}
	files = append([]string{"mustfail/wrong_seq.pkt", "none.pkt"}, files[:2]...)
	t.Setenv(dieAt, files[2])
	var got []string
	for left := files; len(left) > 0; {
		n := runWorker(t, ".", left, func(s *ScriptReport) { got = append(got, s.File+" "+string(s.Outcome)+" "+s.Strict.Reason) })
		left = left[n:]
	}
	for i, want := range []string{files[0] + " fail error handling", "none.pkt unreadable ", files[2] + " fail panic: BUG: as TestWorkerDies", files[3] + " pass "} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("report %d of %q is not %q", i, got, want)
		}
	}
}
