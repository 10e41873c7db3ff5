package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/culvert/conn"
)

// drive does what standard input says, a command a line, and answers each with "ok", or
// "error" and why. It has one listener and one connection at a time.
//
//	listen ADDRESS       accept
//	dial ADDRESS [FROM]  dialling ADDRESS [FROM], then dialled or dialfails ERRNO: in the background
//	write N              read N: octets of the usual ones
//	eof                  the end comes next
//	fails ERRNO          reading fails so: ECONNRESET, ETIMEDOUT ...
//	refuses              writing fails sooner or later, with ECONNRESET or EPIPE
//	closewrite           close      abort: with a reset
//	state                the state of a connection of ours
//	info                 conn.Info of a connection of ours, as JSON
//	becomes STATE        it gets there, sooner or later
//	last N               write N octets and the end; the kernel puts both into one segment
//	watch                looks at the segments that arrive here, see inject.go
//	hears FLAGS          such a segment arrives, after what was last injected
//	inject FLAGS [OFF]   sends one that would be next in its sender's place, OFF octets off
func drive(o *options) error {
	d := driver{o: o}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.Fields(in.Text())
		answer, err := d.do(words)
		if err != nil {
			fmt.Println("error", in.Text()+":", err)
			continue
		}
		fmt.Println("ok", in.Text(), answer)
	}
	return in.Err()
}

type driver struct {
	o      *options
	l      net.Listener
	c      net.Conn
	dialed chan error
	w      *watcher
}

var errnos = map[string]syscall.Errno{
	"ECONNRESET": syscall.ECONNRESET, "ETIMEDOUT": syscall.ETIMEDOUT, "ECONNREFUSED": syscall.ECONNREFUSED,
	"ENOPROTOOPT": syscall.ENOPROTOOPT, "EHOSTUNREACH": syscall.EHOSTUNREACH, "ENETUNREACH": syscall.ENETUNREACH, "EPIPE": syscall.EPIPE,
	"EADDRINUSE": syscall.EADDRINUSE,
}

func (d *driver) do(words []string) (answer string, err error) {
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	if d.c == nil {
		switch arg(0) {
		case "write", "last", "read", "eof", "fails", "refuses", "closewrite", "close", "abort", "state", "info", "becomes":
			return "", errors.New("there is no connection")
		}
	} else {
		d.c.SetDeadline(time.Now().Add(d.o.timeout))
	}
	n, _ := strconv.Atoi(arg(1))
	switch arg(0) {
	case "listen":
		d.o.listen = arg(1)
		if d.l != nil {
			d.l.Close()
		}
		d.l, err = d.o.listener()
	case "accept":
		d.c, err = d.l.Accept()
	case "dial":
		d.o.local = arg(2)
		d.c, err = d.o.dialTo(d.o.tcp, arg(1))
	case "dialling":
		d.o.local = arg(2)
		d.dialed = make(chan error, 1)
		go func() {
			var err error
			d.c, err = d.o.dialTo(d.o.tcp, arg(1))
			d.dialed <- err
		}()
	case "dialled":
		err = <-d.dialed
	case "dialfails":
		var timeout net.Error
		switch e := <-d.dialed; {
		case e == nil:
			err = errors.New("it did not fail")
		case !errors.Is(e, errnos[arg(1)]) && !(arg(1) == "timeout" && errors.As(e, &timeout) && timeout.Timeout()):
			err = e
		}
	case "last":
		if c, ok := d.c.(*net.TCPConn); ok {
			if err = cork(c); err != nil {
				return "", err
			}
		}
		if _, err = io.Copy(struct{ io.Writer }{d.c}, octets(int64(n))); err == nil {
			err = d.c.(interface{ CloseWrite() error }).CloseWrite()
		}
	case "watch":
		d.w, err = watch(d.o.timeout)
	case "hears":
		err = d.w.hears(arg(1))
	case "inject":
		off, _ := strconv.Atoi(arg(2))
		err = d.w.inject(arg(1), off)
	case "write":
		_, err = io.Copy(struct{ io.Writer }{d.c}, octets(int64(n)))
	case "read":
		got, want := make([]byte, n), make([]byte, n)
		io.ReadFull(octets(int64(n)), want)
		if _, err = io.ReadFull(d.c, got); err == nil && string(got) != string(want) {
			err = errors.New("other octets than were sent")
		}
	case "eof":
		var k int
		if k, err = d.c.Read(make([]byte, 1000)); err == io.EOF {
			err = nil
		} else if err == nil {
			err = fmt.Errorf("%d octets, and no end", k)
		}
	case "fails":
		if err = d.failure(errnos[arg(1)]); err == nil {
			answer = arg(1)
		}
	case "refuses":
		for err == nil {
			_, err = d.c.Write(make([]byte, 100))
		}
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			err = nil
		}
	case "closewrite":
		err = d.c.(interface{ CloseWrite() error }).CloseWrite()
	case "abort":
		d.c.(interface{ SetLinger(int) error }).SetLinger(0)
		err = d.c.Close()
	case "close":
		err = d.c.Close()
	case "state", "info":
		c, ok := d.c.(*conn.Conn)
		if !ok {
			return "", errors.New("only ours tells")
		}
		if arg(0) == "state" {
			return c.Info().State.String(), nil
		}
		var b []byte
		b, err = json.Marshal(c.Info())
		answer = string(b)
	case "becomes":
		c, ok := d.c.(*conn.Conn)
		for end := time.Now().Add(d.o.timeout); ok && c.Info().State.String() != arg(1); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return "", fmt.Errorf("it is %v", c.Info().State)
			}
		}
	default:
		err = errors.New("unknown command")
	}
	return answer, err
}

// failure reads until that fails, which must be with want.
func (d *driver) failure(want syscall.Errno) error {
	b := make([]byte, 1<<16)
	for {
		_, err := d.c.Read(b)
		switch {
		case errors.Is(err, want):
			return nil
		case err != nil:
			return fmt.Errorf("%w, want %v", err, want)
		}
	}
}
