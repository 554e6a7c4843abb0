package png

const (
	adlerMod = 65521
	// adlerRun is the most bytes whose sums fit in 32 bits without a reduction
	// (RFC 1950, 9: NMAX, 5552), rounded down to whole vectors of 32 bytes.
	adlerRun = 5536
)

// adler32 continues the Adler-32 checksum sum (1 at the start) over p.
func adler32(sum uint32, p []byte) uint32 {
	a, b := sum&0xffff, sum>>16
	for len(p) > 0 {
		run := p[:min(len(p), adlerRun)]
		p = p[len(run):]
		s, w := adlerSums(run)
		b = uint32((uint64(b) + uint64(a)*uint64(len(run)) + uint64(w)) % adlerMod)
		a = (a + s) % adlerMod
	}
	return b<<16 | a
}

// adlerSumsPlain returns the sum of p's bytes, and the sum of each byte times
// the number of bytes from it to the end. p is at most adlerRun bytes.
func adlerSumsPlain(p []byte) (sum, weighted uint32) {
	for _, x := range p {
		sum += uint32(x)
		weighted += sum
	}
	return sum, weighted
}
