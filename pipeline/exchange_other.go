//go:build !linux

package pipeline

import "golang.org/x/sys/unix"

// exchange is Linux's.
func exchange(string, string) error { return unix.ENOTSUP }
