package conn

// Armed reports whether any timer of the connection is armed.
func (d *Driver) Armed() bool {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	for _, s := range []*side{&d.c.rd, &d.c.wr, d.c.bye} {
		if s != nil && s.timer != nil && s.timer.Stop() {
			return true
		}
	}
	return d.c.timer != nil && d.c.timer.Stop()
}
