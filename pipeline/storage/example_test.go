package storage_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"

	"github.com/pipa-uda/pipa/pipeline/storage"
)

// A folder is a path, or a file://, s3:// or gs:// URL. What Put writes appears
// whole or not at all.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "pipa")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	folder, err := storage.Open(context.Background(), "file://"+dir)
	if err != nil {
		log.Fatal(err)
	}
	err = folder.Put("splits/train.txt", func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "00001")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	text, err := fs.ReadFile(folder, "splits/train.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output: 00001
}
