// Package arrows holds no code: its tests keep the rooms of this module apart.
// Which room may import which, that the engine stays sans-I/O (no clock, lock,
// goroutine, random source or socket), and that every file is formatted.
package arrows
