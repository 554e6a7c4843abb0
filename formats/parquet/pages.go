package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxOpenBytes bounds the pages that are unpacked at a time, one of each column.
const maxOpenBytes = 2 << 30

// pages reads the pages of a column chunk for Arrow's decoders, which neither
// bound what a page declares nor know LZ4.
type pages struct {
	c     compact // the chunk
	descr *schema.Column
	codec compress.Compression
	open  *int64 // bytes of the pages that all columns have unpacked
	mine  int64
	keep  bool // what is read outlives data
	page  file.Page
	err   error
}

// newPages finds a column chunk in a file.
func newPages(data []byte, descr *schema.Column, chunk *metadata.ColumnChunkMetaData, open *int64) (*pages, error) {
	start := chunk.DataPageOffset()
	if chunk.HasDictionaryPage() && chunk.DictionaryPageOffset() > 0 {
		start = min(start, chunk.DictionaryPageOffset())
	}
	size := chunk.TotalCompressedSize()
	if start < int64(len(magic)) || size < 0 || start > int64(len(data)) || size > int64(len(data))-start {
		return nil, fmt.Errorf("it lies at %d..%d of %d bytes", start, start+size, len(data))
	}
	if chunk.CryptoMetadata() != nil || chunk.FilePath() != "" {
		return nil, fmt.Errorf("it is encrypted or lies in another file")
	}
	return &pages{c: compact{data: data[start : start+size]}, descr: descr, codec: chunk.Compression(), open: open}, nil
}

// Next implements file.PageReader.
func (p *pages) Next() bool {
	for p.err == nil && p.c.at < len(p.c.data) {
		var ok bool
		if ok, p.err = p.next(); ok {
			return true
		}
	}
	p.page = nil
	return false
}

// Page implements file.PageReader.
func (p *pages) Page() file.Page { return p.page }

// Err implements file.PageReader.
func (p *pages) Err() error { return p.err }

// SetMaxPageHeaderSize implements file.PageReader. Headers are walked in memory.
func (p *pages) SetMaxPageHeaderSize(int) {}

// Reset implements file.PageReader, whose readers are not used twice.
func (p *pages) Reset(parquet.BufferedReader, int64, compress.Compression, *file.CryptoContext) {
	p.err = fmt.Errorf("a page reader is not used twice")
}

// A pageHeader is what a page's header declares (parquet.thrift, PageHeader).
type pageHeader struct {
	typ, size, stored                       int64
	values, encoding, definition            int64
	repetition                              int64
	nulls, rows, definitionLen, repeatedLen int64
	compressed                              int64 // of version 2
}

// next reads a page, and reports whether it has data.
func (p *pages) next() (ok bool, err error) {
	h := pageHeader{typ: -1, size: -1, stored: -1, compressed: 1}
	err = p.c.walk(func(parent, id int16, v int64) error {
		to := map[[2]int16]*int64{
			{0, 1}: &h.typ, {0, 2}: &h.size, {0, 3}: &h.stored,
			{5, 1}: &h.values, {5, 2}: &h.encoding, {5, 3}: &h.definition, {5, 4}: &h.repetition, // DataPageHeader
			{7, 1}: &h.values, {7, 2}: &h.encoding, // DictionaryPageHeader
			{8, 1}: &h.values, {8, 2}: &h.nulls, {8, 3}: &h.rows, {8, 4}: &h.encoding, {8, 5}: &h.definitionLen, {8, 6}: &h.repeatedLen, {8, 7}: &h.compressed, // DataPageHeaderV2
		}[[2]int16{parent, id}]
		if to != nil {
			*to = v
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	const dataPageV2 = 3
	left := int64(len(p.c.data) - p.c.at)
	if h.stored < 0 || h.stored > left || h.size < 0 || h.size > maxOpenBytes || h.values < 0 || h.values > math.MaxInt32 || h.typ == dictionaryPage && h.values > h.size {
		return false, fmt.Errorf("a page declares %d values and %d bytes in %d, %d are left", h.values, h.size, h.stored, left)
	}
	stored := p.c.data[p.c.at : p.c.at+int(h.stored)]
	p.c.at += int(h.stored)
	if h.typ != dataPage && h.typ != dataPageV2 && h.typ != dictionaryPage {
		return false, nil // an index, which nobody needs
	}
	if !slices.Contains(foreignEncodings, h.encoding) {
		return false, fmt.Errorf("a page has encoding %d: write it with PLAIN or RLE_DICTIONARY", h.encoding)
	}
	levels := int64(0) // which version 2 does not compress
	if h.typ == dataPageV2 {
		if levels = h.definitionLen + h.repeatedLen; h.definitionLen < 0 || h.repeatedLen < 0 || levels > h.stored || levels > h.size {
			return false, fmt.Errorf("a page of %d bytes declares %d of levels", h.stored, levels)
		}
	}
	*p.open += h.size - p.mine
	if p.mine = h.size; *p.open > maxOpenBytes {
		return false, fmt.Errorf("its pages are larger than %d GiB: write smaller row groups", maxOpenBytes>>30)
	}
	data := stored
	if h.compressed == 1 && p.codec != compress.Codecs.Uncompressed {
		if data, err = unpack(p.codec, slices.Clone(stored[:levels]), stored[levels:], int(h.size)); err != nil {
			return false, err
		}
	} else if p.keep {
		data = slices.Clone(stored)
	}
	if int64(len(data)) != h.size {
		return false, fmt.Errorf("a page declares %d bytes and has %d", h.size, len(data))
	}
	switch h.typ {
	case dataPage:
		levels, err = p.levels(data, h.values)
	case dataPageV2:
		if err = checkRuns(data[:h.repeatedLen], widthOf(p.descr.MaxRepetitionLevel()), h.values); err == nil {
			err = checkRuns(data[h.repeatedLen:levels], widthOf(p.descr.MaxDefinitionLevel()), h.values)
		}
	}
	if err != nil {
		return false, err
	}
	switch h.encoding {
	case plainDictionary, rleDictionary:
		if body := data[levels:]; h.typ != dictionaryPage && len(body) > 0 {
			err = checkRuns(body[1:], int(body[0]), h.values)
		}
	case runLengths: // of booleans, their length before them
		if body := data[levels:]; len(body) >= 4 {
			err = checkRuns(body[4:], 1, h.values)
		}
	case deltaBinaryPacked, deltaLengthByteArray:
		err = checkDelta(data[levels:], h.values)
	case byteStreamSplit:
		data, err = p.joined(data, int(levels))
		h.encoding = 0
	}
	if err != nil {
		return false, err
	}
	buffer := memory.NewBufferBytes(data)
	switch h.typ {
	case dictionaryPage:
		p.page = file.NewDictionaryPage(buffer, int32(h.values), parquet.Encoding(h.encoding))
	case dataPage:
		p.page = file.NewDataPageV1(buffer, int32(h.values), parquet.Encoding(h.encoding), parquet.Encoding(h.definition), parquet.Encoding(h.repetition), int32(h.size))
	default:
		p.page = file.NewDataPageV2(buffer, int32(h.values), int32(h.nulls), int32(h.rows), parquet.Encoding(h.encoding), int32(h.definitionLen), int32(h.repeatedLen), int32(h.size), false)
	}
	return true, nil
}

// The encodings of pages (parquet.thrift, Encoding).
const (
	plainDictionary      = 2
	runLengths           = 3
	rleDictionary        = 8
	deltaBinaryPacked    = 5
	deltaLengthByteArray = 6
	byteStreamSplit      = 9
)

// foreignEncodings are those of pages that are read.
var foreignEncodings = append(slices.Clone(encodings), deltaBinaryPacked, deltaLengthByteArray, byteStreamSplit)

// levels is the length of the levels that a page of version 1 begins with.
func (p *pages) levels(data []byte, values int64) (n int64, err error) {
	for _, most := range []int16{p.descr.MaxRepetitionLevel(), p.descr.MaxDefinitionLevel()} {
		if most == 0 {
			continue
		}
		if int64(len(data)) < n+4 {
			return 0, fmt.Errorf("a page of %d bytes has no levels", len(data))
		}
		from := n + 4
		if n = from + int64(binary.LittleEndian.Uint32(data[n:])); n > int64(len(data)) {
			return 0, fmt.Errorf("a page of %d bytes declares %d of levels", len(data), n)
		}
		if err := checkRuns(data[from:n], widthOf(most), values); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// widthOf is the number of bits of a level.
func widthOf(most int16) int { return bits.Len16(uint16(most)) }

// checkRuns walks runs of values of width bits (parquet-format, Encodings.md, RLE),
// up to so many values: of a run of none Arrow's decoder reads on for ever.
func checkRuns(data []byte, width int, values int64) error {
	if width > 32 {
		return fmt.Errorf("a page has indices of %d bits", width)
	}
	for seen := int64(0); seen < values && len(data) > 0; {
		head, n := binary.Uvarint(data)
		if n <= 0 || head>>1 == 0 || head>>1 > math.MaxInt32 {
			return fmt.Errorf("a page has a run of %d values", head>>1)
		}
		size, run := int64(width+7)/8, int64(head>>1)
		if head&1 == 1 { // groups of 8, packed
			size, run = run*int64(width), 8*run
		}
		data = data[n:]
		if size > int64(len(data)) {
			return fmt.Errorf("a page has a run of %d values in %d bytes", run, len(data))
		}
		data, seen = data[size:], seen+run
	}
	return nil
}

// checkDelta checks what a page of deltas begins with, by which Arrow allocates:
// the sizes of its blocks, and the number of values.
func checkDelta(data []byte, values int64) error {
	var v [3]uint64 // values of a block, miniblocks of a block, values of the page
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(data); n <= 0 {
			return fmt.Errorf("a page of deltas ends early")
		}
		data = data[n:]
	}
	if v[0] == 0 || v[0] > 1<<16 || v[0]%128 != 0 || v[1] == 0 || v[0]%v[1] != 0 || v[0]/v[1]%32 != 0 || v[2] > uint64(values) {
		return fmt.Errorf("a page of %d values declares %d deltas, in blocks of %d in %d parts", values, v[2], v[0], v[1])
	}
	return nil
}

// joined puts the bytes of numbers, which lie byte by byte, together.
func (p *pages) joined(data []byte, from int) ([]byte, error) {
	width := map[parquet.Type]int{parquet.Types.Float: 4, parquet.Types.Int32: 4, parquet.Types.Double: 8, parquet.Types.Int64: 8}[p.descr.PhysicalType()]
	if width == 0 || (len(data)-from)%width != 0 {
		return nil, fmt.Errorf("a page of %d bytes of %v is split by bytes", len(data)-from, p.descr.PhysicalType())
	}
	out := slices.Clone(data)
	n := (len(data) - from) / width
	for i := range n {
		for b := range width {
			out[from+i*width+b] = data[from+b*n+i]
		}
	}
	return out, nil
}

// unpack appends to dst what packed has, up to size bytes of both.
func unpack(codec compress.Compression, dst, packed []byte, size int) ([]byte, error) {
	const lz4Raw = 7 // parquet.thrift, CompressionCodec
	most := size - len(dst)
	if most == 0 && len(packed) == 0 {
		return dst, nil
	}
	var out []byte
	var err error
	switch codec {
	case compress.Codecs.Snappy:
		n, length := binary.Uvarint(packed)
		if length <= 0 || n != uint64(most) {
			return nil, fmt.Errorf("a page declares %d bytes and has %d", most, n)
		}
		out, err = snappy.Decode(make([]byte, most), packed)
	case compress.Codecs.Zstd:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxOpenBytes)); err == nil {
			defer z.Close()
			out, err = readUpTo(z, most, len(packed))
		}
	case compress.Codecs.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(packed)); err == nil {
			out, err = readUpTo(z, most, len(packed))
		}
	case compress.Codecs.Brotli:
		out, err = readUpTo(brotli.NewReader(bytes.NewReader(packed)), most, len(packed))
	case lz4Raw:
		// LZ4 makes at most 255 bytes of one.
		if most > 255*len(packed)+64 {
			return nil, fmt.Errorf("a page of %d bytes declares %d", len(packed), most)
		}
		out = make([]byte, most)
		var n int
		n, err = lz4.UncompressBlock(packed, out)
		out = out[:max(n, 0)]
	default:
		return nil, fmt.Errorf("it is compressed with codec %d: write it with snappy, zstd, gzip, brotli, lz4_raw or none", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack a page: %w", err)
	}
	if len(dst) == 0 {
		return out, nil
	}
	return append(dst, out...), nil
}

// readUpTo reads what there is, in memory that grows with it, and one byte more
// than most.
func readUpTo(r io.Reader, most, packed int) ([]byte, error) {
	out := bytes.NewBuffer(make([]byte, 0, min(most+bytes.MinRead, 64*packed+bytes.MinRead)))
	_, err := out.ReadFrom(io.LimitReader(r, int64(most)+1))
	return out.Bytes(), err
}
