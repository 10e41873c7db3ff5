package transport_test

import (
	"context"
	"time"

	"example.com/culvert/transport"
)

var ctx = context.Background()

// quick is a Config whose TIME-WAIT ends soon, so that tests leave nothing behind.
func quick() *transport.Config { return &transport.Config{MSL: 20 * time.Millisecond} }
