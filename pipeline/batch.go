package pipeline

import "errors"

var errTODO = errors.New("under construction")

// A Batch is a record batch of one kind, validated: every row's rasters have
// the lengths their sizes ask for and match their digest.
type Batch struct{ header Header }

// Release gives the batch's memory back; rows taken from it are invalid then.
func (b *Batch) Release() {}

// Header is that of the stream the batch belongs to.
func (b *Batch) Header() Header { return b.header }

// Len is the number of rows.
func (b *Batch) Len() int { return 0 }

// Sample is row i of a sample batch (or the Sample inside a mix batch); its rasters are views into the batch.
func (b *Batch) Sample(i int) (Sample, error) { return Sample{}, errTODO }

// Mix is row i of a mix batch; its rasters are views into the batch.
func (b *Batch) Mix(i int) (Mix, error) { return Mix{}, errTODO }

// Pair is row i of a pair batch; its rasters are views into the batch.
func (b *Batch) Pair(i int) (Pair, error) { return Pair{}, errTODO }

// Tensor is the values buffer of a fixed-size raster column (image, label,
// mask, image_a, …) as one contiguous [N,H,W,C] block, and its shape. It is
// a view into the batch. It fails where sizes vary or a row is null.
func (b *Batch) Tensor(column string) (pix []byte, shape [4]int, err error) {
	return nil, shape, errTODO
}

// A Builder collects rows into a Batch. Appending copies the row's rasters.
type Builder struct{ header Header }

// NewBuilder starts an empty batch of a stream with this header.
func NewBuilder(header Header) *Builder { return &Builder{header} }

// AppendSample adds a row to a sample batch.
func (b *Builder) AppendSample(s Sample) error { return errTODO }

// AppendMix adds a row to a mix batch.
func (b *Builder) AppendMix(m Mix) error { return errTODO }

// AppendPair adds a row to a pair batch.
func (b *Builder) AppendPair(p Pair) error { return errTODO }

// Len is the number of rows appended so far.
func (b *Builder) Len() int { return 0 }

// Batch returns the rows so far as a Batch that the caller releases, and
// empties the builder.
func (b *Builder) Batch() (*Batch, error) { return nil, errTODO }

// Release gives the builder's memory back.
func (b *Builder) Release() {}
