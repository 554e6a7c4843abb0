// Package kernel has the inner loops of augment on rows and runs of bytes.
//
// Every kernel is plain Go that says what is computed, to the byte, and on
// amd64 with AVX2 and FMA an assembly routine that does the bulk of it. A
// function named …Fast returns how far the assembly came, 0 where there is
// none; the plain code of the same name with …Plain does the rest, and is what
// the tests hold the assembly to. The build tag purego leaves the assembly out.
//
// Products that are added to are converted explicitly, float32(a*b)+c, so that
// no compiler fuses them and every platform rounds alike.
package kernel

// Slack is how many elements past its end the row of a horizontal pass may be
// written: rows of scratch memory have it.
const Slack = 16

// grow returns a slice of length n, s's memory where it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
