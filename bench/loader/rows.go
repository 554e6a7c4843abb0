package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/bench/python"
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
	images *images
	peer   *python.Script // nil without the other side
	notes  []string       // what was left out, and why, a line each
	epoch  uint64
}

// items are the samples of a run on either side.
const items = 12

// missing adds a line below the table.
func (b *bench) missing(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...)+"\n")
}

// ask times something on the other side. It is nil where there is none.
func (b *bench) ask(words ...any) func() (float64, error) {
	if b.peer == nil {
		return nil
	}
	return func() (float64, error) { return b.peer.Ask(words...) }
}

func (b *bench) rows(ctx context.Context) ([]row, error) {
	var rows []row
	for _, of := range []func(context.Context) ([]row, error){b.decoding, b.jpegs, b.sampling, b.kernels, b.shards, b.pipe} {
		more, err := of(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// set is a dataset by its name on the other side.
func (b *bench) set(name string) *formats.Dataset {
	if name == "cs" {
		return b.images.cityscapes
	}
	return b.images.gta
}

// decoding is PNG alone, from memory: the mean over a dataset's images.
func (b *bench) decoding(context.Context) (rows []row, err error) {
	for _, set := range []string{"cs", "gta"} {
		var texts, ids [][]byte
		for _, e := range taken(b.set(set)) {
			text, err := os.ReadFile(e.Image)
			if err != nil {
				return nil, err
			}
			label, err := os.ReadFile(e.Label)
			if err != nil {
				return nil, err
			}
			texts, ids = append(texts, text), append(ids, label)
		}
		var d ourpng.Decoder
		var pix []byte
		decode := func(i int) error {
			f, err := ourpng.Open(texts[i])
			if err == nil {
				pix, err = d.AppendRGB(pix[:0], f, ourpng.Rows{})
			}
			return err
		}
		indices := func(i int) error {
			f, err := ourpng.Open(ids[i])
			if err == nil {
				pix, err = d.AppendIndices(pix[:0], f, ourpng.Rows{})
			}
			return err
		}
		standard := func(i int) error { _, err := png.Decode(bytes.NewReader(texts[i])); return err }
		rows = append(rows,
			row{"PNG " + set + ", RGB", seconds(len(texts), decode), b.ask("decode", set), "OpenCV", false, 2.8},
			row{"PNG " + set + ", RGB (standard)", seconds(len(texts), decode), seconds(len(texts), standard), "image/png", false, 4},
			row{"PNG " + set + ", label", seconds(len(ids), indices), b.ask("decode-label", set), "Pillow", false, 1},
		)
	}
	return rows, nil
}

// gta640 is the source of DAFormer's training, the reference of other rows.
var gta640 = augment.Options{Resize: [2]int{720, 1280}, Crop: [2]int{640, 640}, CatMaxRatio: 0.75, Flip: 0.5}

// sampling is from files to batches: samples by the published recipes, and crop
// pairs.
func (b *bench) sampling(context.Context) (rows []row, err error) {
	for _, m := range []struct {
		name, set string
		options   augment.Options
	}{
		{"gta640", "gta", gta640},
		{"cs640", "cs", augment.Options{Resize: [2]int{640, 1280}, Crop: [2]int{640, 640}, CatMaxRatio: 1, Flip: 0.5}},
		{"gta1024", "gta", augment.Options{Resize: [2]int{1440, 2560}, Crop: [2]int{1024, 1024}, CatMaxRatio: 0.75, Flip: 0.5}},
		{"cs1024", "cs", augment.Options{Resize: [2]int{1024, 2048}, Crop: [2]int{1024, 1024}, CatMaxRatio: 1, Flip: 0.5}},
	} {
		run, err := b.loader(m.set, func(images loader.Images) (*loader.Rows, error) {
			return loader.Samples(images, loader.Draws{Seed: 1}, m.options)
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{"sample " + m.name, run(1), b.askLoader("sample", m.set, m.options), "usual loader", true, 4})
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
	return append(rows, row{"crop pair", run(1), b.askLoader("pair", "cs", crops.Default()), "usual loader", true, 5}), nil
}

// askLoader times the other side's loader by the options of ours.
func (b *bench) askLoader(what, set string, options any) func() (float64, error) {
	text, err := json.Marshal(options) // without spaces: a word of the request
	if err != nil {
		return func() (float64, error) { return 0, err }
	}
	return b.ask(what, set, string(text), items)
}

// seconds times f(0) to f(n-1), the mean of a call on one core.
func seconds(n int, f func(i int) error) func() (float64, error) {
	return func() (float64, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		start := time.Now()
		for i := range n {
			if err := f(i); err != nil {
				return 0, err
			}
		}
		return time.Since(start).Seconds() / float64(n), nil
	}
}

// loader returns, for a number of cores, a run over the samples of a set: from
// files to batches of two.
func (b *bench) loader(set string, of func(loader.Images) (*loader.Rows, error)) (func(cores int) func() (float64, error), error) {
	images, err := loader.Folder(b.set(set))
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
					if err := rows.Append(ctx, out, (2*i+k)%min(items, rows.Items), b.epoch); err != nil {
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
func (b *bench) kernels(ctx context.Context) ([]row, error) {
	s, err := b.images.cityscapes.Read(ctx, 0)
	if err != nil {
		return nil, err
	}
	var scratch augment.Scratch
	whole := raster.Box{Y1: 640, X1: 1280}
	image, label := raster.New(640, 1280, 3), raster.New(640, 1280, 1)
	do := func(f func()) func() (float64, error) { return seconds(10, func(int) error { f(); return nil }) }
	rows := []row{
		{"bilinear cs to 1280x640", do(func() { scratch.ResizeBilinear(image, s.Image, 640, 1280, whole, false) }), b.ask("bilinear"), "OpenCV", false, 0.25},
		{"nearest label, same", do(func() { scratch.ResizeNearest(label, s.Label, 640, 1280, whole, false) }), b.ask("nearest"), "OpenCV", false, 1},
	}
	if s.Image.Height() < 720 || s.Image.Width() < 720 {
		b.missing("color jitter and blur are left out: %s is smaller than 720x720", s.ID)
		return rows, nil
	}
	crop := augment.Crop(s.Image, raster.Box{Y1: 720, X1: 720})
	jitter := augment.ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1, Chance: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	return append(rows,
		row{"color jitter 720x720", do(func() { jitter.Apply(crop.Clone(), rng) }), b.ask("jitter", 720), "torchvision", false, 4},
		row{"Gaussian blur 5x5 720x720", do(func() { scratch.Blur5(crop.Clone()) }), b.ask("blur", 720), "torchvision", false, 4},
	), nil
}

// shards are precomputed samples of 1280x720, read back into tensors.
func (b *bench) shards(ctx context.Context) ([]row, error) {
	lib, err := torch.Load("")
	if err != nil {
		b.missing("shards to tensors is left out: %v", err)
		return nil, nil
	}
	open := sync.OnceValues(func() (*shards.Dataset, error) { return b.precomputed(ctx) })
	columns := sync.OnceValues(func() (all [][]byte, err error) { // the mapped bytes themselves
		d, err := open()
		if err != nil {
			return nil, err
		}
		err = eachColumn(d, func(pix []byte, _ [4]int) { all = append(all, pix) })
		return all, err
	})
	tensors := func(int) error {
		d, err := open()
		if err != nil {
			return err
		}
		return lib.Run(torch.CPU, func(s *torch.Scope) error {
			return eachColumn(d, func(pix []byte, shape [4]int) { s.Wrap(pix, shape[:]...) })
		})
	}
	var sum uint64
	pass := func(int) error {
		all, err := columns()
		for _, c := range all {
			sum += plainSum(c)
		}
		return err
	}
	perSecond := func() (float64, error) {
		t, err := seconds(1, tensors)()
		return shardRows / t, err
	}
	return []row{
		{"shards to tensors, checked", seconds(1, tensors), seconds(1, pass), "a plain pass over the bytes", false, 0.7},
		{"shards to tensors, samples", perSecond, b.askLoader("sample", "gta", gta640), "usual loader, gta640", true, 40},
	}, nil
}

// eachColumn reads a dataset, every row checked against its digest.
func eachColumn(d *shards.Dataset, use func(pix []byte, shape [4]int)) error {
	for i := range d.Batches() {
		batch, err := d.Batch(i)
		if err != nil {
			return err
		}
		for _, column := range []string{"image", "label"} {
			pix, shape, err := batch.Tensor(column)
			if err != nil {
				return err
			}
			use(pix, shape)
		}
		batch.Release()
	}
	return nil
}

// plainSum reads every byte once, eight at a time.
func plainSum(b []byte) (sum uint64) {
	for ; len(b) >= 32; b = b[32:] {
		sum += binary.LittleEndian.Uint64(b) + binary.LittleEndian.Uint64(b[8:]) + binary.LittleEndian.Uint64(b[16:]) + binary.LittleEndian.Uint64(b[24:])
	}
	return sum
}

// pipe is the precomputed samples as a stream through a pipe.
func (b *bench) pipe(ctx context.Context) ([]row, error) {
	const program = "bin/pipa"
	if _, err := os.Stat(program); err != nil {
		b.missing("the stream through a pipe is left out: %v (make build)", err)
		return nil, nil
	}
	stream := sync.OnceValues(func() (string, error) { return b.stream(ctx) })
	through := func(command string) func() (float64, error) {
		return func() (float64, error) {
			path, err := stream()
			if err != nil {
				return 0, err
			}
			start := time.Now()
			c := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", command, "pipe", path, program)
			c.Stderr = os.Stderr
			err = c.Run()
			return time.Since(start).Seconds(), err
		}
	}
	return []row{
		{"stream through a pipe, read and checked", through(`cat "$1" | "$2" cat /dev/stdin >/dev/null`), through(`cat "$1" | cat >/dev/null`), "cat", false, 0.7},
	}, nil
}

// stream is a file of the precomputed samples as a stream.
func (b *bench) stream(ctx context.Context) (path string, err error) {
	path = filepath.Join(b.images.dir, "stream.arrow")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	d, err := b.precomputed(ctx)
	if err != nil {
		return "", err
	}
	defer d.Close()
	return path, files.Write(path, true, func(w io.Writer) error { return pipeline.Write(ctx, w, d.Stream(ctx)) })
}

// shardRows is how many samples the shards hold: enough for a second or so of a
// pipe.
const shardRows = 240

// precomputed opens the samples of one size, and writes them first where they are
// missing.
func (b *bench) precomputed(ctx context.Context) (*shards.Dataset, error) {
	dir := filepath.Join(b.images.dir, "shards")
	if _, err := os.Stat(filepath.Join(dir, shards.ManifestFile)); err == nil {
		return shards.Open(dir)
	}
	d := b.images.gta
	stage, err := augment.New(augment.Options{Resize: [2]int{720, 1310}, Crop: [2]int{720, 1280}, Flip: 0.5}, 1, 0)
	if err != nil {
		return nil, err
	}
	read := func(ctx context.Context, i int) (pipeline.Sample, error) { return d.Read(ctx, i%d.Len()) }
	s, err := pipeline.Run(ctx, pipeline.Generate(ctx, d.Header(), shardRows, 4, 2, read, nil), stage, 2)
	if err != nil {
		return nil, err
	}
	if _, err := shards.Write(ctx, dir, s, shards.WriteOptions{}); err != nil {
		return nil, err
	}
	return shards.Open(dir)
}
