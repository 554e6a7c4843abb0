package labels

import (
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Codec is how a PNG holds the values that say classes.
type Codec string

// The codecs. Class maps name IDs, Red and Colors by these words. One rule holds
// for all: a pixel has the value that viewers show, whatever it is stored as. Gray of
// 1, 2 or 4 bits goes up to 255, as the PNG specification has it, so that a file and
// its smaller copy by a lossless optimizer are one label; RGB whose channels are equal
// is gray; alpha is nothing. A palette's indices alone are read as they are stored.
const (
	Bytes  Codec = "bytes"   // a palette's indices, or gray, of at most 8 bits
	IDs    Codec = "ids"     // these, or gray of 16 bits
	Red    Codec = "red"     // the red channel of RGB, or gray, of 8 bits
	Red16  Codec = "red16"   // the red channel of RGB of 16 bits, whose ids fit in 8
	Colors Codec = "colours" // of a palette, RGB or gray; of 16 bits the upper 8
)

// pixels are those that a codec reads, in words too, and the largest id they hold.
func (c Codec) pixels(h png.Header) (reads bool, want string, largest int) {
	switch c {
	case Bytes:
		return h.BitDepth <= 8, "palette or 8-bit gray", 1<<8 - 1
	case IDs:
		return h.BitDepth <= 8 || h.Color == png.Gray, "palette, or gray of at most 16 bits", 1<<16 - 1
	case Red:
		return h.BitDepth == 8 && h.Color != png.Palette, "8-bit RGB or gray", 1<<8 - 1
	case Colors:
		return true, "colors", -1
	case Red16:
		return h.BitDepth == 16 && (h.Color == png.RGB || h.Color == png.RGBA), "16-bit RGB", 1<<8 - 1
	}
	return false, "", -1
}

// An Encoding says what the values of a label's pixels mean.
type Encoding struct {
	Codec  Codec
	IDs    map[int]raster.TrainID      // what ids mean, for all codecs but Colors
	Colors map[[3]uint8]raster.TrainID // what colors mean, for Colors
	// OthersIgnored says that values which the encoding does not have are ignored,
	// rather than an error.
	OthersIgnored bool
}

// Validate checks an encoding, whose train IDs are to be those of a number of
// classes. Errors name the field.
func (e Encoding) Validate(classes int) error {
	_, want, largest := e.Codec.pixels(png.Header{})
	switch {
	case want == "":
		return fmt.Errorf("codec is %q, want %s, %s, %s, %s or %s", e.Codec, Bytes, IDs, Colors, Red, Red16)
	case e.Codec == Colors && e.IDs != nil || e.Codec != Colors && e.Colors != nil:
		return fmt.Errorf("it has ids and colors, or those of another codec than %s", e.Codec)
	case len(e.IDs)+len(e.Colors) == 0:
		return errors.New("it has neither ids nor colors")
	}
	check := func(value any, t raster.TrainID) error {
		if t != raster.Ignore && int(t) >= classes {
			return fmt.Errorf("%v means class %d, and there are %d", value, t, classes)
		}
		return nil
	}
	for id, t := range e.IDs {
		if id < 0 || id > largest {
			return fmt.Errorf("id %d, want 0 to %d", id, largest)
		}
		if err := check(id, t); err != nil {
			return err
		}
	}
	for c, t := range e.Colors {
		if err := check(c, t); err != nil {
			return err
		}
	}
	return nil
}

// OfID is what an id means. An id that the encoding does not have, and does not
// ignore, is not ok.
func (e Encoding) OfID(id int) (t raster.TrainID, ok bool) {
	if t, ok = e.IDs[id]; !ok && e.OthersIgnored {
		return raster.Ignore, true
	}
	return t, ok
}

// OfColor is [Encoding.OfID] for a color.
func (e Encoding) OfColor(c [3]uint8) (t raster.TrainID, ok bool) {
	if t, ok = e.Colors[c]; !ok && e.OthersIgnored {
		return raster.Ignore, true
	}
	return t, ok
}
