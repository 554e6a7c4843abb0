package augment

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/disintegration/gift"
	"github.com/pipa-uda/pipa/internal/nearest"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Filter is one of github.com/disintegration/gift's by name. Filters that
// move pixels treat the label alike, without interpolating it; filters of
// color leave it alone.
type Filter struct {
	spec     string
	image    gift.Filter
	label    gift.Filter // nil where pixels stay in place
	resizing bool
	sigma    float64 // of gaussian_blur, which [GaussianBlur] does in gift's stead; else 0
}

// filterSpec describes a filter's arguments.
type filterSpec struct {
	args    []argument
	example string // arguments that work, for tests and help
	build   func(a []float64) (image, label gift.Filter)
}

// argument is a number with its range.
type argument struct {
	name     string
	min, max float64
}

func percent(name string) argument { return argument{name, -100, 100} }

func only(f gift.Filter) (gift.Filter, gift.Filter) { return f, nil }
func both(f gift.Filter) (gift.Filter, gift.Filter) { return f, f }

// size bounds the side of a resized image.
func size(name string) argument { return argument{name, 1, 8192} }

// filters are all of gift's but ColorFunc, which takes code.
var filters = map[string]filterSpec{
	"brightness": {[]argument{percent("percentage")}, "20", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Brightness(float32(a[0]))) }},
	"color_balance": {[]argument{percent("red"), percent("green"), percent("blue")}, "10,-10,5", func(a []float64) (gift.Filter, gift.Filter) {
		return only(gift.ColorBalance(float32(a[0]), float32(a[1]), float32(a[2])))
	}},
	"colorize": {[]argument{{"hue", 0, 360}, {"saturation", 0, 100}, {"percentage", 0, 100}}, "200,50,30", func(a []float64) (gift.Filter, gift.Filter) {
		return only(gift.Colorize(float32(a[0]), float32(a[1]), float32(a[2])))
	}},
	"linear_to_srgb": {nil, "", func([]float64) (gift.Filter, gift.Filter) { return only(gift.ColorspaceLinearToSRGB()) }},
	"srgb_to_linear": {nil, "", func([]float64) (gift.Filter, gift.Filter) { return only(gift.ColorspaceSRGBToLinear()) }},
	"contrast":       {[]argument{percent("percentage")}, "20", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Contrast(float32(a[0]))) }},
	"convolution": {slices.Repeat([]argument{{"weight", -1000, 1000}}, 9), "0,-1,0,-1,5,-1,0,-1,0", func(a []float64) (gift.Filter, gift.Filter) {
		kernel := make([]float32, len(a))
		for i, v := range a {
			kernel[i] = float32(v)
		}
		return only(gift.Convolution(kernel, false, false, false, 0))
	}},
	"crop": {[]argument{{"y0", 0, 1 << 20}, {"x0", 0, 1 << 20}, {"y1", 1, 1 << 20}, {"x1", 1, 1 << 20}}, "2,3,12,13", func(a []float64) (gift.Filter, gift.Filter) {
		return both(gift.Crop(image.Rect(int(a[1]), int(a[0]), int(a[3]), int(a[2]))))
	}},
	"crop_to_size": {[]argument{size("height"), size("width")}, "10,12", func(a []float64) (gift.Filter, gift.Filter) {
		return both(gift.CropToSize(int(a[1]), int(a[0]), gift.CenterAnchor))
	}},
	"flip_horizontal": {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.FlipHorizontal()) }},
	"flip_vertical":   {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.FlipVertical()) }},
	"gamma":           {[]argument{{"gamma", 0.01, 100}}, "1.2", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Gamma(float32(a[0]))) }},
	"gaussian_blur":   {[]argument{{"sigma", 0, 100}}, "1.5", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.GaussianBlur(float32(a[0]))) }},
	"grayscale":       {nil, "", func([]float64) (gift.Filter, gift.Filter) { return only(gift.Grayscale()) }},
	"hue":             {[]argument{{"degrees", -180, 180}}, "20", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Hue(float32(a[0]))) }},
	"invert":          {nil, "", func([]float64) (gift.Filter, gift.Filter) { return only(gift.Invert()) }},
	"maximum":         {[]argument{{"size", 1, 99}}, "3", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Maximum(int(a[0]), true)) }},
	"mean":            {[]argument{{"size", 1, 99}}, "3", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Mean(int(a[0]), true)) }},
	"median":          {[]argument{{"size", 1, 99}}, "3", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Median(int(a[0]), true)) }},
	"minimum":         {[]argument{{"size", 1, 99}}, "3", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Minimum(int(a[0]), true)) }},
	"pixelate":        {[]argument{{"size", 1, 1024}}, "4", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Pixelate(int(a[0]))) }},
	"resize": {[]argument{size("height"), size("width")}, "10,15", func(a []float64) (gift.Filter, gift.Filter) {
		return gift.Resize(int(a[1]), int(a[0]), gift.LanczosResampling), gift.Resize(int(a[1]), int(a[0]), gift.NearestNeighborResampling)
	}},
	"resize_to_fill": {[]argument{size("height"), size("width")}, "10,15", func(a []float64) (gift.Filter, gift.Filter) {
		return gift.ResizeToFill(int(a[1]), int(a[0]), gift.LanczosResampling, gift.CenterAnchor), gift.ResizeToFill(int(a[1]), int(a[0]), gift.NearestNeighborResampling, gift.CenterAnchor)
	}},
	"resize_to_fit": {[]argument{size("height"), size("width")}, "10,15", func(a []float64) (gift.Filter, gift.Filter) {
		return gift.ResizeToFit(int(a[1]), int(a[0]), gift.LanczosResampling), gift.ResizeToFit(int(a[1]), int(a[0]), gift.NearestNeighborResampling)
	}},
	"rotate": {[]argument{{"degrees", -360, 360}}, "10", func(a []float64) (gift.Filter, gift.Filter) {
		fill := MeanColor()
		return gift.Rotate(float32(a[0]), color.RGBA{fill[0], fill[1], fill[2], 255}, gift.CubicInterpolation), gift.Rotate(float32(a[0]), color.Gray{byte(raster.Ignore)}, gift.NearestNeighborInterpolation)
	}},
	"rotate_90":  {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.Rotate90()) }},
	"rotate_180": {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.Rotate180()) }},
	"rotate_270": {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.Rotate270()) }},
	"saturation": {[]argument{{"percentage", -100, 500}}, "30", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Saturation(float32(a[0]))) }},
	"sepia":      {[]argument{{"percentage", 0, 100}}, "50", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Sepia(float32(a[0]))) }},
	"sigmoid":    {[]argument{{"midpoint", 0, 1}, {"factor", -10, 10}}, "0.5,3", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Sigmoid(float32(a[0]), float32(a[1]))) }},
	"sobel":      {nil, "", func([]float64) (gift.Filter, gift.Filter) { return only(gift.Sobel()) }},
	"threshold":  {[]argument{{"percentage", 0, 100}}, "50", func(a []float64) (gift.Filter, gift.Filter) { return only(gift.Threshold(float32(a[0]))) }},
	"transpose":  {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.Transpose()) }},
	"transverse": {nil, "", func([]float64) (gift.Filter, gift.Filter) { return both(gift.Transverse()) }},
	"unsharp_mask": {[]argument{{"sigma", 0, 100}, {"amount", 0, 10}, {"threshold", 0, 1}}, "1,1,0", func(a []float64) (gift.Filter, gift.Filter) {
		return only(gift.UnsharpMask(float32(a[0]), float32(a[1]), float32(a[2])))
	}},
}

// FilterNames lists the filters, sorted.
func FilterNames() []string {
	var names []string
	for n := range filters {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// ParseFilter reads "name" or "name:arg,arg", as in "gaussian_blur:1.5".
func ParseFilter(spec string) (Filter, error) {
	name, list, _ := strings.Cut(spec, ":")
	f, ok := filters[name]
	if !ok {
		return Filter{}, fmt.Errorf("there is no filter %q%s (all: %s)", name, nearest.Hint(name, FilterNames(), "%q"), strings.Join(FilterNames(), ", "))
	}
	var texts []string
	if list != "" {
		texts = strings.Split(list, ",")
	}
	if len(texts) != len(f.args) {
		var names []string
		for _, a := range f.args {
			names = append(names, a.name)
		}
		return Filter{}, fmt.Errorf("filter %s takes %d arguments (%s), got %d", name, len(f.args), strings.Join(names, ","), len(texts))
	}
	args := make([]float64, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		a := f.args[i]
		switch {
		case err != nil || math.IsNaN(v):
			return Filter{}, fmt.Errorf("filter %s: %s is %q, want a number", name, a.name, text)
		case v < a.min:
			return Filter{}, fmt.Errorf("filter %s: %s is %v, want at least %v", name, a.name, v, a.min)
		case v > a.max:
			return Filter{}, fmt.Errorf("filter %s: %s is %v, want at most %v", name, a.name, v, a.max)
		}
		args[i] = v
	}
	out := Filter{spec: spec}
	out.image, out.label = f.build(args)
	out.resizing = out.label != nil
	if name == "gaussian_blur" {
		out.sigma = args[0]
	}
	return out, nil
}

// Apply filters an image [H,W,3] and its label [H,W,1], which may be empty.
func (f Filter) Apply(img, label raster.Raster) (raster.Raster, raster.Raster) {
	if f.sigma > 0 {
		out := img.Clone()
		GaussianBlur(out, f.sigma)
		return out, label
	}
	return f.draw(img, label)
}

// draw has gift do the work.
func (f Filter) draw(img, label raster.Raster) (raster.Raster, raster.Raster) {
	src := image.NewNRGBA(image.Rect(0, 0, img.Width(), img.Height()))
	for i := range img.Height() * img.Width() {
		copy(src.Pix[4*i:4*i+3], img.Pix()[3*i:3*i+3])
		src.Pix[4*i+3] = 255
	}
	g := gift.New(f.image)
	g.SetParallelization(false) // the engine owns the workers
	dst := image.NewNRGBA(g.Bounds(src.Bounds()))
	g.Draw(dst, src)
	out := raster.New(max(dst.Rect.Dy(), 1), max(dst.Rect.Dx(), 1), 3)
	for i := range dst.Rect.Dy() * dst.Rect.Dx() {
		copy(out.Pix()[3*i:3*i+3], dst.Pix[4*i:4*i+3])
	}
	if label.Empty() || f.label == nil {
		return out, label
	}
	g = gift.New(f.label)
	g.SetParallelization(false)
	from := &image.Gray{Pix: label.Pix(), Stride: label.Width(), Rect: image.Rect(0, 0, label.Width(), label.Height())}
	to := raster.New(out.Height(), out.Width(), 1)
	g.Draw(&image.Gray{Pix: to.Pix(), Stride: to.Width(), Rect: image.Rect(0, 0, to.Width(), to.Height())}, from)
	return out, to
}
