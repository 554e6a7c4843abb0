//go:build !linux

package files

import "golang.org/x/sys/unix"

// exchange is Linux's.
func exchange(string, string) error { return unix.ENOTSUP }
