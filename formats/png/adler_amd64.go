//go:build !purego

package png

import "golang.org/x/sys/cpu"

// adlerVectors is adlerSumsPlain of n bytes, a multiple of 32 that is not 0.
//
//go:noescape
func adlerVectors(p *byte, n int) (sum, weighted uint32)

// adlerSums is adlerSumsPlain.
func adlerSums(p []byte) (sum, weighted uint32) {
	whole := len(p) &^ 31
	if whole == 0 || !cpu.X86.HasAVX2 {
		return adlerSumsPlain(p)
	}
	sum, weighted = adlerVectors(&p[0], whole)
	for _, x := range p[whole:] {
		sum += uint32(x)
		weighted += sum
	}
	return sum, weighted
}
