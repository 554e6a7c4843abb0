package shards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
)

func TestDatasets(t *testing.T) {
	ctx := context.Background()
	for _, c := range pipelinetest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			m, err := Write(ctx, dir, pipelinetest.Stream(c.Header, c.Row, 6, 2), WriteOptions{ShardBytes: 500})
			if err != nil {
				t.Fatal(err)
			}
			if m.Rows != 12 || len(m.Shards) < 2 {
				t.Fatalf("%d rows in %d shards", m.Rows, len(m.Shards))
			}
			if err := verifyAll(t, dir); err != nil {
				t.Fatal(err)
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if !bytes.Equal(pipelinetest.Encode(t, d.Stream(ctx)), pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 6, 2))) {
				t.Error("the dataset's stream differs from what was written")
			}
			seen := map[string]bool{}
			shuffled, err := d.Shuffled(ctx, d.Cursor(PermutationOrder, 1, 0), 0, 1, 5)
			if err != nil {
				t.Fatal(err)
			}
			for b, err := range shuffled.Batches {
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range b.IDs() {
					seen[id] = true
				}
			}
			if len(seen) != 12 {
				t.Errorf("shuffled, %d of 12 rows appear", len(seen))
			}
			if _, err := Write(ctx, dir, pipelinetest.Stream(c.Header, c.Row, 1, 1), WriteOptions{}); err == nil {
				t.Error("overwrote without Force")
			}
			if _, err := Write(ctx, dir, pipelinetest.Stream(c.Header, c.Row, 1, 1), WriteOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDamagedDatasetsAreReported(t *testing.T) {
	ctx := context.Background()
	c := pipelinetest.Cases[2]
	write := func(t *testing.T) (dir, shard string) {
		dir = filepath.Join(t.TempDir(), "set")
		m, err := Write(ctx, dir, pipelinetest.Stream(c.Header, c.Row, 2, 2), WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return dir, filepath.Join(dir, m.Shards[0].File)
	}
	t.Run("every byte of a shard, by verify", func(t *testing.T) {
		dir, shard := write(t)
		data, err := os.ReadFile(shard)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data); at += 7 {
			damaged := bytes.Clone(data)
			damaged[at] ^= 0x10
			if err := os.WriteFile(shard, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := verifyAll(t, dir); err == nil || !strings.Contains(err.Error(), "part-00000.arrow") {
				t.Fatalf("byte %d: %v", at, err)
			}
		}
	})
	t.Run("a pixel, by reading", func(t *testing.T) {
		dir, shard := write(t)
		data, err := os.ReadFile(shard)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(data, pipelinetest.Sample(1, 4, 6, true).Image.Pix()[:12])
		if at < 0 {
			t.Fatal("pixels not found in the shard")
		}
		data[at] ^= 1
		if err := os.WriteFile(shard, data, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var out bytes.Buffer
		if err := pipeline.Write(ctx, &out, d.Stream(ctx)); err == nil || !strings.Contains(err.Error(), "row 1 (gta/train/00001) is damaged") {
			t.Errorf("error %v", err)
		}
	})
	for name, damage := range map[string]func(dir, shard string) error{
		"no manifest":   func(dir, shard string) error { return os.Remove(filepath.Join(dir, ManifestFile)) },
		"missing shard": func(dir, shard string) error { return os.Remove(shard) },
		"short shard":   func(dir, shard string) error { return os.Truncate(shard, 100) },
		"escaping name": func(dir, shard string) error {
			return os.WriteFile(filepath.Join(dir, ManifestFile), []byte(`{"format":"pipa-dataset/1","shards":[{"file":"../x"}]}`), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, shard := write(t)
			if err := damage(dir, shard); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); err == nil {
				t.Error("opened")
			}
		})
	}
}

func TestInterruptedDatasetLeavesNothing(t *testing.T) {
	c := pipelinetest.Cases[2]
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Write(ctx, filepath.Join(parent, "set"), pipelinetest.Stream(c.Header, c.Row, 50, 2), WriteOptions{ShardBytes: 300, Progress: func(rows int) {
		if rows > 10 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// verifyAll re-hashes every shard of a dataset.
func verifyAll(t *testing.T, dir string) error {
	t.Helper()
	m, err := ReadManifest(dir)
	if err != nil {
		return err
	}
	var bad []error
	agreed := Agree(m.Kind)
	for _, s := range m.Shards {
		f, err := os.Open(filepath.Join(dir, s.File))
		if err != nil {
			return err
		}
		if err := s.Verify(t.Context(), f, agreed); err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", s.File, err))
		}
		f.Close()
	}
	return errors.Join(bad...)
}

// A file that is cut while a dataset is open is an error that names it, where a
// fault in mapped memory would end the process.
func TestADatasetIsCutWhileItIsOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	c := pipelinetest.Cases[0]
	if _, err := Write(context.Background(), dir, pipelinetest.Stream(c.Header, c.Row, 6, 2), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	file := filepath.Join(dir, File(0))
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Batch(0); err == nil || !strings.Contains(err.Error(), file+" cannot be read any more") {
		t.Errorf("read a batch of a file that was cut: %v", err)
	}
}

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
			row := pipelinetest.Cases[0]
			if _, err := Write(context.Background(), dir, pipelinetest.Stream(row.Header, row.Row, 2, 2), WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			shard := filepath.Join(dir, File(0))
			if err := os.Rename(shard, filepath.Join(dir, c.to)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(c.to, shard); err != nil {
				t.Fatal(err)
			}
			d, err := Open(dir)
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
	row := pipelinetest.Cases[0]
	m, err := Write(context.Background(), dir, pipelinetest.Stream(row.Header, row.Row, 2, 2), WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shard := filepath.Join(dir, File(0))
	text, err := os.ReadFile(shard)
	if err != nil {
		t.Fatal(err)
	}
	for _, copied := range []string{filepath.Join(parent, File(0)), filepath.Join(dir, "deep", File(0))} {
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		filepath.Join(parent, File(0)), "../" + File(0), "deep/../../" + File(0), "deep/" + File(0),
		"./" + File(0), "..", ".", "", "/",
	} {
		t.Run(name, func(t *testing.T) {
			list := slices.Clone(m.Shards)
			list[0].File = name
			lie := NewManifest(m.Kind, list)
			if err := files.Write(filepath.Join(dir, ManifestFile), true, lie.Write); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "names a file outside the dataset: ") {
				t.Errorf("opened with %v", err)
			}
		})
	}
}
