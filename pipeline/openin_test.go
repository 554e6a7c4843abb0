package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A dataset's shard may be a link to a file of the folder, and to no other.
func TestNoLinkLeadsOutOfADataset(t *testing.T) {
	for _, c := range []struct {
		name, to string // where the shard's file is moved, and linked to
		outside  bool
	}{
		{"inside", "moved.arrow", false},
		{"beside", "../moved.arrow", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			row := streamCases[0]
			if _, err := WriteDataset(context.Background(), dir, testStream(t, row.h, row.row, 2, 2), WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			shard := filepath.Join(dir, ShardFile(0))
			if err := os.Rename(shard, filepath.Join(dir, c.to)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(c.to, shard); err != nil {
				t.Fatal(err)
			}
			d, err := OpenDataset(dir)
			if c.outside != (err != nil) || c.outside && !strings.Contains(err.Error(), "a link leads out of "+dir) {
				t.Errorf("opened with %v", err)
			}
			if err == nil {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

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
		if _, err := ReadFile(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), name+": it is no regular file") {
			t.Errorf("%s is read with %v", name, err)
		}
		if f, err := OpenIn(dir, name); err == nil {
			f.Close()
			t.Errorf("%s is opened", name)
		}
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
