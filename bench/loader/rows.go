package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/formats"
	ourpng "github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/torch"
)

type bench struct {
	data  string
	ask   func(words ...any) (float64, error)
	epoch uint64
}

// items are the samples of a run, as many as the other side takes.
const items = 12

func (b *bench) rows() ([]row, error) {
	var rows []row
	for _, set := range []string{"cs", "gta"} {
		image, label := filepath.Join(b.data, set, "img", "03.png"), filepath.Join(b.data, set, "lbl", "03.png")
		text, err := os.ReadFile(image)
		if err != nil {
			return nil, err
		}
		ids, err := os.ReadFile(label)
		if err != nil {
			return nil, err
		}
		var d ourpng.Decoder
		var pix []byte
		decode := func() error {
			f, err := ourpng.Open(text)
			if err == nil {
				pix, err = d.AppendRGB(pix[:0], f, ourpng.Rows{})
			}
			return err
		}
		indices := func() error {
			f, err := ourpng.Open(ids)
			if err == nil {
				pix, err = d.AppendIndices(pix[:0], f, ourpng.Rows{})
			}
			return err
		}
		standard := func() error { _, err := png.Decode(bytes.NewReader(text)); return err }
		rows = append(rows,
			row{"PNG " + set + ", RGB", seconds(3, decode), func() (float64, error) { return b.ask("decode", image) }, "OpenCV", false, 2.8},
			row{"PNG " + set + ", RGB (standard)", seconds(3, decode), seconds(1, standard), "image/png", false, 4},
			row{"PNG " + set + ", label", seconds(10, indices), func() (float64, error) { return b.ask("decode-label", label) }, "Pillow", false, 1},
		)
	}
	for _, m := range []struct {
		name, set string
		fit       [2]int
		crop      int
		ratio     float64
	}{{"gta640", "gta", [2]int{720, 1280}, 640, 0.75}, {"cs640", "cs", [2]int{640, 1280}, 640, 1}, {"gta1024", "gta", [2]int{1440, 2560}, 1024, 0.75}, {"cs1024", "cs", [2]int{1024, 2048}, 1024, 1}} {
		o := augment.Options{Resize: m.fit, Crop: [2]int{m.crop, m.crop}, CatMaxRatio: m.ratio, Flip: 0.5}
		run, err := b.loader(m.set, func(images loader.Images) (*loader.Rows, error) {
			return loader.Samples(images, loader.Draws{Seed: 1}, o)
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{"sample " + m.name, run(1), func() (float64, error) { return b.ask(m.name, 0, items, 1) }, "usual loader", true, 4})
		if m.name == "gta640" {
			rows = append(rows, row{"two workers, gta640", run(2), run(1), "pipa, one worker", true, 1.8})
		}
	}
	run, err := b.loader("cs", func(images loader.Images) (*loader.Rows, error) {
		return loader.Pairs(images, loader.Draws{Seed: 1}, crops.Default())
	})
	if err != nil {
		return nil, err
	}
	rows = append(rows, row{"crop pair", run(1), func() (float64, error) { return b.ask("pair", 0, items, 1) }, "usual loader", true, 5})
	kernels, err := b.kernels()
	if err != nil {
		return nil, err
	}
	shards, err := b.shards()
	return append(append(rows, kernels...), shards...), err
}

// seconds times f, the mean of n calls on one core.
func seconds(n int, f func() error) func() (float64, error) {
	return func() (float64, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		start := time.Now()
		for range n {
			if err := f(); err != nil {
				return 0, err
			}
		}
		return time.Since(start).Seconds() / float64(n), nil
	}
}

// loader returns, for a number of cores, a run over the samples of a set: from
// files to batches of two.
func (b *bench) loader(set string, of func(loader.Images) (*loader.Rows, error)) (func(cores int) func() (float64, error), error) {
	d, err := formats.Open(formats.Cityscapes(), filepath.Join(b.data, "layout", set), formats.Options{})
	if err != nil {
		return nil, err
	}
	images, err := loader.Folder(d)
	if err != nil {
		return nil, err
	}
	rows, err := of(images)
	if err != nil {
		return nil, err
	}
	return func(cores int) func() (float64, error) {
		return func() (float64, error) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			b.epoch++ // every run draws anew
			n := items * cores
			batches := func(yield func(int, error) bool) {
				for i := range n / 2 {
					if !yield(i, nil) {
						return
					}
				}
			}
			start := time.Now()
			for batch, err := range pipeline.Map(context.Background(), cores, batches, func(ctx context.Context, i int) (*pipeline.Batch, error) {
				out := pipeline.NewBuilder(rows.Header)
				defer out.Release()
				out.Reserve(2)
				for k := range 2 {
					if err := rows.Append(ctx, out, (2*i+k)%rows.Items, b.epoch); err != nil {
						return nil, err
					}
				}
				return out.Batch()
			}, (*pipeline.Batch).Release) {
				if err != nil {
					return 0, err
				}
				batch.Release()
			}
			return float64(n) / time.Since(start).Seconds(), nil
		}
	}, nil
}

// kernels are single operations of the CPU stages.
func (b *bench) kernels() ([]row, error) {
	photo, err := formats.ReadImage(filepath.Join(b.data, "cs", "img", "00.png"), raster.MaxPixels)
	if err != nil {
		return nil, err
	}
	plane := raster.New(photo.Height(), photo.Width(), 1)
	for i := range plane.Pix() {
		plane.Pix()[i] = photo.Pix()[3*i] % 19
	}
	var scratch augment.Scratch
	whole := raster.Box{Y1: 640, X1: 1280}
	image, label := raster.New(640, 1280, 3), raster.New(640, 1280, 1)
	crop := augment.Crop(photo, raster.Box{Y1: 720, X1: 720})
	jitter := augment.ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1, Chance: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	do := func(f func()) func() (float64, error) { return seconds(10, func() error { f(); return nil }) }
	ask := func(words ...any) func() (float64, error) {
		return func() (float64, error) { return b.ask(words...) }
	}
	return []row{
		{"bilinear 2048x1024 to 1280x640", do(func() { scratch.ResizeBilinear(image, photo, 640, 1280, whole, false) }), ask("bilinear"), "OpenCV", false, 0.25},
		{"nearest label, same", do(func() { scratch.ResizeNearest(label, plane, 640, 1280, whole, false) }), ask("nearest"), "OpenCV", false, 1},
		{"colour jitter 720x720", do(func() { jitter.Apply(crop.Clone(), rng) }), ask("jitter", 720), "torchvision", false, 4},
		{"Gaussian blur 5x5 720x720", do(func() { scratch.Blur5(crop.Clone()) }), ask("blur", 720), "torchvision", false, 4},
	}, nil
}

// shards are precomputed samples of 1280x720, read back, and sent through a
// pipe.
func (b *bench) shards() ([]row, error) {
	dir := filepath.Join(b.data, "shards")
	if _, err := os.Stat(filepath.Join(dir, shards.ManifestFile)); err != nil {
		if err := b.writeShards(dir); err != nil {
			return nil, err
		}
	}
	d, err := shards.Open(dir)
	if err != nil {
		return nil, err
	}
	lib, err := torch.Load("")
	if err != nil {
		return nil, err
	}
	var columns [][]byte // the mapped bytes themselves
	for i := range d.Batches() {
		batch, err := d.Batch(i)
		if err != nil {
			return nil, err
		}
		for _, name := range []string{"image", "label"} {
			pix, _, err := batch.Tensor(name)
			if err != nil {
				return nil, err
			}
			columns = append(columns, pix)
		}
	}
	tensors := func() error {
		return lib.Run(torch.CPU, func(s *torch.Scope) error {
			for i := range d.Batches() {
				batch, err := d.Batch(i) // checks every row against its digest
				if err != nil {
					return err
				}
				for _, column := range []string{"image", "label"} {
					pix, shape, err := batch.Tensor(column)
					if err != nil {
						return err
					}
					s.Wrap(pix, shape[:]...)
				}
				batch.Release()
			}
			return nil
		})
	}
	var sum uint64
	pass := func() error {
		for _, c := range columns {
			sum += plainSum(c)
		}
		return nil
	}
	perSecond := func() (float64, error) {
		t, err := seconds(1, tensors)()
		return float64(d.Len()) / t, err
	}
	pipe := func(command string) func() (float64, error) {
		return func() (float64, error) {
			start := time.Now()
			c := exec.Command("bash", "-c", command)
			c.Stderr = os.Stderr
			err := c.Run()
			return time.Since(start).Seconds(), err
		}
	}
	stream := filepath.Join(b.data, "stream.arrow")
	return []row{
		{"shards to tensors, checked", seconds(1, tensors), seconds(1, pass), "a plain pass over the bytes", false, 0.7},
		{"shards to tensors, samples", perSecond, func() (float64, error) { return b.ask("gta640", 0, items, 1) }, "usual loader, gta640", true, 40},
		{"stream through a pipe, read and checked", pipe("cat " + stream + " | bin/pipa cat /dev/stdin > /dev/null"), pipe("cat " + stream + " | cat > /dev/null"), "cat", false, 0.7},
	}, nil
}

// plainSum reads every byte once, eight at a time.
func plainSum(b []byte) (sum uint64) {
	for ; len(b) >= 32; b = b[32:] {
		sum += binary.LittleEndian.Uint64(b) + binary.LittleEndian.Uint64(b[8:]) + binary.LittleEndian.Uint64(b[16:]) + binary.LittleEndian.Uint64(b[24:])
	}
	return sum
}

// shardRows is how many samples the shards hold: enough for a second or so of a
// pipe.
const shardRows = 240

// writeShards stores samples of one size, as a dataset and as a stream.
func (b *bench) writeShards(dir string) error {
	d, err := formats.Open(formats.Cityscapes(), filepath.Join(b.data, "layout", "gta"), formats.Options{})
	if err != nil {
		return err
	}
	stage, err := augment.New(augment.Options{Resize: [2]int{720, 1310}, Crop: [2]int{720, 1280}, Flip: 0.5}, 1, 0)
	if err != nil {
		return err
	}
	ctx := context.Background()
	read := func(ctx context.Context, i int) (pipeline.Sample, error) { return d.Read(ctx, i%d.Len()) }
	s, err := pipeline.Run(ctx, pipeline.Generate(ctx, d.Header(), shardRows, 4, 2, read, nil), stage, 2)
	if err != nil {
		return err
	}
	if _, err := shards.Write(ctx, dir, s, shards.WriteOptions{}); err != nil {
		return err
	}
	stored, err := shards.Open(dir)
	if err != nil {
		return err
	}
	defer stored.Close()
	return files.Write(filepath.Join(b.data, "stream.arrow"), true, func(w io.Writer) error { return pipeline.Write(ctx, w, stored.Stream(ctx)) })
}
