package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"slices"
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

// A manifest that lies about where its shards are, and adds up, is refused.
func TestManifestsNameFilesOfTheirFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "set")
	row := streamCases[0]
	m, err := WriteDataset(context.Background(), dir, testStream(t, row.h, row.row, 2, 2), WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shard := filepath.Join(dir, ShardFile(0))
	text, err := os.ReadFile(shard)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(parent, ShardFile(0)), string(text))
	put(t, filepath.Join(dir, "deep", ShardFile(0)), string(text))
	for _, name := range []string{
		filepath.Join(parent, ShardFile(0)), "../" + ShardFile(0), "deep/../../" + ShardFile(0), "deep/" + ShardFile(0),
		"./" + ShardFile(0), "..", ".", "", "/",
	} {
		t.Run(name, func(t *testing.T) {
			shards := slices.Clone(m.Shards)
			shards[0].File = name
			lie := NewManifest(m.Kind, shards)
			if err := WriteFile(filepath.Join(dir, ManifestFile), true, lie.Write); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenDataset(dir); err == nil || !strings.Contains(err.Error(), "names a file outside the dataset: ") {
				t.Errorf("opened with %v", err)
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
	if f, err := openFinite(path, false, stat, os.OpenFile); err == nil || !strings.Contains(err.Error(), "it is no regular file (prw-r--r--)") {
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
