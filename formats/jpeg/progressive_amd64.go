//go:build !purego

package jpeg

func (d *Decoder) acFirst(s *scan, x, y, n int) error { return d.acFirstPlain(s, x, y, n) }
