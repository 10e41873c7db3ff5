package udpcarrier

import (
	"errors"
	"slices"
	"syscall"
)

// reports are the errors that a UDP socket returns on behalf of the network: they
// say that an earlier datagram, or this one, did not get through, and do not end
// the socket.
var reports = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.ENETRESET, syscall.EMSGSIZE, syscall.EPROTO,
	syscall.ENOPROTOOPT, syscall.EOPNOTSUPP, syscall.ETIMEDOUT, syscall.EACCES, syscall.EPERM,
	syscall.EADDRNOTAVAIL,
}

// networkError returns the error number if err is one of the reports.
func networkError(err error) (syscall.Errno, bool) {
	if err == nil {
		return 0, false // before e, which costs an allocation
	}
	var e syscall.Errno
	if !errors.As(err, &e) {
		return 0, false
	}
	e = translate(e)
	return e, isReport(e)
}

// isReport is networkError for a bare number.
func isReport(e syscall.Errno) bool { return slices.Contains(reports, e) }
