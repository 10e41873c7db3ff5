package benchmarks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"time"
)

// certificate makes one to throw away.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// overTLS is another stack with crypto/tls on top, version 1.3 with its own choice of
// cipher, and a full handshake for each connection.
func overTLS(name string, s Stack) Stack {
	over := s
	over.Name, over.About = name, s.About+", with crypto/tls"
	over.Listen = func(addr string) (net.Listener, error) {
		cert, err := certificate()
		if err != nil {
			return nil, err
		}
		l, err := s.Listen(addr)
		if err != nil {
			return nil, err
		}
		return tls.NewListener(l, &tls.Config{
			Certificates: []tls.Certificate{cert},
			MinVersion:   tls.VersionTLS13,
		}), nil
	}
	over.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		inner, err := s.Dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		c := tls.Client(inner, &tls.Config{
			InsecureSkipVerify: true, // the certificate is one to throw away
			MinVersion:         tls.VersionTLS13,
		})
		if err := c.HandshakeContext(ctx); err != nil {
			inner.Close()
			return nil, err
		}
		return c, nil
	}
	return over
}
