package png

import (
	"bytes"
	"fmt"
	hash "hash/adler32"
	"math/rand/v2"
	"testing"
)

// reference is the filters as ISO/IEC 15948, 9.2 writes them.
func reference(filter byte, src, prev []byte, unit int) []byte {
	row := make([]byte, len(src))
	for i := range src {
		var a, c int
		b := int(prev[i])
		if i >= unit {
			a, c = int(row[i-unit]), int(prev[i-unit])
		}
		predict := 0
		switch filter {
		case filterSub:
			predict = a
		case filterUp:
			predict = b
		case filterAverage:
			predict = (a + b) / 2
		case filterPaeth:
			p := a + b - c
			pa, pb, pc := abs(p-a), abs(p-b), abs(p-c)
			switch {
			case pa <= pb && pa <= pc:
				predict = a
			case pb <= pc:
				predict = b
			default:
				predict = c
			}
		}
		row[i] = src[i] + byte(predict)
	}
	return row
}

func abs(x int) int { return max(x, -x) }

// TestPaeth holds the branch-free form to the specification's for all inputs.
func TestPaeth(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			for c := range 256 {
				p := a + b - c
				pa, pb, pc := abs(p-a), abs(p-b), abs(p-c)
				want := c
				if pa <= pb && pa <= pc {
					want = a
				} else if pb <= pc {
					want = b
				}
				if got := paeth(byte(a), byte(b), byte(c)); int(got) != want {
					t.Fatalf("paeth(%d,%d,%d) = %d, want %d", a, b, c, got, want)
				}
			}
		}
	}
}

// TestUnfilterRows: rows of all filters, units and sizes are what the reference
// gives, whichever kernels take them, and nothing beyond them is written.
func TestUnfilterRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, unit := range []int{1, 2, 3, 4, 6, 8} {
		t.Run(fmt.Sprintf("unit %d", unit), func(t *testing.T) {
			for trial := range 2500 {
				size := 1 + r.IntN(600)
				if trial%2 == 0 {
					size = unit * (1 + r.IntN(200))
				}
				n := 1 + r.IntN(20)
				src := make([]byte, n*(size+1)+8)
				amplitude := 1 << (1 + r.IntN(8))
				sparse := trial%3 == 0 // as labels are
				for i := range src {
					src[i] = byte(r.IntN(amplitude))
					if sparse && r.IntN(40) > 0 {
						src[i] = 0
					}
				}
				one := r.IntN(8) // often all rows have one filter
				for y := range n {
					f := byte(one)
					if one > filterPaeth {
						f = byte(r.IntN(5))
					}
					src[y*(size+1)] = f
				}
				prev := make([]byte, size)
				for i := range prev {
					prev[i] = byte(r.IntN(256))
					if sparse && i >= unit && r.IntN(20) > 0 {
						prev[i] = prev[i-unit]
					}
				}
				want, above := []byte{}, prev
				for y := range n {
					line := src[y*(size+1) : (y+1)*(size+1)]
					above = reference(line[0], line[1:], above, unit)
					want = append(want, above...)
				}
				dst := bytes.Repeat([]byte{0xA5}, n*size+16)
				if bad := unfilterRows(dst[:n*size], src, prev, n, size, unit); bad != -1 {
					t.Fatalf("row %d is bad", bad)
				}
				if !bytes.Equal(dst[:n*size], want) {
					t.Fatalf("%d rows of %d bytes, filters from %d: rows differ", n, size, src[0])
				}
				if !bytes.Equal(dst[n*size:], bytes.Repeat([]byte{0xA5}, 16)) {
					t.Fatalf("%d rows of %d bytes: it wrote beyond", n, size)
				}
			}
		})
	}
}

func TestUnfilterBadFilter(t *testing.T) {
	const size, n = 64, 9
	for bad := range n {
		src := make([]byte, n*(size+1)+8)
		for y := range n {
			src[y*(size+1)] = filterPaeth
		}
		src[bad*(size+1)] = 5
		if got := unfilterRows(make([]byte, n*size), src, make([]byte, size), n, size, 4); got != bad {
			t.Errorf("filter 5 in row %d: got %d", bad, got)
		}
	}
}

func TestAdler32(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 31, 32, 33, 5535, 5536, 5537, 5552, 70001, 200000} {
		for _, top := range []int{256, 1} {
			p := make([]byte, n)
			for i := range p {
				p[i] = byte(256 - top + r.IntN(top))
			}
			split := r.IntN(n + 1)
			got := adler32(adler32(1, p[:split]), p[split:])
			if want := hash.Checksum(p); got != want {
				t.Errorf("%d bytes: %08x, want %08x", n, got, want)
			}
		}
	}
}
