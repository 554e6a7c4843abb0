package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// exchange gives two files or folders each other's name, at once. Kernels and
// file systems that cannot say EINVAL, ENOSYS or ENOTSUP, as some network file
// systems do.
func exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}
