//go:build linux

package jpeg

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

// TestNoOverread: neither the file, the pixels nor what a kernel is given are touched
// beyond their ends, whatever vectors are loaded and stored.
func TestNoOverread(t *testing.T) {
	var d Decoder
	for i, m := range images() {
		if i%5 > 0 {
			continue
		}
		data := m.encode()
		file := guarded(t, len(data))
		copy(file, data)
		f, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		dst := guarded(t, 3*f.Width*f.Height)
		if got, err := d.AppendRGB(dst[:0], f, Rows{}); err != nil || &got[0] != &dst[0] {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n < 100; n++ {
		near, far, dst, want := guarded(t, n+2), guarded(t, n+2), guarded(t, 2*n), make([]byte, 2*n)
		for i := range near {
			near[i], far[i] = byte(r.Uint32()), byte(r.Uint32())
		}
		upsampleH2(dst, near, n)
		upsampleH2Plain(want, near, n)
		if !bytes.Equal(dst, want) {
			t.Fatalf("H2 of %d differs", n)
		}
		upsampleH2V2(dst, near, far, n)
		upsampleH2V2Plain(want, near, far, n)
		if !bytes.Equal(dst, want) {
			t.Fatalf("H2V2 of %d differs", n)
		}
		upsampleV2(dst[n:], near[2:], far[2:], n, 2)
		upsampleV2Plain(want[n:], near[2:], far[2:], n, 2)
		if !bytes.Equal(dst[n:], want[n:]) {
			t.Fatalf("V2 of %d differs", n)
		}
		rgb := guarded(t, 3*n)
		yccToRGB(rgb, near[2:], far[2:], near[2:])
	}
}
