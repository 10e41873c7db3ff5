package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/culvert/conn"
)

// certificate is a fresh one for 127.0.0.1, and the pool that trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

func serverTLS() *tls.Config {
	cert, _ := certificate()
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func clientTLS() *tls.Config {
	_, pool := certificate()
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// crypto/tls on top: half-close with close-notify in one direction, data in the
// other, and then the end.
func TestTLSHalfClose(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	question, answer := content(1, 300000), content(2, 400000)
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		c := tls.Server(raw, serverTLS())
		defer c.Close()
		got, err := io.ReadAll(c) // until the client's close-notify
		if err == nil {
			sameBytes(t, "question", got, question)
			_, err = c.Write(answer)
		}
		done <- err
	}()
	c := tls.Client(dial(t, l.Addr().String()), clientTLS())
	if _, err := c.Write(question); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "answer", got, answer)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A stream that ends without a close-notify, between two records, is an end to
// crypto/tls; one that is reset is an error.
//
// Shows: MUST-12.
func TestTLSCutOff(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	for _, abort := range []bool{false, true} {
		go func() {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			c := tls.Server(raw, serverTLS())
			c.Write([]byte("hello"))
			if abort {
				raw.(*conn.Conn).SetLinger(0)
			}
			raw.Close()
		}()
		c := tls.Client(dial(t, l.Addr().String()), clientTLS())
		_, err := io.ReadAll(c)
		if want := map[bool]error{false: nil, true: syscall.ECONNRESET}[abort]; !errors.Is(err, want) {
			t.Errorf("abort %v: %v, want %v", abort, err, want)
		}
	}
}

// A deadline in the past makes a TLS handshake that waits give up at once.
func TestTLSHandshakeDeadline(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			io.Copy(io.Discard, c) // never answers
		}
	}()
	raw := dial(t, l.Addr().String())
	c := tls.Client(raw, clientTLS())
	time.AfterFunc(10*time.Millisecond, func() { raw.SetDeadline(time.Unix(1, 0)) })
	err := c.Handshake()
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("Handshake: %v", err)
	}
}
