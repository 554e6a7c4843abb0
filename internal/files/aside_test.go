package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestModes: files and folders have what the umask leaves them, and the group of a
// folder with the setgid bit; what replaces another has its mode. The umask is the
// process's, so that no test runs beside this one.
func TestModes(t *testing.T) {
	for _, c := range []struct {
		umask        int
		file, folder fs.FileMode
	}{{0o077, 0o600, 0o700}, {0o027, 0o640, 0o750}, {0o022, 0o644, 0o755}, {0o002, 0o664, 0o775}} {
		t.Run(fmt.Sprintf("%03o", c.umask), func(t *testing.T) {
			before := unix.Umask(c.umask)
			defer unix.Umask(before)
			// A group of the user's that is not the first, where there is one.
			group := os.Getgid()
			if groups, err := os.Getgroups(); err == nil && os.Getuid() != 0 {
				for _, g := range groups {
					if g != group {
						group = g
					}
				}
			} else if os.Getuid() == 0 {
				group = 1
			}
			dir := t.TempDir()
			if err := errors.Join(os.Chown(dir, -1, group), os.Chmod(dir, 0o775|fs.ModeSetgid)); err != nil {
				t.Fatal(err)
			}
			say := func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }
			in := func(name string) string { return filepath.Join(dir, name) }
			unlock, err := Lock(dir, ".lock")
			if err != nil {
				t.Fatal(err)
			}
			unlock()
			if err := errors.Join(Write(in("file"), false, say), MkdirAll(in("deep/folder")),
				WriteDir(in("set"), false, func(aside string) error { return Write(filepath.Join(aside, "part"), true, say) }),
				Write(in("private"), false, say), os.Chmod(in("private"), 0o600), Write(in("private"), true, say),
				MkdirAll(in("open")), os.Chmod(in("open"), 0o777), WriteDir(in("open"), true, func(string) error { return nil })); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]fs.FileMode{
				".lock": c.file, "file": c.file, "set/part": c.file, "private": 0o600,
				"deep": c.folder | fs.ModeSetgid, "deep/folder": c.folder | fs.ModeSetgid, "set": c.folder | fs.ModeSetgid, "open": 0o777,
			} {
				info, err := os.Stat(in(name))
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode() & (fs.ModePerm | fs.ModeSetgid); got != want {
					t.Errorf("%s has mode %v, want %v", name, got, want)
				}
				var s unix.Stat_t
				if err := unix.Stat(in(name), &s); err != nil || int(s.Gid) != group {
					t.Errorf("%s has group %d, want %d (%v)", name, s.Gid, group, err)
				}
			}
		})
	}
}
