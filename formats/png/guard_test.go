//go:build linux

package png

import (
	"bytes"
	"math/rand/v2"
	"syscall"
	"testing"
)

// guarded returns n bytes that end where memory does.
func guarded(t *testing.T, n int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	size := (n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	if err := syscall.Mprotect(m[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return m[size-n : size : size]
}

// TestNoOverread: neither the file nor the rows are touched beyond their ends,
// whatever vectors the kernels load and store.
func TestNoOverread(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	for _, h := range headers() {
		h.Width, h.Height = 70, 17
		s := random(r, h)
		for _, level := range []int{0, 1, 6} {
			s.level = level
			file := s.encode()
			// The deflate stream itself ends at the guard when it is inflated alone.
			stream := guarded(t, len(file))
			copy(stream, file)
			dst := guarded(t, 3*h.Width*h.Height)
			got, err := new(bytesDecoder).AppendRGB(dst[:0], stream, Rows{})
			if err != nil || !bytes.Equal(got, dst) {
				t.Fatalf("%s: %v", h.testName(), err)
			}
			raw := deflated(s.scanlines(), level)[2:]
			stream = guarded(t, len(raw)-4)
			copy(stream, raw)
			if got, err := inflated(new(inflater), stream, 1<<30, 1<<16); err != nil || !bytes.Equal(got, s.scanlines()) {
				t.Fatalf("%s: inflate: %v", h.testName(), err)
			}
		}
	}
	for unit := 1; unit <= 8; unit++ {
		for n := 1; n < 20; n++ {
			size := unit*16 + 32 + n
			src, dst, prev := guarded(t, n*(size+1)), guarded(t, n*size), guarded(t, size)
			for y := range n {
				src[y*(size+1)] = byte(r.IntN(5))
			}
			if bad := unfilterRows(dst, src, prev, n, size, unit); bad >= 0 {
				t.Fatal(bad)
			}
		}
	}
	p := guarded(t, 1000)
	adler32(1, p)
}
