//go:build !linux

package udpcarrier

import "errors"

// Another opens one more socket at c's address, on Linux. Elsewhere it fails with
// errors.ErrUnsupported.
func (c *Carrier) Another() (*Carrier, error) { return nil, errors.ErrUnsupported }
