package parquet

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/klauspost/compress/zstd"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// What a file may ask of its reader. Files that are written stay within them.
const (
	maxFooterBytes = 64 << 20
	maxFields      = 64      // of the schema
	maxGroupRows   = 1 << 16 // of a row group
	maxListLen     = 256     // of a list in a row
	// minPictureBytes is less than the smallest PNG has: signature, header, and
	// two chunks without data. Every row has one, so a file's bytes bound its rows.
	minPictureBytes = 8 + 25 + 12 + 12
	// maxPageBytes: a page of images is closed when it is larger than 1 MiB, so
	// that the last is the largest; PNG of noise is a little larger than its pixels.
	maxPageBytes = 3*raster.MaxPixels + 16<<20
	// maxPackedBytes is the same for what is compressed: numbers and short texts.
	maxPackedBytes = 16 << 20
	// maxRatio is how many times a file's bytes the packed pages of a chunk may
	// have in all, beside one of the largest: pictures are most of a file, and
	// lie there as they are.
	maxRatio = 64
)

// The parts of a Parquet file around its data (apache/parquet-format,
// README.md): "PAR1" … footer, its length in 4 bytes, "PAR1".
const (
	magic     = "PAR1"
	tailBytes = 8
)

// checkFooter walks the footer of a whole file.
func checkFooter(data []byte) error {
	if len(data) < len(magic)+tailBytes || string(data[:4]) != magic || string(data[len(data)-4:]) != magic {
		return fmt.Errorf("it is not a whole Parquet file: %q is missing at its begin or end", magic)
	}
	n := int(binary.LittleEndian.Uint32(data[len(data)-tailBytes:]))
	if n > len(data)-tailBytes-len(magic) || n > maxFooterBytes {
		return fmt.Errorf("it declares a footer of %d bytes, it has %d", n, len(data))
	}
	c := compact{data: data[len(data)-tailBytes-n : len(data)-tailBytes]}
	// FileMetaData's fields: 2 schema, 3 num_rows, 4 row_groups (parquet.thrift).
	return c.walk(func(parent, id int16, v int64) error {
		if parent == 0 && id == 2 && v > maxFields {
			return fmt.Errorf("its schema has %d fields, at most %d are read", v, maxFields)
		}
		return nil
	})
}

// checkChunk walks the page headers of a column chunk: their lengths have to
// lie in the chunk, and their values have to be as many as the chunk has, up to
// most in a row.
func checkChunk(data []byte, chunk *metadata.ColumnChunkMetaData, rows, most int64) error {
	start := chunk.DataPageOffset()
	if chunk.HasDictionaryPage() && chunk.DictionaryPageOffset() > 0 {
		start = min(start, chunk.DictionaryPageOffset())
	}
	size, values := chunk.TotalCompressedSize(), chunk.NumValues()
	if start < int64(len(magic)) || size < 0 || start > int64(len(data)) || size > int64(len(data))-start {
		return fmt.Errorf("it lies at %d..%d of %d bytes", start, start+size, len(data))
	}
	if chunk.CryptoMetadata() != nil || chunk.FilePath() != "" {
		return fmt.Errorf("it is encrypted or lies in another file")
	}
	if values < rows || values > rows*most {
		return fmt.Errorf("it has %d values in %d rows", values, rows)
	}
	packed := true
	var zstandard *zstd.Decoder
	switch c := chunk.Compression(); c {
	case compress.Codecs.Uncompressed:
		packed = false
	case compress.Codecs.Snappy:
	case compress.Codecs.Zstd:
		var err error
		if zstandard, err = newDecoder(); err != nil {
			return err
		}
		defer zstandard.Close()
	default:
		return fmt.Errorf("it is compressed with %v", c)
	}
	var seen, unpacked int64
	for c := (compact{data: data[start : start+size]}); seen < values; {
		p, err := c.page()
		if err != nil {
			return err
		}
		if p.stored < 0 || p.stored > int64(len(c.data)-c.at) || p.size < 0 || p.values < 0 || p.values > values {
			return fmt.Errorf("a page declares %d values in %d bytes, %d are left", p.values, p.stored, len(c.data)-c.at)
		}
		if !packed && (p.size != p.stored || p.size > maxPageBytes) || packed && p.size > maxPackedBytes {
			return fmt.Errorf("a page of %d bytes declares %d", p.stored, p.size)
		}
		if packed {
			if unpacked += p.size; unpacked > maxPackedBytes+maxRatio*int64(len(data)) {
				return fmt.Errorf("its pages declare %d bytes in a file of %d", unpacked, len(data))
			}
			if err := checkPacked(c.data[c.at:c.at+int(p.stored)], p.size, zstandard); err != nil {
				return err
			}
		}
		switch p.typ {
		case dataPage:
			if !slices.Contains(encodings, p.encoding) {
				return fmt.Errorf("a page has encoding %d", p.encoding)
			}
			seen += p.values
		case dictionaryPage:
		default:
			return fmt.Errorf("it has a page of type %d", p.typ)
		}
		c.at += int(p.stored)
	}
	if seen != values {
		return fmt.Errorf("its pages have %d values, it declares %d", seen, values)
	}
	return nil
}

// newDecoder makes a decoder that fills what it is given, and no more.
func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxPackedBytes), zstd.WithDecoderMaxWindow(maxPackedBytes))
}

// checkPacked unpacks a page to see that it has the size it declares: Arrow's
// decoder of Zstandard makes as much as there is. Snappy, where there is no
// decoder, begins with its size, to which Arrow's holds.
func checkPacked(page []byte, size int64, zstandard *zstd.Decoder) error {
	if zstandard == nil {
		if n, _ := binary.Uvarint(page); int64(n) != size {
			return fmt.Errorf("a page declares %d bytes and has %d", size, n)
		}
		return nil
	}
	text, err := zstandard.DecodeAll(page, make([]byte, 0, size))
	if err != nil || int64(len(text)) != size {
		return fmt.Errorf("a page declares %d bytes, it has others: %v", size, err)
	}
	return nil
}

// page is what a page's header declares.
type page struct {
	typ, size, stored, values, encoding int64
}

// The types of page that are read (parquet.thrift, PageType).
const (
	dataPage       = 0
	dictionaryPage = 2
)

// encodings are those of data pages that are read (parquet.thrift, Encoding):
// plain, run lengths, and the dictionary's two names.
var encodings = []int64{0, 2, 3, 8}

// page reads a page's header. Its fields (parquet.thrift, PageHeader): 1 type,
// 2 uncompressed_page_size, 3 compressed_page_size, 5 data_page_header and 7
// dictionary_page_header, whose fields begin with num_values and encoding.
func (c *compact) page() (p page, err error) {
	p = page{typ: -1, size: -1, stored: -1, values: -1, encoding: -1}
	err = c.walk(func(parent, id int16, v int64) error {
		switch [2]int16{parent, id} {
		case [2]int16{0, 1}:
			p.typ = v
		case [2]int16{0, 2}:
			p.size = v
		case [2]int16{0, 3}:
			p.stored = v
		case [2]int16{5, 1}, [2]int16{7, 1}:
			p.values = v
		case [2]int16{5, 2}:
			p.encoding = v
		}
		return nil
	})
	return p, err
}
