package mutation

// A mutant is the engine with one text in one of its files replaced by another.
type mutant struct {
	name     string
	file     string // in tcpcore
	old, new string // old must stand in the file exactly once
	caughtBy string // a test that must fail
	more     bool   // only tried if all are asked for
}

var mutants = []mutant{
	{
		name: "Karn's rule is forgotten", file: "ack.go",
		old: "		sample = 0\n", new: "		sample = now.Sub(e.snd.lastSent)\n",
		caughtBy: "TestKarn",
	},
	{
		name: "the RTO does not back off", file: "recovery.go",
		old: "e.rtt.backoff = min(e.rtt.backoff+1, 31)", new: "e.rtt.backoff = min(e.rtt.backoff, 31)",
		caughtBy: "TestBackOff",
	},
	{
		name: "a timeout leaves the congestion window", file: "recovery.go",
		old: "e.congestionEvent(now, congestion.Timeout, found, 0)", new: "_ = found",
		caughtBy: "TestTimeoutWindow", more: true,
	},
	{
		name: "the fourth duplicate ACK retransmits", file: "recovery.go",
		old: "const dupThresh = 3", new: "const dupThresh = 4",
		caughtBy: "TestFastRetransmit",
	},
	{
		name: "a partial acknowledgment retransmits nothing", file: "newreno.go",
		old: "if e.sent.len() > 0 && e.sent.at(0).state == inFlight {", new: "if e.sent.len() < 0 && e.sent.at(0).state == inFlight {",
		caughtBy: "TestNewReno", more: true,
	},
	{
		name: "what the peer reneged on is never sent again", file: "recovery.go",
		old: "reneged := e.sent.at(0).state == sacked", new: "reneged := false",
		caughtBy: "TestReneging",
	},
	{
		name: "the congestion window is ignored", file: "output.go",
		old: "p > 0 && p+size > e.window() &&", new: "p > 0 && p+size > 1<<30 &&",
		caughtBy: "TestInitialWindow",
	},
	{
		name: "new data goes before what goes out in pieces", file: "spread.go",
		old: "return e.rec.spread.every > 0 && e.sent.count[lost] > 0", new: "return e.rec.spread.every < 0 && e.sent.count[lost] > 0",
		caughtBy: "TestSpreadNewData",
	},
	{
		name: "the peer's window is exceeded by one octet", file: "output.go",
		old: "u := s.una.Add(s.wnd).Sub(s.nxt)", new: "u := s.una.Add(s.wnd + 1).Sub(s.nxt)",
		caughtBy: "TestSmallWindowPeer", more: true,
	},
	{
		name: "a closed window is not probed", file: "persist.go",
		old: "	e.wanted.probe = true\n", new: "	e.wanted.probe = false\n",
		caughtBy: "TestZeroWindow",
	},
	{
		name: "probes end though they are answered", file: "ack.go",
		old: "	e.pers.unanswered = 0\n", new: "	e.pers.unanswered += 0\n",
		caughtBy: "TestZeroWindow", more: true,
	},
	{
		name: "the timer of the delayed ACK is lost", file: "text.go",
		old: "	e.timer.arm(tDelayedACK, now.Add(e.cfg.DelayedACK))\n", new: "",
		caughtBy: "TestDelayedACK",
	},
	{
		name: "the right edge of the window is off by one", file: "input.go",
		old: "	case s.Seq.In(e.rcv.nxt, wnd):\n", new: "	case s.Seq.In(e.rcv.nxt, wnd+1):\n",
		caughtBy: "TestBlindReset",
	},
	{
		name: "any RST in the window resets", file: "input.go",
		old: "	if s.Seq != e.rcv.nxt {\n		e.challenge(now)\n		return\n	}\n", new: "",
		caughtBy: "TestBlindReset",
	},
	{
		name: "a SYN in a synchronized state resets", file: "input.go",
		old: "		} else {\n			e.challenge(now)\n		}\n", new: "		} else {\n			e.closeWith(now, ErrReset)\n		}\n",
		caughtBy: "TestBlindSYN",
	},
	{
		name: "challenge ACKs have no limit", file: "input.go",
		old: "	if l.n >= challengeBurst {\n		return false\n	}\n", new: "",
		caughtBy: "TestChallengeLimit", more: true,
	},
	{
		name: "the window of a SYN is scaled", file: "input.go",
		old: "e.snd.wnd = int(s.Window) // ", new: "e.snd.wnd = int(s.Window) << 3 // ",
		caughtBy: "TestWindowScale",
	},
	{
		name: "PAWS is off", file: "options.go",
		old: "	e.count.PAWSDrops++\n", new: "	return false\n",
		caughtBy: "TestPAWS",
	},
	{
		name: "the last of the bytes that arrive twice win", file: "reassembly.go",
		old: "	if at.Less(right) {\n		fresh(at, right)\n	}\n", new: "	fresh(left, right)\n",
		caughtBy: "TestFirstBytesWin",
	},
	{
		name: "reassembly swallows the end of an overlap", file: "reassembly.go",
		old: "		at = at.Max(h.right)\n", new: "		at = at.Max(right)\n",
		caughtBy: "TestSimulation", more: true,
	},
	{
		name: "out-of-order ranges have no bound", file: "reassembly.go",
		old: "len(q.ranges) >= limit", new: "len(q.ranges) < 0",
		caughtBy: "TestManyHoles", more: true,
	},
	{
		name: "a retransmission copies from the wrong place", file: "sent.go",
		old: "	rest.seq = rest.seq.Add(n)\n", new: "	rest.seq = rest.seq.Add(n - 1)\n",
		caughtBy: "TestSimulation",
	},
	{
		name: "the FIN is not sent again", file: "output.go",
		old: "	if r.flags&recFIN != 0 {\n		flags = segment.FIN\n	}\n", new: "",
		caughtBy: "TestFINLost",
	},
	{
		name: "the urgent pointer is off by one", file: "input.go",
		old: "up := s.Seq.Add(int(s.Urgent))", new: "up := s.Seq.Add(int(s.Urgent) + 1)",
		caughtBy: "TestUrgentReceive",
	},
	{
		name: "TIME-WAIT is skipped", file: "text.go",
		old: "		e.setState(now, TimeWait)\n", new: "		e.closeWith(now, nil)\n",
		caughtBy: "TestTimeWaitDuty",
	},
	{
		name: "a window that shrank is taken for negative room", file: "ack.go",
		old: "	e.snd.wnd = wnd\n", new: "	e.snd.wnd = max(e.snd.wnd, wnd)\n",
		caughtBy: "TestShrinkToZero", more: true,
	},
	{
		name: "the initial sequence number has no clock", file: "user.go",
		old: "e.p.ISN + uint32(now/Time(4*time.Microsecond))", new: "e.p.ISN + uint32(4*time.Microsecond)",
		caughtBy: "TestISN", more: true,
	},
	{
		name: "the loss of a probe is congestion", file: "pmtu.go",
		old: "	if r.flags&recProbe == 0 || e.rec.phase != open ||", new: "	if r.flags&recProbe == 0 || e.rec.phase == open ||",
		caughtBy: "TestMTUProbeLost", more: true,
	},
	{
		name: "a probe follows a lost one at once", file: "pmtu.go",
		old: "pause := e.rtt.srtt * time.Duration(", new: "pause := 0 * time.Duration(",
		caughtBy: "TestMTUProbeLost", more: true,
	},
	{
		name: "a report need not quote what is in flight", file: "pmtu.go",
		old: "i >= e.sent.len() || e.sent.at(i).seq != seq ||", new: "i >= e.sent.len() ||",
		caughtBy: "TestTooBig", more: true,
	},
	{
		name: "segments that vanish for their size go on as they are", file: "pmtu.go",
		old: "case !p.on || e.rec.timeouts < blackHoleAfter ||", new: "case !p.on || e.rec.timeouts >= blackHoleAfter ||",
		caughtBy: "TestBlackHole", more: true,
	},
	{
		name: "an outage is taken for a black hole", file: "pmtu.go",
		old: "case p.most > e.mssOf(to) && p.doubt == 0:", new: "case false:",
		caughtBy: "TestOutageIsNoBlackHole", more: true,
	},
	{
		name: "any losses behind the first of a train are the train's fault", file: "trains.go",
		old: "		s.rest, s.flights = 0, 0\n", new: "		_ = 0\n",
		caughtBy: "TestTrainsAreNotSpoiled", more: true,
	},
}
