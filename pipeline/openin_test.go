package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
