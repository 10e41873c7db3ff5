// Package carriertest checks an implementation of carrier.Carrier against the
// contract, as nettest does for net.Conn and fstest for fs.FS.
//
// A carrier may lose datagrams, but the pairs under test should not lose the small
// amounts that the tests send: at most 64 KiB are on the way at once.
package carriertest
