package png

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// band is how many bytes of scanlines are inflated at a time: with the window
// and the rows they become, less than a second-level cache.
const band = 128 << 10

// rowsAtOnce is how many rows the unfilter kernels like to have together.
const rowsAtOnce = 8

// scanlines inflates a zlib stream (RFC 1950) into the filtered rows of an
// image, a band at a time.
type scanlines struct {
	inflater
	buf   []byte
	r, w  int // buf[r:w] is inflated and not yet returned
	left  int // bytes of the image still to be inflated
	adler uint32
	err   error // what ended the stream early; the rows before it are good
}

var (
	errHeader  = errors.New("IDAT: it does not begin with a zlib header")
	errTooLong = errors.New("the deflate stream goes on")
)

// maxRatio bounds what deflate can make of a byte: 258 bytes from two bits.
const maxRatio = 258 * 4

// start begins a stream that is to have total bytes in scanlines of at most
// line bytes, of which the first wanted will be read. It allocates by
// these sizes, which the caller has bounded, and only if the stream is long
// enough to hold what is wanted.
func (s *scanlines) start(stream []byte, line, total, wanted int) error {
	if len(stream) < 2 {
		return errHeader
	}
	h := binary.BigEndian.Uint16(stream)
	if h>>8&15 != 8 || h>>12 > 7 || h%31 != 0 {
		return errHeader
	}
	body := stream[2:]
	if h&0x20 != 0 {
		// A preset dictionary: as in compress/zlib only the empty one, whose
		// Adler-32 is 1, is known.
		if len(body) < 4 || binary.BigEndian.Uint32(body) != 1 {
			return errors.New("IDAT: the zlib stream wants a preset dictionary")
		}
		body = body[4:]
	}
	if wanted/maxRatio > len(body) {
		return fmt.Errorf("IDAT: %d bytes cannot hold %d bytes of rows", len(body), wanted)
	}
	s.reset(body)
	s.r, s.w, s.left, s.adler, s.err = 0, 0, total, 1, nil
	if size := window + min(total, max(band, 8*line)) + 2*slack; len(s.buf) < size {
		s.buf = make([]byte, size)
	}
	return nil
}

// next returns some of the next n scanlines of line bytes, at least one, as
// they lie in the band, valid until the next call. With errTruncated the
// stream ends within the first of them.
func (s *scanlines) next(line, n int) ([]byte, error) {
	if s.w-s.r < line*min(n, rowsAtOnce) && s.err == nil {
		s.err = s.fill(line * n)
	}
	if s.w-s.r < line {
		if s.err == nil { // the last block is over
			s.err = errTruncated
		}
		return nil, s.err
	}
	have := min(n, (s.w-s.r)/line)
	if have < n && have > rowsAtOnce {
		have -= have % rowsAtOnce
	}
	rows := s.buf[s.r : s.r+have*line]
	s.r += have * line
	return rows, nil
}

// fill inflates what fits into buf, up to wanted unread bytes.
func (s *scanlines) fill(wanted int) error {
	if keep := max(s.w-s.r, min(s.w, window)); keep < s.w {
		copy(s.buf, s.buf[s.w-keep:s.w])
		s.r -= s.w - keep
		s.w = keep
	}
	limit := min(len(s.buf)-2*slack, s.r+wanted, s.w+s.left)
	w, err := s.inflate(s.buf, s.w, limit)
	s.adler = adler32(s.adler, s.buf[s.w:w])
	s.left -= w - s.w
	s.w = w
	if s.left < 0 {
		return errTooLong
	}
	return err
}

// finish verifies that all of the image was read and, where the stream ends there,
// that its checksum agrees. A stream that goes on says nothing of the rows before.
func (s *scanlines) finish() error {
	w, err := s.w, s.err
	if err == nil {
		w, err = s.inflate(s.buf, s.w, s.w+1)
	}
	if w > s.w || errors.Is(err, errTooLong) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("IDAT: %w after the last row", err)
	}
	sum := s.rest()
	if len(sum) < 4 {
		return errors.New("IDAT: the stream ends before its Adler-32")
	}
	if binary.BigEndian.Uint32(sum) != s.adler {
		return errors.New("IDAT: Adler-32 mismatch")
	}
	return nil
}
