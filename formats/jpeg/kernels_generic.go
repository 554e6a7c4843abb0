//go:build !amd64 || purego

package jpeg

// This build does without assembly.

func inverseRow(dst []byte, stride int, blocks []int16, quant *[64]int16) {
	inverseRowPlain(dst, stride, blocks, quant)
}

func upsampleH2(dst, src []byte, n int)             { upsampleH2Plain(dst, src, n) }
func upsampleV2(dst, near, far []byte, n, bias int) { upsampleV2Plain(dst, near, far, n, bias) }
func upsampleH2V2(dst, near, far []byte, n int)     { upsampleH2V2Plain(dst, near, far, n) }
func yccToRGB(dst, y, cb, cr []byte)                { yccToRGBPlain(dst, y, cb, cr) }

func (d *Decoder) acFirst(s *scan, x, y, n int) error    { return d.acFirstPlain(s, x, y, n) }
func (d *Decoder) acRefine(s *scan, x, y, n int) error   { return d.acRefinePlain(s, x, y, n) }
func (d *Decoder) sequential(s *scan, x, y, n int) error { return d.sequentialPlain(s, x, y, n) }
