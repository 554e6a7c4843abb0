package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/pipeline/storage/storagetest"
	"golang.org/x/sys/unix"
)

func open(ctx context.Context, t *testing.T, name string) storage.Folder {
	t.Helper()
	f, err := storage.Open(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(text []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}
}

// TestFoldersAreAlike holds every kind of folder to the same behavior.
func TestFoldersAreAlike(t *testing.T) {
	storagetest.Server(t, "bucket")
	dir := t.TempDir()
	for name, where := range map[string]string{
		"path": filepath.Join(dir, "a"), "file": "file://" + filepath.ToSlash(filepath.Join(dir, "b")), "s3": "s3://bucket/some/prefix", "s3 root": "s3://bucket", "gs": "gs://bucket/other",
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t.Context(), t, where)
			if _, err := f.Open("x.txt"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file that is not there: %v", err)
			}
			for file, text := range map[string]string{"x.txt": "one", "deep/y.txt": "two", "deep/er/z.txt": "z"} {
				if err := f.Put(file, write([]byte(text))); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Put("x.txt", write([]byte("three"))); err != nil {
				t.Fatal(err)
			}
			fails := errors.New("no more")
			if err := f.Put("x.txt", func(w io.Writer) error { w.Write([]byte("fo")); return fails }); !errors.Is(err, fails) {
				t.Errorf("a write that fails: %v", err)
			}
			if text, err := fs.ReadFile(f, "x.txt"); err != nil || string(text) != "three" {
				t.Errorf("x.txt is %q, %v", text, err)
			}
			if info, err := fs.Stat(f, "deep/y.txt"); err != nil || info.Size() != 3 || info.IsDir() {
				t.Errorf("deep/y.txt: %v, %v", info, err)
			}
			var names []string
			entries, err := f.ReadDir("deep")
			for _, e := range entries {
				names = append(names, fs.FormatDirEntry(e))
			}
			if got := strings.Join(names, " "); err != nil || got != "d er/ - y.txt" {
				t.Errorf("deep has %q, %v", got, err)
			}
			for _, bad := range []string{"../x", "/x", ""} {
				if err := f.Put(bad, write(nil)); !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("put %q: %v", bad, err)
				}
			}
			if err := errors.Join(f.Remove("x.txt"), f.Remove("x.txt")); err != nil {
				t.Error(err)
			}
			if _, err := fs.Stat(f, "x.txt"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after its removal: %v", err)
			}
		})
	}
}

// TestAnInterruptedUploadLeavesNothing cuts an upload of several parts off: by
// the process's end, and by a server that fails.
func TestAnInterruptedUploadLeavesNothing(t *testing.T) {
	store := storagetest.Server(t, "bucket")
	big := bytes.Repeat([]byte("0123456789abcdef"), 40<<20/16) // three parts
	ctx, cancel := context.WithCancel(t.Context())
	parts := 0
	store.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && r.URL.Query().Get("partNumber") != "" {
			if parts++; parts == 2 {
				cancel() // as when the process is told to stop
			}
		}
		return false
	})
	if err := open(ctx, t, "s3://bucket/set").Put("part-00000.arrow", write(big)); err == nil {
		t.Error("an upload that was cut off counts as done")
	}
	again := open(t.Context(), t, "s3://bucket/set")
	if _, err := again.Open("part-00000.arrow"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after an interrupted upload: %v", err)
	}
	// A server that loses one part: the upload is taken up again.
	lost := false
	store.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && r.URL.Query().Get("partNumber") == "2" && !lost {
			lost = true
			http.Error(w, "", http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	if err := again.Put("part-00000.arrow", write(big)); err != nil || !lost {
		t.Fatalf("a lost part: %v", err)
	}
	if got, err := fs.ReadFile(again, "part-00000.arrow"); err != nil || !bytes.Equal(got, big) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
}

func TestWhatIsNoFolder(t *testing.T) {
	for name, want := range map[string]string{
		"ftp://host/x": "want a path, or a URL with file://, s3:// or gs://", "s3:///x": "names no bucket", "file://host/x": "names the host",
	} {
		if _, err := storage.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoLinkLeadsOutOfALocalFolder: nor does a pipe in it hang who reads.
func TestNoLinkLeadsOutOfALocalFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "set")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(parent, "secret"), nil, 0o644),
		os.Symlink("../secret", filepath.Join(dir, "out")), os.Symlink("..", filepath.Join(dir, "up")), unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644)); err != nil {
		t.Fatal(err)
	}
	f := open(t.Context(), t, dir)
	for name, want := range map[string]string{"out": "a link leads out of " + dir, "up/secret": "a link leads out of " + dir, "pipe": "it is not a regular file"} {
		if _, err := fs.ReadFile(f, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is read with %v", name, err)
		}
	}
}

func TestALocalFolderIsAFileSystem(t *testing.T) {
	f := open(t.Context(), t, t.TempDir())
	for _, name := range []string{"a", "b/c"} {
		if err := f.Put(name, write([]byte(name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := fstest.TestFS(f, "a", "b/c"); err != nil {
		t.Error(err)
	}
}
