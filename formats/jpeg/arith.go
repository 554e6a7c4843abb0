package jpeg

import "errors"

type conditioning struct{}

func (c *conditioning) reset()             {}
func (c *conditioning) parse([]byte) error { return nil }
func (d *Decoder) arithRestart(s *scan)    {}
func (d *Decoder) arithDecoderOf(s *scan) unitDecoder {
	return func(*scan, int, int, int) error { return errors.New("arithmetic") }
}
