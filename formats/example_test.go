package formats_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
)

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "pipa")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := fixtures.Write(ctx, dir, fixtures.Options{Width: 64, GTA: 2, Domains: []fixtures.Domain{fixtures.GTA}}); err != nil {
		log.Fatal(err)
	}
	d, err := formats.Open(formats.GTA(), filepath.Join(dir, "gta"), formats.Options{Split: "train"})
	if err != nil {
		log.Fatal(err)
	}
	for i := range d.Len() {
		s, err := d.Read(ctx, i) // RGB pixels, and labels as train IDs
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.ID, s.Image.Width(), s.Image.Channels(), s.Label.Channels())
	}
	// Output:
	// gta/train/00001 64 3 1
	// gta/train/00002 64 3 1
}
