package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestALockHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(dir, ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir, ".lock"); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir+" is in use by process ") {
		t.Errorf("a second owner: %v", err)
	}
	unlock()
	if unlock, err = Lock(dir, ".lock"); err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestTheOwnerIsNamed: also by who comes when it has the lock and has not written its
// name yet, whatever a killed owner has left there.
func TestTheOwnerIsNamed(t *testing.T) {
	for _, left := range []string{"", "process 1 on another\n"} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, ".lock"), left)
		f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR, 0)
		if err == nil {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		}
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error)
		go func() {
			time.Sleep(10 * time.Millisecond)
			_, err := f.WriteAt([]byte("process 22 on another\n"), 0)
			written <- err
		}()
		if _, err := Lock(dir, ".lock"); !errors.Is(err, ErrInUse) || !strings.HasSuffix(err.Error(), "is in use by process 22 on another") {
			t.Errorf("after %q: %v", left, err)
		}
		if err := errors.Join(<-written, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// An owner may remove the file. Whoever has opened it before, and locks it
// after, would own what nobody else sees.
func TestALockWhoseFileWasRemovedIsNone(t *testing.T) {
	for name, next := range map[string]func(path string) error{
		"removed":  func(string) error { return nil },
		"replaced": func(path string) error { return os.WriteFile(path, nil, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".lock")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := errors.Join(os.Remove(path), next(path)); err != nil {
				t.Fatal(err)
			}
			if removed, err := hold(f); !removed || err != nil {
				t.Errorf("held: %v, %v", !removed, err)
			}
		})
	}
}

// A folder from elsewhere may hold a pipe by the lock's name, or a link, through
// which the owner's name would be written over what it leads to.
func TestOnlyFilesAreLocks(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a pipe": {func(path string) error { return unix.Mkfifo(path, 0o644) }, "it is not a regular file"},
		"a link": {func(path string) error { return os.Symlink("other", path) }, ".lock is a link, which is not followed: move it away"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "other"), "mine")
			if err := c.make(filepath.Join(dir, ".lock")); err != nil {
				t.Fatal(err)
			}
			if _, err := Lock(dir, ".lock"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("locked with %v, want %q", err, c.want)
			}
			if text, err := os.ReadFile(filepath.Join(dir, "other")); err != nil || string(text) != "mine" {
				t.Errorf("the other file holds %q, %v", text, err)
			}
		})
	}
}
