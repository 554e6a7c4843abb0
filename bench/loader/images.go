package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// images are what is measured: datasets of the source's and of the target's size.
type images struct {
	dir             string // they are kept there, and what is made of them
	gta, cityscapes *formats.Dataset
	what            string // in words, for the table
}

// widths are those of fixtures; heights follow.
type widths struct{ gta, cityscapes int }

var fullSize = widths{gta: 1914, cityscapes: 2048}

// drawn are n fixtures of each dataset, drawn where cache has none of these
// parameters.
func drawn(ctx context.Context, cache string, n int, w widths) (*images, error) {
	const seed = 1
	parameters, err := json.Marshal([]any{seed, n, w.gta, w.cityscapes, fixtures.StyleOf(fixtures.GTA), fixtures.StyleOf(fixtures.Cityscapes)})
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, fmt.Sprintf("fixtures-%.4x", sha256.Sum256(parameters)))
	for _, o := range []fixtures.Options{
		{Width: w.gta, GTA: n, Domains: []fixtures.Domain{fixtures.GTA}},
		{Width: w.cityscapes, Train: n, Val: -1, Domains: []fixtures.Domain{fixtures.Cityscapes}},
	} {
		o.Seed, o.Workers = seed, runtime.NumCPU()
		o.Progress = func(done, total int) {
			fmt.Fprintf(os.Stderr, "drawing %v fixtures, %d wide: %d of %d\r", o.Domains[0], o.Width, done, total)
		}
		if err := fixtures.Write(ctx, dir, o); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return open(dir, filepath.Join(dir, "cityscapes"), "fixtures, %s and %s")
}

// sampled are the first images of a folder in Cityscapes' layout, and images made of
// them that are in size and content to them as GTA5's are to Cityscapes'.
func sampled(ctx context.Context, cache, sample string) (*images, error) {
	cityscapes, err := formats.Open(formats.Cityscapes(), sample, formats.Options{})
	if err != nil {
		return nil, err
	}
	digest, err := cityscapes.Digest()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "sample-"+digest)
	gta := filepath.Join(dir, "gta")
	if _, err := os.Stat(gta); err != nil {
		err := files.WriteDir(gta, false, func(aside string) error { return imitateGTA(ctx, aside, cityscapes) })
		if err != nil {
			return nil, fmt.Errorf("make images of GTA5's size: %w", err)
		}
	}
	return open(dir, sample, "real, %[2]s, from "+strings.ReplaceAll(sample, "%", "%%")+", and made of them, with noise, %[1]s")
}

// open lists both datasets and describes them.
func open(dir, cityscapes, format string) (*images, error) {
	all := &images{dir: dir}
	var err error
	if all.gta, err = formats.Open(formats.GTA(), filepath.Join(dir, "gta"), formats.Options{}); err != nil {
		return nil, err
	}
	if all.cityscapes, err = formats.Open(formats.Cityscapes(), cityscapes, formats.Options{}); err != nil {
		return nil, err
	}
	gta, err := describe(all.gta)
	if err != nil {
		return nil, err
	}
	cs, err := describe(all.cityscapes)
	if err != nil {
		return nil, err
	}
	all.what = fmt.Sprintf(format, gta, cs)
	return all, nil
}

// taken are the dataset's samples that are measured.
func taken(d *formats.Dataset) []formats.Entry { return d.Entries[:min(items, d.Len())] }

// describe says how many images there are, of which sizes: "6 of 2048x1024
// (3.84 MB each)".
func describe(d *formats.Dataset) (string, error) {
	entries := taken(d)
	bytes, sizes := 0, map[string]int{}
	for _, e := range entries {
		f, err := os.Open(e.Image)
		if err != nil {
			return "", err
		}
		config, err := png.DecodeConfig(f)
		info, statErr := f.Stat()
		if err := errors.Join(err, statErr, f.Close()); err != nil {
			return "", fmt.Errorf("%s: %w", e.Image, err)
		}
		bytes += int(info.Size())
		sizes[fmt.Sprintf("%dx%d", config.Width, config.Height)]++
	}
	of := "several sizes"
	if len(sizes) == 1 {
		for size := range sizes {
			of = size
		}
	}
	return fmt.Sprintf("%d of %s (%.2f MB each)", len(entries), of, float64(bytes)/1e6/float64(len(entries))), nil
}

// Of Cityscapes' 2048x1024 GTA5's 1914x1052 is a part in the width, of an image
// enlarged to the height.
const (
	enlargedBy, enlargedOf = 1052, 1024
	keptOf, keptFrom       = 1914, 2048
)

// noise is the standard deviation, in gray levels, of what is added to an
// enlarged image: without it, it would be smoother than a camera's picture or a
// game's, and faster to decode.
const noise = 1.2

// imitateGTA writes a dataset in GTA5's layout.
func imitateGTA(ctx context.Context, dir string, of *formats.Dataset) error {
	for _, folder := range []string{"images", "labels"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	for i := range taken(of) {
		s, err := of.Read(ctx, i)
		if err != nil {
			return err
		}
		photo, label := enlarge(s, rand.New(rand.NewPCG(1, uint64(i))))
		name := fmt.Sprintf("%05d.png", i+1)
		if err := errors.Join(writePNG(filepath.Join(dir, "images", name), photo), writePNG(filepath.Join(dir, "labels", name), label)); err != nil {
			return err
		}
	}
	return nil
}

// enlarge gives the image that imitateGTA makes, and its label with Cityscapes'
// ids in a palette.
func enlarge(s pipeline.Sample, rng *rand.Rand) (photo *image.NRGBA, label *image.Paletted) {
	h, w := s.Image.Height()*enlargedBy/enlargedOf, s.Image.Width()*enlargedBy/enlargedOf
	left := (w - s.Image.Width()*keptOf/keptFrom) / 2
	box := raster.Box{X0: left, Y1: h, X1: left + s.Image.Width()*keptOf/keptFrom}

	pixels := augment.ResizeBilinear(s.Image, h, w, box).Pix()
	photo = image.NewNRGBA(image.Rect(0, 0, box.Width(), h))
	for i := range box.Width() * h {
		for c := range 3 {
			photo.Pix[4*i+c] = byte(min(max(float64(pixels[3*i+c])+noise*rng.NormFloat64()+0.5, 0), 255))
		}
		photo.Pix[4*i+3] = 255
	}
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.NRGBA{A: 255}
	}
	label = image.NewPaletted(photo.Rect, palette)
	for i, train := range augment.ResizeNearest(s.Label, h, w, box).Pix() {
		if int(train) < len(ids) { // others stay unlabeled, 0
			label.Pix[i] = ids[train]
		}
	}
	return photo, label
}

// ids are Cityscapes' ids in the order of the train IDs.
var ids = [...]byte{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}

func writePNG(path string, m image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, m), f.Close())
}
