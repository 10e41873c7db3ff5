package packetdrill

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A mutant is an engine with one place broken. All of them are built into one
// test binary, in which an environment variable chooses the one that is alive.
type mutant struct {
	name     string
	file     string // in tcpcore
	old, new string // old must stand in the file exactly once; in new, on() is true for this mutant
	caughtIn string // a folder of testdata in which a script must fail
}

var mutants = []mutant{
	{"the RTO does not back off", "recovery.go",
		"	e.rtt.backoff = min(e.rtt.backoff+1, 31)\n", "	if !on() {\n		e.rtt.backoff = min(e.rtt.backoff+1, 31)\n	}\n", "rto"},
	{"Karn's rule is forgotten", "ack.go",
		"		sample = 0\n", "		if sample = 0; on() {\n			sample = now.Sub(e.snd.lastSent)\n		}\n", "rto"},
	{"RTTVAR is updated after SRTT", "rtt.go",
		"		diff := r.srtt - d\n", "		if on() {\n			r.srtt += (d - r.srtt) / 8\n		}\n		diff := r.srtt - d\n", "rto"},
	{"a timeout leaves the congestion window", "recovery.go",
		"		e.congestionEvent(now, congestion.Timeout, found, 0)\n", "		if !on() {\n			e.congestionEvent(now, congestion.Timeout, found, 0)\n		}\n", "rto"},
	{"the initial window has no bound", "output.go",
		"if p := e.pipe(); p > 0 && p+size > e.window() && !e.wanted.beyond {", "if p := e.pipe(); p > 0 && p+size > e.window() && !e.wanted.beyond && !on() {", "recovery"},
	{"the second duplicate ACK retransmits", "newreno.go",
		"r.dupACKs == dupThresh && e.sent", "(r.dupACKs == dupThresh || on() && r.dupACKs == 2) && e.sent", "recovery"},
	{"any RST in the window resets", "input.go",
		"	if s.Seq != e.rcv.nxt {\n		e.challenge(now)\n		return\n	}\n", "	if s.Seq != e.rcv.nxt && !on() {\n		e.challenge(now)\n		return\n	}\n", "states"},
	{"the right edge of the window is off by one", "input.go",
		"	case s.Seq.In(e.rcv.nxt, wnd):\n", "	case s.Seq.In(e.rcv.nxt, wnd) || on() && s.Seq.In(e.rcv.nxt, wnd+1):\n", "states"},
	{"challenge ACKs have no limit", "input.go",
		"	if l.n >= challengeBurst {\n", "	if l.n >= challengeBurst && !on() {\n", "reset"},
	{"PAWS is off", "options.go",
		"	e.count.PAWSDrops++\n", "	if on() {\n		return false\n	}\n	e.count.PAWSDrops++\n", "timestamps"},
	{"a closed window is not probed", "persist.go",
		"	e.wanted.probe = true\n", "	e.wanted.probe = !on()\n", "zerowindow"},
	{"the window of a SYN is scaled", "input.go",
		"	e.snd.wnd = int(s.Window) // ", "	if e.snd.wnd = int(s.Window); on() {\n		e.snd.wnd <<= 3\n	}\n	// ", "wscale"},
	{"the ACK of a FIN waits", "text.go",
		"	e.events |= EvReadable\n	e.ack.now = true\n", "	e.events |= EvReadable\n	e.ack.now = !on()\n", "close"},
	{"a FIN in FIN-WAIT-2 skips TIME-WAIT", "text.go",
		"		e.setState(now, TimeWait)\n", "		if on() {\n			e.closeWith(now, nil)\n			return\n		}\n		e.setState(now, TimeWait)\n", "states"},
	{"Nagle is off", "output.go",
		"	case idle && d <= u: ", "	case (idle || on()) && d <= u: ", "nagle"},
	{"the delayed ACK waits twice as long", "text.go",
		"	e.timer.arm(tDelayedACK, now.Add(e.cfg.DelayedACK))\n", "	if on() {\n		e.timer.arm(tDelayedACK, now.Add(2*e.cfg.DelayedACK))\n	}\n	e.timer.arm(tDelayedACK, now.Add(e.cfg.DelayedACK))\n", "delayedack"},
	{"a keep-alive probe has the next sequence number", "output.go",
		"		seq = seq.Add(-1)\n", "		if !on() {\n			seq = seq.Add(-1)\n		}\n", "keepalive"},
	{"options do not come off the MSS", "pmtu.go",
		"		size -= timestampsLen\n", "		if !on() {\n			size -= timestampsLen\n		}\n", "mss"},
	{"the echo of a mark never ends", "ecn.go",
		"	if s.Flags.Has(segment.CWR) {\n		c.echo = false\n	}\n", "	if s.Flags.Has(segment.CWR) && !on() {\n		c.echo = false\n	}\n", "ecn"},
	{"the probe comes after one round trip", "tlp.go",
		"		pto = max(2*e.rtt.srtt, minPTO)\n", "		if pto = max(2*e.rtt.srtt, minPTO); on() {\n			pto = e.rtt.srtt\n		}\n", "tlp"},
	{"reordering is given no time", "rack.go",
		"	return min(time.Duration(max(k.mult, 1))*e.rtt.min/4, e.rtt.srtt)\n", "	if on() {\n		return 0\n	}\n	return min(time.Duration(max(k.mult, 1))*e.rtt.min/4, e.rtt.srtt)\n", "rack"},
	{"recovery sends whatever is delivered", "prr.go",
		"	p.window = max(pipe+max(n, 0), e.snd.mss) ", "	if on() {\n		n = max(n, e.snd.mss)\n	}\n	p.window = max(pipe+max(n, 0), e.snd.mss) ", "prr"},
	{"an echo of the original segment proves nothing", "undo.go",
		"int32(s.Options.TSEcr-u.retransTS) >= 0 {\n", "int32(s.Options.TSEcr-u.retransTS) >= 0 || on() {\n", "undo"},
}

// mutantVar names the mutant that is alive in the binary.
const mutantVar = "CULVERT_MUTANT"

// breakEngine writes the engine's files with all mutants in them, and the overlay that
// puts them in place.
func breakEngine(t *testing.T, dir string) (overlay string) {
	engine, err := filepath.Abs(filepath.Join("..", "..", "tcpcore"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"mutant_on.go": "package tcpcore\n\nimport \"os\"\n\n" +
		"var mutantAlive = os.Getenv(\"" + mutantVar + "\")\n\nfunc mutantOn(name string) bool { return mutantAlive == name }\n"}
	for _, m := range mutants {
		if _, ok := texts[m.file]; !ok {
			src, err := os.ReadFile(filepath.Join(engine, m.file))
			if err != nil {
				t.Fatal(err)
			}
			texts[m.file] = string(src)
		}
		if n := strings.Count(texts[m.file], m.old); n != 1 {
			t.Fatalf("the mutant %q is stale: tcpcore/%s has its text %d times, not once: %q", m.name, m.file, n, m.old)
		}
		alive := strings.ReplaceAll(m.new, "on()", "mutantOn(`"+m.name+"`)")
		texts[m.file] = strings.Replace(texts[m.file], m.old, alive, 1)
	}
	replace := map[string]string{}
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(engine, name)] = path
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// TestMutants plays the corpus on engines that are broken on purpose: it must notice each.
func TestMutants(t *testing.T) {
	if os.Getenv(mutantVar) != "" {
		return // this is the binary of a mutant
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "mutants.test")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+breakEngine(t, dir), "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutants do not compile: %v\n%s", err, out)
	}
	play := func(name string) string {
		cmd := exec.CommandContext(t.Context(), bin, "-test.run=^TestCorpus$")
		cmd.Env = append(os.Environ(), mutantVar+"="+name)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return ""
		}
		return string(out)
	}
	if out := play("none"); out != "" {
		t.Fatalf("with no mutant alive the corpus fails:\n%s", out)
	}
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			out := play(m.name)
			if !strings.Contains(out, "--- FAIL: TestCorpus/testdata/"+m.caughtIn+"/") {
				t.Errorf("no script in %s notices; those that fail:\n%s", m.caughtIn, failures(out))
			}
		})
	}
}

// failures are the lines of an output that name scripts.
func failures(out string) string {
	var names []string
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, "--- FAIL: TestCorpus/") {
			names = append(names, strings.TrimSpace(line))
		}
	}
	return strings.Join(names, "\n")
}
