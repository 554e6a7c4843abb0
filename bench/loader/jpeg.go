package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/formats/jpeg"
)

// jpegs is JPEG alone, from memory: the mean over a dataset's images, which Pillow has
// written at quality 90.
func (b *bench) jpegs(context.Context) (rows []row, err error) {
	if b.peer == nil {
		b.missing("JPEG is left out: the other side makes the files")
		return nil, nil
	}
	for _, set := range []string{"cs", "gta"} {
		for _, sampling := range []string{"4:2:0", "4:4:4"} {
			for _, kind := range []string{"baseline", "progressive"} {
				dir := filepath.Join(b.images.dir, "jpeg", fmt.Sprintf("%s-%s-%s", set, sampling[:1]+sampling[2:3]+sampling[4:], kind))
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return nil, err
				}
				n, err := b.peer.Ask("encode-jpeg", set, sampling, kind, dir)
				if err != nil {
					return nil, err
				}
				var files [][]byte
				for i := range int(n) {
					data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)))
					if err != nil {
						return nil, err
					}
					files = append(files, data)
				}
				var d jpeg.Decoder
				var pix []byte
				decode := func(i int) error {
					f, err := jpeg.Open(files[i])
					if err == nil {
						pix, err = d.AppendRGB(pix[:0], f, jpeg.Rows{})
					}
					return err
				}
				rows = append(rows, row{fmt.Sprintf("JPEG %s, %s %s", set, sampling, kind), seconds(len(files), decode), b.ask("decode-jpeg", dir), "OpenCV", false, 1})
			}
		}
	}
	return rows, nil
}
