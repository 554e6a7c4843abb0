//go:build !race

package arrowio

const poisoned = false
