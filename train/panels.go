package train

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
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// panelsDir holds the pictures of steps.
const panelsDir = "panels"

// picturing tells whether this iteration is drawn, of the images of rank 0.
func (t *trainer) picturing() bool {
	return t.group.Rank() == 0 && t.cfg.PanelsEvery > 0 && t.iteration%t.cfg.PanelsEvery == 0
}

// notePanel keeps what a step shows: the source, the target with its
// pseudo-label, the teacher's confidence in it, and the mixture.
func (t *trainer) notePanel(in inputs, pseudo uda.PseudoLabels, mixed uda.Mixed, v *stepValues) {
	if !t.picturing() {
		return
	}
	for i := range in.target.Dim(0) {
		grey := pseudo.Probability.Select(0, i).Mul(255).To(torch.Uint8).Unsqueeze(2).Repeat(1, 1, 3)
		label := rasterOf(pseudo.Label.Select(0, i))
		v.panel = append(v.panel,
			pipeline.Sample{ID: "source", Image: picture(in.source.image, i), Label: rasterOf(in.source.label.Select(0, i))},
			pipeline.Sample{ID: "target, pseudo-label", Image: picture(in.target, i), Label: label},
			pipeline.Sample{ID: "confidence, pseudo-label", Image: rasterOf(grey), Label: label},
			pipeline.Sample{ID: "mixed", Image: picture(mixed.Image, i), Label: rasterOf(mixed.Label.Select(0, i))},
		)
	}
}

// picture is a normalised image as bytes, [H,W,3].
func picture(x *torch.Tensor, i int) raster.Raster {
	s := x.Scope()
	channel := func(v [3]float64) *torch.Tensor {
		return s.FromFloat32([]float32{float32(v[0]), float32(v[1]), float32(v[2])}, 3, 1, 1)
	}
	return rasterOf(x.Detach().Select(0, i).Mul(channel(uda.Std)).Add(channel(uda.Mean)).Clamp(0, 255).To(torch.Uint8).Permute(1, 2, 0))
}

// raster copies [H,W] or [H,W,C] to the host.
func rasterOf(x *torch.Tensor) raster.Raster {
	channels := 1
	if x.Dims() == 3 {
		channels = x.Dim(2)
	}
	r, err := raster.Wrap(x.Dim(0), x.Dim(1), channels, x.To(torch.Uint8).Contiguous().Bytes())
	if err != nil {
		panic(err) // the sizes are the tensor's own
	}
	return r
}

// drawPanel writes a step's picture: its samples, and below them the crop pairs
// with their overlap.
func (t *trainer) drawPanel(ctx context.Context, rows []pipeline.Sample, b stepBatch) error {
	if len(rows) == 0 {
		return nil
	}
	size := raster.Size{Height: rows[0].Image.Height(), Width: rows[0].Image.Width()}
	header := pipeline.Header{Kind: pipeline.KindSample, Seed: t.cfg.Seed, Classes: t.names, Colors: t.colors, Datasets: []string{""}, Size: size, Labelled: true}
	read := func(_ context.Context, i int) (pipeline.Sample, error) { return rows[i], nil }
	sheet, err := view.Sheet(ctx, pipeline.Generate(ctx, header, len(rows), 4, 1, read, nil), view.Options{Columns: 2, Width: 256})
	if err != nil {
		return fmt.Errorf("draw panel: %w", err)
	}
	sheets := []image.Image{sheet}
	if b.pairs != nil {
		stream := pipeline.Stream{Header: b.pairs.Header(), Batches: func(yield func(*pipeline.Batch, error) bool) { yield(copyPairs(b.pairs)) }}
		pairs, err := view.Sheet(ctx, stream, view.Options{Columns: 1, Width: 256})
		if err != nil {
			return fmt.Errorf("draw panel: %w", err)
		}
		sheets = append(sheets, pairs)
	}
	dir := filepath.Join(t.options.Out, panelsDir)
	if err := files.MkdirAll(dir); err != nil {
		return fmt.Errorf("draw panel: %w", err)
	}
	return files.Write(filepath.Join(dir, fmt.Sprintf("%08d.png", t.iteration)), true, func(w io.Writer) error { return png.Encode(w, stack(sheets)) })
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
