//go:build !linux

package pipeline

// widen does what it can on Linux.
func widen(any) {}
