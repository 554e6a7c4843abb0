package parquet

import (
	"bytes"
	"fmt"
	"image"
	stdpng "image/png"
	"sync"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// pngEncoder is the standard library's: it writes opaque RGBA as RGB8 and Gray
// as 8-bit gray. BestSpeed takes two thirds of the default's time for street scenes
// and makes them no larger (BenchmarkEncode).
var pngEncoder = stdpng.Encoder{CompressionLevel: stdpng.BestSpeed, BufferPool: &encoderBuffers}

var encoderBuffers bufferPool

// bufferPool keeps encoders' buffers.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() *stdpng.EncoderBuffer {
	v, _ := b.pool.Get().(*stdpng.EncoderBuffer)
	return v
}

func (b *bufferPool) Put(v *stdpng.EncoderBuffer) { b.pool.Put(v) }

// rgba is the encoder's view of an image, reused.
var rgba = sync.Pool{New: func() any { return new([]byte) }}

// encode turns the raster into PNG.
func (p *picture) encode() error {
	r := p.raster
	if r.Empty() {
		return nil
	}
	rect := image.Rect(0, 0, r.Width(), r.Height())
	var out bytes.Buffer
	if r.Channels() == 1 {
		if err := pngEncoder.Encode(&out, &image.Gray{Pix: r.Pix(), Stride: r.Width(), Rect: rect}); err != nil {
			return err
		}
	} else {
		pix := rgba.Get().(*[]byte)
		defer rgba.Put(pix)
		*pix = opaque((*pix)[:0], r.Pix())
		if err := pngEncoder.Encode(&out, &image.RGBA{Pix: *pix, Stride: 4 * r.Width(), Rect: rect}); err != nil {
			return err
		}
	}
	p.raster, p.png = raster.Raster{}, out.Bytes()
	return nil
}

// opaque appends RGB pixels to dst as RGBA.
func opaque(dst, rgb []byte) []byte {
	n := len(rgb) / 3
	if cap(dst) < 4*n {
		dst = make([]byte, 0, 4*n)
	}
	dst = dst[:4*n]
	for i := range n {
		to, from := dst[4*i:4*i+4:4*i+4], rgb[3*i:3*i+3:3*i+3]
		to[0], to[1], to[2], to[3] = from[0], from[1], from[2], 255
	}
	return dst
}

var decoders = sync.Pool{New: func() any { return new(png.Decoder) }}

// maxDeflate bounds the bytes that one byte of deflate stands for (zlib's
// technical notes: 1032:1).
const maxDeflate = 1032

// decode turns PNG of the given size and 1 or 3 channels into a raster.
func (p *picture) decode(height, width, channels int) error {
	if p.png == nil {
		return nil
	}
	f, err := png.Open(p.png)
	if err != nil {
		return err
	}
	color := png.Gray
	if channels == 3 {
		color = png.RGB
	}
	if f.Color != color || f.BitDepth != 8 {
		return fmt.Errorf("PNG is %v, want 8-bit %v", f, color)
	}
	if f.Height != height || f.Width != width {
		return fmt.Errorf("PNG is %dx%d, want %dx%d", f.Width, f.Height, width, height)
	}
	if height > raster.MaxPixels/width || height*width*channels/maxDeflate > len(p.png) {
		return fmt.Errorf("PNG of %d bytes declares %dx%d pixels", len(p.png), width, height)
	}
	d := decoders.Get().(*png.Decoder)
	defer decoders.Put(d)
	read := d.AppendIndices
	if channels == 3 {
		read = d.AppendRGB
	}
	pix, err := read(make([]byte, 0, height*width*channels), f, png.Rows{})
	if err != nil {
		return err
	}
	p.png = nil
	p.raster, err = raster.Wrap(height, width, channels, pix)
	return err
}

// encode turns the row's rasters into PNG.
func (r *row) encode(columns []column) error {
	for _, c := range columns {
		if p, ok := c.field(r).(*picture); ok {
			if err := p.encode(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// decode turns the row's PNGs into rasters of the size the row or the stream
// has.
func (r *row) decode(h pipeline.Header, columns []column) error {
	height, width := int(r.height), int(r.width)
	if h.Kind == pipeline.KindPair {
		height, width = h.Size.Height, h.Size.Width
	}
	if height <= 0 || width <= 0 || height > raster.MaxPixels/width {
		return fmt.Errorf("it declares %dx%d pixels", width, height)
	}
	for _, c := range columns {
		p, ok := c.field(r).(*picture)
		if !ok {
			continue
		}
		channels := 1
		if isImage(c.name) {
			channels = 3
		}
		if err := p.decode(height, width, channels); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return r.verify(h)
}
