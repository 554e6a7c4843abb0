package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is cut while a dataset is open is an error that names it, where a
// fault in mapped memory would end the process.
func TestADatasetIsCutWhileItIsOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	c := streamCases[0]
	if _, err := WriteDataset(context.Background(), dir, testStream(t, c.h, c.row, 6, 2), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDataset(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	file := filepath.Join(dir, ShardFile(0))
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Batch(0); err == nil || !strings.Contains(err.Error(), file+" cannot be read any more") {
		t.Errorf("read a batch of a file that was cut: %v", err)
	}
}

// Only faults become errors.
func TestMappedLetsOtherPanicsThrough(t *testing.T) {
	want := errors.New("x")
	if err := Mapped("a file", func() error { return want }); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("an index out of range was swallowed")
		}
	}()
	none := []int{}
	_ = Mapped("a file", func() error { none[len(none)]++; return nil })
}
