package files

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"time"
)

// A PassingError is a failure of something else than a file's content, which may be
// gone the next time: an object store that does not answer.
type PassingError struct{ Err error }

func (e *PassingError) Error() string { return e.Err.Error() }
func (e *PassingError) Unwrap() error { return e.Err }

// staying are the system's reasons that stay: a name that leads nowhere, or where it
// may not.
var staying = []syscall.Errno{
	syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY, syscall.EACCES, syscall.EPERM,
	syscall.EROFS, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ENXIO, syscall.ENODEV, syscall.EXDEV,
}

// Passing reports whether an error says nothing about what was read or written, and
// may be gone the next time: too many open files, no memory, a disk, a file server or
// a network that fails. Such an error never makes a file a bad one.
func Passing(err error) bool {
	var passing *PassingError
	if errors.As(err, &passing) || errors.Is(err, ErrFault) {
		return true
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return !slices.Contains(staying, errno)
	}
	var network net.Error
	return errors.As(err, &network)
}

// brief are the system's reasons that may be gone within a second: a handle that a
// file server has forgotten, a table of open files that another process fills, a read
// of a disk that its controller repeats.
var brief = []syscall.Errno{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ESTALE, syscall.EIO, syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETIMEDOUT, syscall.ENOBUFS,
}

// tries is how often Retry calls, and pause how long it waits at first; later twice
// as long: 0.7 s in all.
const (
	tries = 4
	pause = 100 * time.Millisecond
)

// Retry calls f, which opens or reads, again while it fails for a reason that is often
// gone soon, a few times. Its last error is returned.
func Retry(f func() error) (err error) {
	for try, wait := 1, pause; ; try, wait = try+1, 2*wait {
		err = f()
		var errno syscall.Errno
		if try == tries || !errors.As(err, &errno) || !slices.Contains(brief, errno) {
			return err
		}
		time.Sleep(wait)
	}
}
