// Package jpeg decodes JPEG files that are whole in memory, as libjpeg-turbo does by
// default and so as OpenCV and Pillow do: bit for bit. A Decoder keeps all its
// scratch, so that a decode allocates nothing once it has seen the largest image of a
// set:
//
//	f, err := jpeg.Open(data) // the header: size and kind
//	pix := make([]byte, 0, 3*f.Width*f.Height)
//	var d jpeg.Decoder
//	pix, err = d.AppendRGB(pix, f, jpeg.Rows{}) // [H,W,3]
//
// It reads what ITU-T T.81 calls baseline, extended sequential and progressive, by
// Huffman's and by arithmetic coding, of 8 bits a sample, with 1, 3 and 4 components
// of any sampling factors that divide the largest. Chroma is upsampled smoothly where
// one or both directions have half the samples, and repeated elsewhere. Colors are
// chosen by Adobe's marker, JFIF's, or the components' ids, as libjpeg does; four
// components are CMYK as Pillow converts it.
//
// It is not for streams, for 12 bits, lossless or hierarchical JPEG, for color
// management (ICC profiles are skipped), for EXIF, or for writing.
//
// # What is checked
//
// What Pillow or OpenCV reads whole is read: a file without Huffman tables (as Motion
// JPEG's frames are, which mean the standard's), without EOI or with zeros in its
// place, with bytes between segments, with component ids that repeat. A file that is
// cut off, that lacks a restart interval, or whose bits mean nothing is refused, where
// others fill up with grey. Of a progressive image without EOI every bit of every
// coefficient must have come.
//
// When decoding stops after the last row that is wanted, the rest of a baseline
// image is not looked at, and of restart intervals before the first no more than
// that they are all there. A file that declares more than Decoder.MaxPixels is refused,
// and so is one of more than MaxScans scans, or a progressive one of more than
// MaxCoefficientBytes; nothing is allocated for pixels that so short a file cannot have.
//
// # How much memory it takes
//
// Besides the pixels, 3 bytes each, a baseline image takes as much as its file has
// bytes, and a row of MCUs; one whose components come in scans of their own takes a
// byte a sample more. A progressive image takes 17 bits a coefficient, of which there
// are 1.5 to 3 a pixel.
//
// # How it is fast
//
// Stuffed bytes are taken out of the data first, so that bits are refilled 8 bytes
// at a time without a branch. A table that is looked up by 10 bits gives a code and
// the size of its value together. A row of MCUs is decoded, transformed, upsampled
// and converted before the next, so that all but the result stays in the second-level
// cache. TUNING.md has the measurements. On amd64 with AVX2 and BMI2 all of these loops
// are assembly; the build tag purego leaves the plain Go that they are tested against.
package jpeg
