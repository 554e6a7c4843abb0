package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A folder from elsewhere may hold pipes, which are never written to, and links
// to devices, which never end: neither is opened.
func TestOnlyRegularFilesOfAFolderAreOpened(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zeros")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pipe", "link", "zeros"} {
		if _, err := Read(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), name+": it is not a regular file") {
			t.Errorf("%s is read with %v", name, err)
		}
		if f, err := OpenIn(dir, name); err == nil {
			f.Close()
			t.Errorf("%s is opened", name)
		}
	}
}

// A user may name a pipe, whose end is waited for; a device has none.
func TestAUserMayNameAPipe(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	put(t, file, "text")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("text"), 0) }()
	for _, name := range []string{pipe, file} {
		if got, err := ReadNamed(name, 4); err != nil || string(got) != "text" {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{file: "it has more than 3 bytes", "/dev/zero": "name a file or a pipe", dir: "is a directory"} {
		if _, err := ReadNamed(name, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// What is put in a file's place after it was looked at is looked at too.
func TestAFileThatBecomesAPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "text")
	stat := func(name string) (os.FileInfo, error) {
		info, err := os.Stat(name)
		if err := os.Remove(name); err != nil {
			return nil, err
		}
		if err := unix.Mkfifo(name, 0o644); err != nil {
			return nil, err
		}
		return info, err
	}
	if f, err := openFinite(path, false, stat, os.OpenFile); err == nil || !strings.Contains(err.Error(), "it is not a regular file (prw-r--r--)") {
		f.Close()
		t.Errorf("opened with %v", err)
	}
}

// A pipe in a folder's place is not waited for either.
func TestAPipeIsNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	if err := unix.Mkfifo(dir, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIn(dir, "x"); err == nil || !strings.Contains(err.Error(), "set: not a directory") {
		t.Errorf("opened with %v", err)
	}
}

// A manifest that is damaged may name a file that is not there: the error says
// in which folder.
func TestOpenInNamesTheWholePath(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenIn(dir, "part-00002.arroW"); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "part-00002.arroW")) {
		t.Errorf("error %v, want one that names the file in its folder", err)
	}
}
