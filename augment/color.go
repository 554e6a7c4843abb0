package augment

import (
	"math/rand/v2"

	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The color operations are those of torchvision 0.14's ColorJitter and
// RandomGrayscale on a Pillow image, to the byte. They change images [H,W,3]
// in place.

// ColorJitter says how far brightness, contrast, saturation and hue may be
// moved, and how often that happens. The zero value does nothing, and what may
// be moved by 0 is left out, as torchvision does: a hue that goes to HSV and
// back is not quite what it was, even with a shift of 0. Its draws are made all
// the same, so that the other operations do not depend on it.
type ColorJitter struct {
	Brightness float64 `json:"brightness"` // factor from 1-b to 1+b
	Contrast   float64 `json:"contrast"`
	Saturation float64 `json:"saturation"`
	Hue        float64 `json:"hue"` // shift from -h to +h turns, at most 0.5
	Chance     float64 `json:"chance"`
}

// Apply jitters the image or leaves it, by draws from rng; the operations come
// in a drawn order.
func (j ColorJitter) Apply(image raster.Raster, rng *rand.Rand) {
	if j.Chance == 0 || rng.Float64() >= j.Chance {
		return
	}
	factor := func(spread float64) float64 { return 1 + float64(spread*(float64(2*rng.Float64())-1)) }
	b, c, s, h := factor(j.Brightness), factor(j.Contrast), factor(j.Saturation), factor(j.Hue)-1
	order := [4]int{0, 1, 2, 3}
	rng.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] }) // the draws of rng.Perm
	var steps colorSteps
	for _, operation := range order {
		switch operation {
		case 0:
			steps.add(brightness, b)
		case 1:
			steps.add(contrast, c)
		case 2:
			steps.add(saturation, s)
		case 3:
			steps.add(hue, h)
		}
	}
	steps.apply(image.Pix())
}

// colorKind is one of torchvision's operations.
type colorKind byte

const (
	brightness colorKind = iota
	contrast
	saturation
	hue
)

// colorStep is an operation with its factor, or its shift of the 8-bit hue.
type colorStep struct {
	kind   colorKind
	factor float32
}

// apply changes a run of pixels; mean is the whole image's, for contrast.
func (s colorStep) apply(pix []byte, mean byte) {
	switch s.kind {
	case brightness:
		kernel.Mix(pix, 0, s.factor)
	case contrast:
		kernel.Mix(pix, mean, s.factor)
	case saturation:
		kernel.Saturate(pix, s.factor)
	case hue:
		kernel.Hue(pix, byte(s.factor))
	}
}

// colorSteps are operations one after the other, at most one of them contrast.
type colorSteps struct {
	steps [4]colorStep
	n     int
}

// add appends an operation by a factor, or a hue's shift in turns, but where
// that changes nothing. A shift below a step of the 8-bit hue is none of these:
// torchvision sends it through HSV too.
func (c *colorSteps) add(kind colorKind, by float64) {
	s := colorStep{kind, float32(by)}
	switch {
	case kind == hue && by != 0:
		s.factor = float32(hueShift(by))
	case kind == hue, s.factor == 1: // every blend by 1 gives back the pixels
		return
	}
	c.steps[c.n] = s
	c.n++
}

// band is how many bytes of pixels go through all steps while the first-level
// cache holds them: a multiple of 8 pixels and of 32 bytes.
const band = 96 * 128

// apply takes the image through the steps in two passes at most: contrast needs
// the mean of what the steps before it make.
func (c *colorSteps) apply(pix []byte) {
	steps := c.steps[:c.n]
	before := 0
	for before < len(steps) && steps[before].kind != contrast {
		before++
	}
	var mean byte
	if before < len(steps) {
		sum := 0
		for at := 0; at < len(pix); at += band {
			part := pix[at:min(at+band, len(pix))]
			for _, s := range steps[:before] {
				s.apply(part, 0)
			}
			sum += kernel.LumaSum(part)
		}
		mean = byte(float64(sum)/float64(len(pix)/3) + 0.5)
		steps = steps[before:]
	}
	for at := 0; at < len(pix); at += band {
		part := pix[at:min(at+band, len(pix))]
		for _, s := range steps {
			s.apply(part, mean)
		}
	}
}

// adjust applies one step.
func adjust(image raster.Raster, kind colorKind, by float64) {
	var c colorSteps
	c.add(kind, by)
	c.apply(image.Pix())
}

// Brightness scales the image towards or away from black.
func Brightness(image raster.Raster, factor float64) {
	adjust(image, brightness, factor)
}

// Contrast scales the image towards or away from its mean gray.
func Contrast(image raster.Raster, factor float64) {
	adjust(image, contrast, factor)
}

// Saturation scales the image towards or away from gray.
func Saturation(image raster.Raster, factor float64) {
	adjust(image, saturation, factor)
}

// Gray replaces the image by its luma.
func Gray(image raster.Raster) { kernel.Gray(image.Pix()) }

// Hue shifts the hue by turns, through Pillow's 8-bit HSV; 0 leaves the image.
func Hue(image raster.Raster, turns float64) {
	adjust(image, hue, turns)
}

// hueShift is what turns add to an 8-bit hue; it wraps as numpy's uint8 does.
func hueShift(turns float64) byte { return byte(int(turns * 255)) }
