package infer

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/view"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// The kinds of files that predictions are written to, each in a folder of its
// name.
const (
	LabelFiles   = "labels"  // palette PNG: the index is the train ID, 255 ignored
	IDFiles      = "ids"     // gray PNG of Cityscapes ids, 0 for ignored, as the benchmark's server wants them
	ColorFiles   = "colour"  // RGB PNG
	OverlayFiles = "overlay" // RGB PNG: the colors over the image
	ScoreFiles   = "scores"  // safetensors: tensor "scores", F16 [C,H,W], the classes' probabilities
)

// OutputKinds are all of them.
func OutputKinds() []string {
	return []string{LabelFiles, IDFiles, ColorFiles, OverlayFiles, ScoreFiles}
}

// Outputs writes predictions as files DIR/KIND/NAME.png or .safetensors, at the
// size of the image. It is safe for concurrent use.
type Outputs struct {
	Dir     string
	Force   bool // replace files that are there
	Kinds   []string
	Classes []string
	Colors  [][3]uint8 // by train ID
}

// Validate names the kind that cannot be written.
func (o Outputs) Validate() error {
	for _, k := range o.Kinds {
		if !slices.Contains(OutputKinds(), k) {
			return fmt.Errorf("there is no output %q; there are %s", k, strings.Join(OutputKinds(), ", "))
		}
		if k == IDFiles && !eval.AreCityscapes(o.Classes) {
			return fmt.Errorf("output %s has Cityscapes ids, and the network's classes are others: %q", k, o.Classes)
		}
	}
	return nil
}

// Path is a prediction's file of one kind. The name may hold folders, with
// slashes.
func (o Outputs) Path(kind, name string) string {
	extension := ".png"
	if kind == ScoreFiles {
		extension = ".safetensors"
	}
	return filepath.Join(o.Dir, kind, filepath.FromSlash(name)+extension)
}

// Existing is the first of a prediction's files that is there, or the empty
// string.
func (o Outputs) Existing(name string) string {
	for _, k := range o.Kinds {
		if _, err := os.Lstat(o.Path(k, name)); err == nil {
			return o.Path(k, name)
		}
	}
	return ""
}

// Write writes a prediction's files. Each is whole or absent.
func (o Outputs) Write(name string, p Prediction) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("write prediction %q: the name leads out of the folder", name)
	}
	for _, kind := range o.Kinds {
		path := o.Path(kind, name)
		if err := files.MkdirAll(filepath.Dir(path)); err != nil {
			return fmt.Errorf("write prediction: %w", err)
		}
		if err := files.Write(path, o.Force, func(w io.Writer) error { return o.encode(w, kind, p) }); err != nil {
			return err
		}
	}
	return nil
}

func (o Outputs) encode(w io.Writer, kind string, p Prediction) error {
	if kind == ScoreFiles {
		classes, err := json.Marshal(o.Classes)
		if err != nil {
			return err
		}
		return safetensors.Write(w, map[string]string{"classes": string(classes), "id": p.ID}, []safetensors.Tensor{
			{Name: "scores", DType: "F16", Shape: []int{len(o.Classes), p.Label.Height(), p.Label.Width()}, Data: p.Scores},
		})
	}
	m, err := o.picture(kind, p)
	if err != nil {
		return err
	}
	return png.Encode(w, m)
}

// picture is what a kind shows of a prediction.
func (o Outputs) picture(kind string, p Prediction) (image.Image, error) {
	size := image.Rect(0, 0, p.Label.Width(), p.Label.Height())
	switch kind {
	case LabelFiles:
		return &image.Paletted{Pix: p.Label.Pix(), Stride: size.Dx(), Rect: size, Palette: palette(o.Colors)}, nil
	case IDFiles:
		m := image.NewGray(size)
		for i, t := range p.Label.Pix() {
			m.Pix[i] = formats.CityscapesID(raster.TrainID(t))
		}
		return m, nil
	}
	var r raster.Raster
	var err error
	if kind == OverlayFiles {
		r, err = view.Overlay(p.Image, p.Label, o.Colors, 0.5)
	} else {
		r, err = view.Colorize(p.Label, o.Colors)
	}
	if err != nil {
		return nil, err
	}
	m := image.NewNRGBA(size)
	for i, pix := 0, r.Pix(); i < len(pix)/3; i++ {
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = pix[3*i], pix[3*i+1], pix[3*i+2], 255
	}
	return m, nil
}

// palette is a PNG's, with a color for each of the 256 indices, so that every
// pixel takes a byte: those of the classes, and black for the others.
func palette(colors [][3]uint8) color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.NRGBA{A: 255}
		if i < len(colors) {
			c := colors[i]
			p[i] = color.NRGBA{c[0], c[1], c[2], 255}
		}
	}
	return p
}
