// Package png decodes PNG files that are whole in memory, for loaders that
// read the same kind of picture many thousand times. A Decoder keeps all its
// scratch, so that a decode allocates nothing once it has seen the largest
// image of a set:
//
//	f, err := png.Open(data) // the header: size and kind of pixels
//	pix := make([]byte, 0, 3*f.Width*f.Height)
//	var d png.Decoder
//	pix, err = d.AppendRGB(pix, f, png.Rows{})             // [H,W,3]
//	ids, err = d.AppendIndices(ids[:0], label, png.Rows{}) // [H,W,1]
//
// It reads every color type, bit depth and interlace method of the PNG
// specification (ISO/IEC 15948, RFC 2083) and gives the color values that
// image/png gives. Samples that are not asked for are not made: alpha is
// dropped, a palette label stays indices, one channel of a 16-bit image costs
// a third of three, and the rows after the last one wanted are not inflated.
//
// It is not for streams, for alpha, for color management (gAMA, iCCP and the
// like are skipped) or for writing.
//
// # What is checked
//
// Every chunk of the file up to and with IEND is walked, whatever rows are asked
// for, and the CRC of those that make the picture (IHDR, a palette's PLTE, IDAT,
// IEND) is verified. When the last row of the image is wanted, and for every
// interlaced image, the deflate stream must also be whole up to there, and where it
// ends its Adler-32 must agree. When decoding stops earlier, the rest of the deflate
// stream and the Adler-32 are not looked at.
//
// What image/png accepts is accepted. What it refuses is refused, unless libpng, and
// so what people look at their files with, reads the picture without it: ancillary
// chunks with a wrong CRC, PLTE where there is no palette or with more colors than
// the bit depth can name, any tRNS, an IEND with content, and data after the last
// row. A file that declares more than Decoder.MaxPixels is refused.
//
// # How it is fast
//
// Scanlines are inflated in bands that stay in the second-level cache with
// the 32 KiB of history that deflate may refer to, and each band is summed,
// unfiltered and converted before the next. TUNING.md has the measurements.
// On amd64 with AVX2 and BMI2 the hot loops are assembly; the build tag purego
// leaves the plain Go that they are tested against.
package png
