// Package panels draws what a step sees, for a run's panels/.
package panels

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/view"
	"github.com/pipa-uda/pipa/train/feed"
)

// Dir is the folder of a run that holds the pictures of steps.
const Dir = "panels"

// Draw writes the picture of a run's step: its samples, and below them the crop pairs
// with their overlap. header has the samples' classes and their colors.
func Draw(ctx context.Context, run string, iteration int, header pipeline.Header, rows []pipeline.Sample, b feed.Batch) error {
	if len(rows) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // the step is done, and is saved where ctx has ended
	size := raster.Size{Height: rows[0].Image.Height(), Width: rows[0].Image.Width()}
	header.Kind, header.Datasets, header.Size, header.Labeled = pipeline.KindSample, []string{""}, size, true
	read := func(_ context.Context, i int) (pipeline.Sample, error) { return rows[i], nil }
	sheet, err := view.Sheet(ctx, pipeline.Generate(ctx, header, len(rows), 4, 1, read, nil), view.Options{Columns: 2, Width: 256})
	if err != nil {
		return fmt.Errorf("draw panel: %w", err)
	}
	sheets := []image.Image{sheet}
	if b.Pairs != nil {
		stream := pipeline.Stream{Header: b.Pairs.Header(), Batches: func(yield func(*pipeline.Batch, error) bool) { yield(copyPairs(b.Pairs)) }}
		pairs, err := view.Sheet(ctx, stream, view.Options{Columns: 1, Width: 256})
		if err != nil {
			return fmt.Errorf("draw panel: %w", err)
		}
		sheets = append(sheets, pairs)
	}
	dir := filepath.Join(run, Dir)
	if err := files.MkdirAll(dir); err != nil {
		return fmt.Errorf("draw panel: %w", err)
	}
	return files.Write(filepath.Join(dir, fmt.Sprintf("%08d.png", iteration)), true, func(w io.Writer) error { return png.Encode(w, stack(sheets)) })
}

// copyPairs is a batch of its own for a consumer that releases it.
func copyPairs(b *pipeline.Batch) (*pipeline.Batch, error) {
	out := pipeline.NewBuilder(b.Header())
	defer out.Release()
	for i := range b.Len() {
		p, err := b.Pair(i)
		if err != nil {
			return nil, err
		}
		if err := out.AppendPair(p); err != nil {
			return nil, err
		}
	}
	return out.Batch()
}

// stack puts pictures below each other.
func stack(pictures []image.Image) image.Image {
	var all image.Rectangle
	for _, p := range pictures {
		all.Max.X = max(all.Max.X, p.Bounds().Dx())
		all.Max.Y += p.Bounds().Dy()
	}
	out := image.NewNRGBA(all)
	draw.Draw(out, all, image.White, image.Point{}, draw.Src)
	y := 0
	for _, p := range pictures {
		draw.Draw(out, p.Bounds().Add(image.Pt(0, y)), p, p.Bounds().Min, draw.Src)
		y += p.Bounds().Dy()
	}
	return out
}
