package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestWhatMayPass(t *testing.T) {
	at := func(err error) error { return fmt.Errorf("read: %w", &fs.PathError{Op: "open", Path: "x", Err: err}) }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{at(unix.EMFILE), true}, {at(unix.ENFILE), true}, {at(unix.ENOMEM), true}, {at(unix.ESTALE), true}, {at(unix.EIO), true}, {at(unix.ENOSPC), true},
		{at(unix.ENOENT), false}, {at(unix.EACCES), false}, {at(unix.EISDIR), false}, {at(fs.ErrNotExist), false},
		{fmt.Errorf("read: %w", &PassingError{errors.New("the store is silent")}), true}, {ErrFault, true}, {context.DeadlineExceeded, true},
		{errors.New("not a PNG file"), false}, {nil, false},
	} {
		if got := Passing(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// TestRetry: what is often gone soon is tried again, at most 0.7 s long, and all else
// is not.
func TestRetry(t *testing.T) {
	for _, c := range []struct {
		err   error
		fails int // calls
		calls int
		want  error
		took  time.Duration
	}{
		{unix.EMFILE, 2, 3, nil, 300 * time.Millisecond},
		{unix.EIO, 9, 4, unix.EIO, 700 * time.Millisecond},
		{unix.ENOENT, 9, 1, unix.ENOENT, 0},
		{unix.ENOSPC, 9, 1, unix.ENOSPC, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun, calls := time.Now(), 0
			err := Retry(func() error {
				if calls++; calls <= c.fails {
					return &fs.PathError{Op: "open", Path: "x", Err: c.err}
				}
				return nil
			})
			if !errors.Is(err, c.want) || calls != c.calls || time.Since(begun) != c.took {
				t.Errorf("%v: %v after %d calls and %v", c.err, err, calls, time.Since(begun))
			}
		})
	}
}
