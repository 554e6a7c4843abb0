package png

import (
	"bytes"
	"compress/flate"
	"image"
	"image/color"
	stdpng "image/png"
	"io"
	"math"
	"math/rand/v2"
	"testing"
)

// The benchmarks decode whole files of the sizes that loaders meet, checksums
// and all. The limits they are measured against are image/png, run beside
// them, and OpenCV (TUNING.md).

// photo is like a camera's picture: smooth, with noise of a gray level or two,
// 2048x1024 RGB, encoded by image/png's defaults.
func photo(b *testing.B) []byte {
	r := rand.New(rand.NewPCG(33, 34))
	m := image.NewRGBA(image.Rect(0, 0, 2048, 1024))
	for y := range 1024 {
		for x := range 2048 {
			light := 110 + 60*math.Sin(float64(x)/190)*math.Cos(float64(y)/130) + 25*math.Sin(float64(x*y)/40000)
			var c [3]byte
			for i := range c {
				c[i] = byte(light + float64(12*i) + r.NormFloat64()*1.1)
			}
			m.SetRGBA(x, y, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	return stdEncoded(b, m)
}

func stdEncoded(b *testing.B, m image.Image) []byte {
	b.Helper()
	var f bytes.Buffer
	if err := stdpng.Encode(&f, m); err != nil {
		b.Fatal(err)
	}
	return f.Bytes()
}

// regions is a label: id at x, y of wavy regions with small things in them.
func regions(x, y int) byte {
	id := byte(math.Sin(float64(x)/300)*4+math.Cos(float64(y)/90+float64(x)/700)*5) + 9
	if (x/37+y/53)%11 == 0 && x%37 < 9 && y%53 < 31 {
		id = byte(x/37) % 19
	}
	return id
}

func label8() *image.Gray {
	m := image.NewGray(image.Rect(0, 0, 2048, 1024))
	for i := range m.Pix {
		m.Pix[i] = regions(i%2048, i/2048)
	}
	return m
}

// label16 has ids in the red channel of 16-bit RGB, and instances in the green,
// as SYNTHIA.
func label16() *image.RGBA64 {
	m := image.NewRGBA64(image.Rect(0, 0, 1280, 760))
	for y := range 760 {
		for x := range 1280 {
			m.SetRGBA64(x, y, color.RGBA64{R: uint16(regions(x, y)), G: uint16(x / 37 * 20), A: 0xffff})
		}
	}
	return m
}

// run decodes data again and again.
func run(b *testing.B, data []byte, decode func(dst []byte) ([]byte, error)) {
	dst, err := decode(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(dst)))
	b.ReportMetric(float64(len(data))/1e6, "file-MB")
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = decode(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRGB(b *testing.B) {
	data, d := photo(b), new(bytesDecoder)
	run(b, data, func(dst []byte) ([]byte, error) { return d.AppendRGB(dst, data, Rows{}) })
}

func BenchmarkDecodeHalf(b *testing.B) {
	data, d := photo(b), new(bytesDecoder)
	run(b, data, func(dst []byte) ([]byte, error) { return d.AppendRGB(dst, data, Rows{Count: 512}) })
}

func BenchmarkImagePNG(b *testing.B) {
	for name, data := range map[string][]byte{"RGB": photo(b), "Label8": stdEncoded(b, label8()), "Label16": stdEncoded(b, label16())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stdpng.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLabel8(b *testing.B) {
	data, d := stdEncoded(b, label8()), new(bytesDecoder)
	run(b, data, func(dst []byte) ([]byte, error) { return d.AppendIndices(dst, data, Rows{}) })
}

func BenchmarkLabel16(b *testing.B) {
	data, d := stdEncoded(b, label16()), new(bytesDecoder)
	run(b, data, func(dst []byte) ([]byte, error) { return d.AppendChannel16(dst, data, 0, Rows{}) })
}

// BenchmarkInflate is the photo's deflate stream alone, in bands as decoding has it.
func BenchmarkInflate(b *testing.B) {
	file, err := Open(photo(b))
	if err != nil {
		b.Fatal(err)
	}
	var f parts
	if err := f.parse(file); err != nil {
		b.Fatal(err)
	}
	const line, rows = 1 + 3*2048, 1024
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(line * rows)
		var s scanlines
		for b.Loop() {
			if err := s.start(f.idat, line, line*rows, line*rows); err != nil {
				b.Fatal(err)
			}
			for y := 0; y < rows; {
				lines, err := s.next(line, rows-y)
				if err != nil {
					b.Fatal(err)
				}
				y += len(lines) / line
			}
		}
	})
	b.Run("compress-flate", func(b *testing.B) {
		b.SetBytes(line * rows)
		for b.Loop() {
			if _, err := io.Copy(io.Discard, flate.NewReader(bytes.NewReader(f.idat[2:]))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkUnfilter is rows of one filter, 3 bytes a pixel.
func BenchmarkUnfilter(b *testing.B) {
	const size, rows = 3 * 2048, 64
	r := rand.New(rand.NewPCG(35, 36))
	for f, name := range []string{"None", "Sub", "Up", "Average", "Paeth", "mixed"} {
		b.Run(name, func(b *testing.B) {
			src, dst, prev := make([]byte, rows*(size+1)+8), make([]byte, rows*size), make([]byte, size)
			for i := range src {
				src[i] = byte(r.IntN(7) - 3)
			}
			for y := range rows {
				if src[y*(size+1)] = byte(f); f > filterPaeth {
					src[y*(size+1)] = byte(1 + y%4)
				}
			}
			b.SetBytes(rows * size)
			for b.Loop() {
				unfilterRows(dst, src, prev, rows, size, 3)
			}
		})
	}
}

func BenchmarkAdler32(b *testing.B) {
	p := make([]byte, 100_000)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		adler32(1, p)
	}
}
