//go:build !amd64 || purego

package png

// unfilterFast is the assembly that this build does without.
func unfilterFast(dst, src, prev []byte, n, size, unit int) int { return 0 }

func adlerSums(p []byte) (sum, weighted uint32) { return adlerSumsPlain(p) }

func (z *inflater) fast(out []byte, at, limit int) (int, error) { return z.fastPlain(out, at, limit) }
