package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// put writes a file, and the folder that it lies in.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// holds fails where a folder has other files than these, temporary ones among
// them, or a file says something else.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		got[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s holds %q, want %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// Where another process takes the name while a file is written, it keeps it.
func TestAFileIsReplacedOnlyWithForce(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, comes string // what has the name before, and in between; "" nothing
		force         bool
		want          string
	}{
		{"a free name", "", "", false, "mine"},
		{"a taken name", "theirs", "", false, "theirs"},
		{"a name taken in between", "", "theirs", false, "theirs"},
		{"a taken name, with force", "theirs", "", true, "mine"},
		{"a name taken in between, with force", "", "theirs", true, "mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x")
			if c.before != "" {
				put(t, path, c.before)
			}
			err := Write(path, c.force, func(w io.Writer) error {
				if c.comes != "" {
					put(t, path, c.comes)
				}
				_, err := io.WriteString(w, "mine")
				return err
			})
			if refused := c.want != "mine"; errors.Is(err, fs.ErrExist) != refused || refused && err.Error() != path+" exists" || !refused && err != nil {
				t.Errorf("written with %v", err)
			}
			holds(t, dir, map[string]string{"x": c.want})
		})
	}
}

// A link that has the name is not a free name either, wherever it leads.
func TestALinkIsReplacedOnlyWithForce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := os.Symlink("nowhere", path); err != nil {
		t.Fatal(err)
	}
	nothing := func(io.Writer) error { return nil }
	if err := Write(path, false, nothing); !errors.Is(err, fs.ErrExist) {
		t.Errorf("without force: %v", err)
	}
	if err := Write(path, true, nothing); err != nil {
		t.Errorf("with force: %v", err)
	}
	holds(t, dir, map[string]string{"x": ""})
}

// A folder takes the place of none, or of an empty one; of others only with
// force, and of a file never.
func TestAFolderIsReplacedOnlyWithForce(t *testing.T) {
	mkdir := func(t *testing.T, path string) {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := func(t *testing.T, path string) { put(t, path, "theirs") }
	full := func(t *testing.T, path string) { put(t, filepath.Join(path, "theirs"), "theirs") }
	none := func(*testing.T, string) {}
	mine := map[string]string{"x/mine": "mine"}
	for _, c := range []struct {
		name          string
		before, comes func(*testing.T, string)
		force         bool
		fails         string
		want          map[string]string
	}{
		{"a free name", none, none, false, "", mine},
		{"an empty folder", mkdir, none, false, "", mine},
		{"an empty folder in between", none, mkdir, false, "", mine},
		{"a folder", full, none, false, "x is not empty", map[string]string{"x/theirs": "theirs"}},
		{"a folder in between", none, full, false, "x is not empty", map[string]string{"x/theirs": "theirs"}},
		{"a folder filled in between", mkdir, full, false, "x is not empty", map[string]string{"x/theirs": "theirs"}},
		{"a file", file, none, false, "not a directory", map[string]string{"x": "theirs"}},
		{"a file in between", none, file, false, "not a directory", map[string]string{"x": "theirs"}},
		{"a file, with force", file, none, true, "not a directory", map[string]string{"x": "theirs"}},
		{"a folder, with force", full, none, true, "", mine},
		{"a folder in between, with force", none, full, true, "", mine},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "x")
			c.before(t, dir)
			err := WriteDir(dir, c.force, func(aside string) error {
				c.comes(t, dir)
				return os.WriteFile(filepath.Join(aside, "mine"), []byte("mine"), 0o644)
			})
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("written with %v, want %q", err, c.fails)
			}
			holds(t, parent, c.want)
		})
	}
}

// Where the system can exchange two names, a folder that is replaced has one
// throughout; where it cannot, two renames do.
func TestAFolderTakesAnothersPlace(t *testing.T) {
	for _, c := range []struct {
		name     string
		exchange func(a, b string) error
		replaces bool // something has the name
		fails    error
	}{
		{"as the system does it", exchange, true, nil},
		{"a free name", exchange, false, nil},
		{"an old kernel", func(string, string) error { return unix.ENOSYS }, true, nil},
		{"an old kernel, a free name", func(string, string) error { return unix.ENOSYS }, false, nil},
		{"a file system that cannot", func(string, string) error { return unix.EINVAL }, true, nil},
		{"another system", func(string, string) error { return unix.ENOTSUP }, true, nil},
		{"a failing disk", func(string, string) error { return unix.EIO }, true, unix.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir, aside := filepath.Join(parent, "x"), filepath.Join(parent, "aside")
			put(t, filepath.Join(aside, "mine"), "mine")
			if c.replaces {
				put(t, filepath.Join(dir, "theirs"), "theirs")
			}
			old, err := takePlace(aside, dir, c.exchange)
			if !errors.Is(err, c.fails) || (err == nil) != (c.fails == nil) {
				t.Fatalf("ended with %v, want %v", err, c.fails)
			}
			if c.fails != nil {
				holds(t, parent, map[string]string{"x/theirs": "theirs", "aside/mine": "mine"})
				return
			}
			if err := os.RemoveAll(old); err != nil {
				t.Fatal(err)
			}
			holds(t, parent, map[string]string{"x/mine": "mine"})
		})
	}
}

// Who names a pipe or a device means to write into it: a file is not put in its place,
// by force neither.
func TestWhatIsNotAFileIsNotReplaced(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		err := Write(pipe, force, func(io.Writer) error { t.Error("it is written"); return nil })
		if !errors.Is(err, ErrIrregular) {
			t.Errorf("with force %v: %v", force, err)
		}
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("it is %v now; %v", info.Mode(), err)
	}
}
