package parquet

import (
	"context"
	"fmt"
	stdpng "image/png"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// BenchmarkEncode: PNG's levels on a scene of Cityscapes' shape; "size" is the
// part of the pixels' bytes that the PNG takes. PNG is nearly all of what Write does.
func BenchmarkEncode(b *testing.B) {
	scene, labels := fixtures.Scene(fixtures.Cityscapes, 1, 0, 512, 1024)
	defer func(l stdpng.CompressionLevel) { pngEncoder.CompressionLevel = l }(pngEncoder.CompressionLevel)
	for _, r := range []struct {
		name   string
		raster raster.Raster
	}{{"image", scene}, {"label", labels}} {
		for name, level := range map[string]stdpng.CompressionLevel{"default": stdpng.DefaultCompression, "speed": stdpng.BestSpeed} {
			b.Run(r.name+"/"+name, func(b *testing.B) {
				pngEncoder.CompressionLevel = level
				b.SetBytes(int64(len(r.raster.Pix())))
				size := 0
				for b.Loop() {
					p := picture{raster: r.raster}
					if err := p.encode(); err != nil {
						b.Fatal(err)
					}
					size = len(p.png)
				}
				b.ReportMetric(float64(size)/float64(len(r.raster.Pix())), "size")
			})
		}
	}
}

// BenchmarkWrite: 16 samples of 512x1024 with their comparison, in bytes of
// pixels.
func BenchmarkWrite(b *testing.B) {
	h := header(pipeline.KindSample, raster.Size{Height: 512, Width: 1024}, true)
	image, label := fixtures.Scene(fixtures.Cityscapes, 1, 0, 512, 1024)
	s := stream(h, func(b *pipeline.Builder, i int) error {
		return b.AppendSample(pipeline.Sample{ID: fmt.Sprintf("cityscapes/train/%d", i), Dataset: "cityscapes", Split: "train", Image: image, Label: label})
	}, 16)
	dir := filepath.Join(b.TempDir(), "out")
	b.SetBytes(16 * 512 * 1024 * 4)
	for b.Loop() {
		if _, err := Write(context.Background(), dir, s, Options{Force: true}); err != nil {
			b.Fatal(err)
		}
	}
}
