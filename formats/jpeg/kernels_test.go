package jpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// TestInverse: a block's samples are those of the cosine transform, but for rounding.
func TestInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var block, quant [64]int16
		dc := 0
		for at, v := range drawBlock(r, &dc, 8) {
			block[zigzag[at]] = int16(v)
		}
		for i := range quant {
			quant[i] = 1 + int16(r.IntN(6))
		}
		var got [64]byte
		inverseBlock(got[:], 8, &block, &quant)
		for y := range 8 {
			for x := range 8 {
				sum := 0.0
				for v := range 8 {
					for u := range 8 {
						c := float64(block[8*v+u]) * float64(quant[8*v+u]) / 4
						if u == 0 {
							c /= math.Sqrt2
						}
						if v == 0 {
							c /= math.Sqrt2
						}
						sum += c * math.Cos(float64((2*x+1)*u)*math.Pi/16) * math.Cos(float64((2*y+1)*v)*math.Pi/16)
					}
				}
				want := max(0, min(sum+128, 255))
				if diff := math.Abs(want - float64(got[8*y+x])); diff > 0.6 { // 0.5 of the last rounding
					t.Fatalf("sample x %d y %d is %d, want %.2f", x, y, got[8*y+x], want)
				}
			}
		}
	}
}

// TestColor: every YCbCr is JFIF's RGB, but for rounding.
func TestColor(t *testing.T) {
	var y, cb, cr [256]byte
	for i := range y {
		y[i] = byte(i)
	}
	var got [3 * 256]byte
	for b := range 256 {
		for r := range 256 {
			for i := range y {
				cb[i], cr[i] = byte(b), byte(r)
			}
			yccToRGBPlain(got[:], y[:], cb[:], cr[:])
			for i := range y {
				l, u, v := float64(i), float64(b)-128, float64(r)-128
				for c, want := range [3]float64{l + 1.402*v, l - 0.344136*u - 0.714136*v, l + 1.772*u} {
					if want = max(0, min(want, 255)); math.Abs(want-float64(got[3*i+c])) > 0.51 {
						t.Fatalf("y %d cb %d cr %d: channel %d is %d, want %.2f", i, b, r, c, got[3*i+c], want)
					}
				}
			}
		}
	}
}

// TestUpsampling: a pixel is 3/4 of its sample and 1/4 of the next in each direction
// of which there are half the samples, and at the edge its sample.
func TestUpsampling(t *testing.T) {
	src := []byte{10, 10, 50, 90, 90} // 3 samples with what is beyond the edges
	dst := make([]byte, 6)
	upsampleH2Plain(dst, src, 3)
	if want := []byte{10, 20, 40, 60, 80, 90}; !bytes.Equal(dst, want) {
		t.Errorf("columns: %v, want %v", dst, want)
	}
	upsampleH2V2Plain(dst, src, src, 3)
	if want := []byte{10, 20, 40, 60, 80, 90}; !bytes.Equal(dst, want) {
		t.Errorf("columns and rows, equal rows: %v, want %v", dst, want)
	}
	upsampleH2V2Plain(dst, src, []byte{50, 50, 50, 50, 50}, 3)
	if want := []byte{20, 27, 43, 57, 73, 80}; !bytes.Equal(dst, want) { // 27.5, 42.5, 57.5 and 72.5
		t.Errorf("columns and rows: %v, want %v", dst, want)
	}
	upsampleV2Plain(dst[:3], src[1:], []byte{50, 50, 50}, 3, 1)
	if want := []byte{20, 50, 80}; !bytes.Equal(dst[:3], want) {
		t.Errorf("rows: %v, want %v", dst[:3], want)
	}
}

// TestStandardLibrary: files of image/jpeg's encoder are what its decoder gives, but
// for rounding where chroma is smooth.
func TestStandardLibrary(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {8, 8}, {17, 33}, {100, 75}} {
		m, gray := image.NewRGBA(image.Rect(0, 0, size[0], size[1])), image.NewGray(image.Rect(0, 0, size[0], size[1]))
		for y := range size[1] {
			for x := range size[0] {
				m.SetRGBA(x, y, color.RGBA{byte(2 * x), byte(2*y + 30), byte(x + y), 255})
				gray.SetGray(x, y, color.Gray{byte(5*x ^ 3*y)})
			}
		}
		for name, m := range map[string]image.Image{"color": m, "gray": gray} {
			var file bytes.Buffer
			if err := stdjpeg.Encode(&file, m, &stdjpeg.Options{Quality: 95}); err != nil {
				t.Fatal(err)
			}
			want, err := stdjpeg.Decode(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			got, _ := decodeAll(t, file.Bytes(), Rows{})
			limit := 1 // of grey: the two inverse transforms round differently
			if name == "color" {
				limit = 8 // image/jpeg repeats chroma, which rises by 4 a sample here
			}
			for i := range size[0] * size[1] {
				r, g, b, _ := want.At(i%size[0], i/size[0]).RGBA()
				for c, v := range [3]uint32{r >> 8, g >> 8, b >> 8} {
					if d := int(v) - int(got[3*i+c]); max(d, -d) > limit {
						t.Fatalf("%s %v: pixel %d channel %d is %d, want %d", name, size, i, c, got[3*i+c], v)
					}
				}
			}
		}
	}
}

// TestKernels: the kernels of this build are the plain ones, for every size, and write
// nothing beyond their rows.
func TestKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
			if r.IntN(8) == 0 {
				b[i] = byte(255 * r.IntN(2))
			}
		}
		return b
	}
	for n := 1; n < 150; n++ {
		a, b, c := random(n+40), random(n+40), random(n+40)
		got, want := make([]byte, 3*n+96), make([]byte, 3*n+96)
		check := func(name string, size int) {
			t.Helper()
			if !bytes.Equal(got[:size], want[:size]) {
				t.Fatalf("%s of %d differs", name, n)
			}
		}
		upsampleH2(got, a, n)
		upsampleH2Plain(want, a, n)
		check("H2", 2*n)
		upsampleH2V2(got, a, b, n)
		upsampleH2V2Plain(want, a, b, n)
		check("H2V2", 2*n)
		upsampleV2(got, a, b, n, 1+n&1)
		upsampleV2Plain(want, a, b, n, 1+n&1)
		check("V2", n)
		copy(got, bytes.Repeat([]byte{0xA5}, len(got)))
		copy(want, got)
		yccToRGB(got[:3*n], a, b, c)
		yccToRGBPlain(want[:3*n], a, b, c)
		check("color", len(got))
	}
	for trial := range 4000 {
		blocks, quant := make([]int16, 64*2*(1+r.IntN(3))), [64]int16{}
		for i := range quant {
			quant[i] = int16(1 + r.IntN(1<<(1+r.IntN(8))))
			if trial%10 == 0 {
				quant[i] = int16(r.Uint32())
			}
		}
		for i := range blocks {
			if r.IntN(64) < trial%64 || i%64 == 0 {
				blocks[i] = int16(r.Uint32()) >> r.IntN(16)
			}
		}
		stride := len(blocks)/8 + r.IntN(5)
		got := bytes.Repeat([]byte{0xA5}, 8*stride+len(blocks)/8)
		want := bytes.Clone(got)
		inverseRow(got, stride, blocks, &quant)
		inverseRowPlain(want, stride, blocks, &quant)
		if !bytes.Equal(got, want) {
			t.Fatalf("trial %d: %d blocks differ", trial, len(blocks)/64)
		}
	}
}

// BenchmarkDecode decodes drawn coefficients, of which there are as many as in
// photographs of quality 90.
func BenchmarkDecode(b *testing.B) {
	for _, size := range [][2]int{{1024, 2048}, {720, 1280}} {
		for _, sampling := range [][]int{{0x22, 0x11, 0x11}, {0x11, 0x11, 0x11}} {
			for _, progressive := range []bool{false, true} {
				m := testImage{height: size[0], width: size[1], sampling: sampling, progressive: progressive}
				f, err := Open(m.encode())
				if err != nil {
					b.Fatal(err)
				}
				b.Run(fmt.Sprintf("%dx%d/%x/progressive=%v", size[1], size[0], sampling, progressive), func(b *testing.B) {
					b.SetBytes(int64(size[0] * size[1] * 3))
					b.ReportAllocs()
					var d Decoder
					pix := make([]byte, 0, 3*size[0]*size[1])
					for b.Loop() {
						if pix, err = d.AppendRGB(pix[:0], f, Rows{}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
