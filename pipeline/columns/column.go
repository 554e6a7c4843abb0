package columns

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// A Column is a field's values in the layout that its type has in Arrow. Check it
// once: what is asked of it then stays within its buffers.
type Column struct {
	Type *Type
	Len  int
	// Valid is a bitmap; none where every row has a value.
	Valid []byte
	// Values are numbers, booleans as a bitmap, the indices of a dictionary, the
	// views of texts, bytes of one size, or what Offsets point into.
	Values  []byte
	Offsets []byte
	// Views is what the views of texts point into.
	Views [][]byte
	// Children are a list's elements, or a struct's fields.
	Children []*Column
	// Dictionary is the values that indices point at, in one part or more.
	Dictionary []*Column
}

const viewBytes = 16

// Check fails unless all that the values point at is there.
func (c *Column) Check() error {
	n, t := c.Len, c.Type
	if c.Valid != nil && len(c.Valid) < (n+7)/8 {
		return fmt.Errorf("has %d bytes of validity for %d rows", len(c.Valid), n)
	}
	fixed := func(bits int) error {
		if bits > 0 && n > 8*len(c.Values)/bits {
			return fmt.Errorf("has %d bytes for %d values", len(c.Values), n)
		}
		return nil
	}
	if t.Index != nil {
		if err := fixed(t.Index.Bits); err != nil {
			return err
		}
		entries := 0
		for _, d := range c.Dictionary {
			entries += d.Len
		}
		for i := range n {
			if v := c.integer(t.Index, i); c.valid(i) && (v < 0 || v >= int64(entries)) {
				return fmt.Errorf("row %d has index %d into a dictionary of %d", i, v, entries)
			}
		}
		return nil
	}
	switch t.Kind {
	case Bool:
		return fixed(1)
	case Int, Float:
		return fixed(t.Bits)
	case Text, Bytes:
		switch {
		case t.View:
			return fixed(8 * viewBytes) // each is checked when it is followed
		case t.Size >= 0:
			return fixed(8 * t.Size)
		}
		return c.checkOffsets(len(c.Values))
	case List:
		child := c.Children[0]
		if t.Size >= 0 {
			if t.Size > 0 && child.Len/t.Size < n {
				return fmt.Errorf("has %d elements for %d lists of %d", child.Len, n, t.Size)
			}
		} else if err := c.checkOffsets(child.Len); err != nil {
			return err
		}
		return child.Check()
	case Struct:
		for i, child := range c.Children {
			if child.Len < n {
				return fmt.Errorf("its field %s has %d rows for %d", t.Fields[i].Name, child.Len, n)
			}
			if err := child.Check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOffsets checks that the offsets never fall, from 0 or later, up to most.
func (c *Column) checkOffsets(most int) error {
	width := c.offsetBytes()
	if c.Len == 0 {
		return nil
	}
	if len(c.Offsets) < (c.Len+1)*width {
		return fmt.Errorf("has %d bytes of offsets for %d rows", len(c.Offsets), c.Len)
	}
	before := int64(0)
	for i := range c.Len + 1 {
		o := c.offset(i)
		if o < before || o > int64(most) {
			return fmt.Errorf("its offset %d is %d, after %d and of %d", i, o, before, most)
		}
		before = o
	}
	return nil
}

func (c *Column) offsetBytes() int {
	if c.Type.Wide {
		return 8
	}
	return 4
}

func (c *Column) offset(i int) int64 {
	if c.Type.Wide {
		return int64(binary.LittleEndian.Uint64(c.Offsets[8*i:]))
	}
	return int64(int32(binary.LittleEndian.Uint32(c.Offsets[4*i:])))
}

func (c *Column) valid(i int) bool {
	return c.Valid == nil || c.Valid[i/8]>>(i%8)&1 == 1
}

// place follows a dictionary's index to the column that has row i's value.
func (c *Column) place(i int) (*Column, int, bool) {
	if !c.valid(i) {
		return nil, 0, false
	}
	if c.Type.Index == nil {
		return c, i, true
	}
	at := int(c.integer(c.Type.Index, i))
	for _, d := range c.Dictionary {
		if at < d.Len {
			return d, at, d.valid(at)
		}
		at -= d.Len
	}
	return nil, 0, false
}

// IsNull reports whether row i has no value.
func (c *Column) IsNull(i int) bool {
	_, _, ok := c.place(i)
	return !ok
}

// integer is a number of type t as 64 bits.
func (c *Column) integer(t *Type, i int) int64 {
	switch t.Bits {
	case 8:
		if t.Signed {
			return int64(int8(c.Values[i]))
		}
		return int64(c.Values[i])
	case 16:
		v := binary.LittleEndian.Uint16(c.Values[2*i:])
		if t.Signed {
			return int64(int16(v))
		}
		return int64(v)
	case 32:
		v := binary.LittleEndian.Uint32(c.Values[4*i:])
		if t.Signed {
			return int64(int32(v))
		}
		return int64(v)
	}
	return int64(binary.LittleEndian.Uint64(c.Values[8*i:]))
}

// Int is row i of integers; uint64 keeps its bits. It is not ok where the row has
// none, or the column has other values.
func (c *Column) Int(i int) (v int64, ok bool) {
	d, i, ok := c.place(i)
	if !ok || d.Type.Kind != Int {
		return 0, false
	}
	return d.integer(d.Type, i), true
}

// Float is row i of floating-point numbers of 32 or 64 bits.
func (c *Column) Float(i int) (v float64, ok bool) {
	d, i, ok := c.place(i)
	if !ok || d.Type.Kind != Float {
		return 0, false
	}
	switch d.Type.Bits {
	case 32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(d.Values[4*i:]))), true
	case 64:
		return math.Float64frombits(binary.LittleEndian.Uint64(d.Values[8*i:])), true
	}
	return 0, false
}

// Bool is row i of booleans.
func (c *Column) Bool(i int) (v, ok bool) {
	d, i, ok := c.place(i)
	if !ok || d.Type.Kind != Bool {
		return false, false
	}
	return d.Values[i/8]>>(i%8)&1 == 1, true
}

// Text is row i of texts, which have to be UTF-8.
func (c *Column) Text(i int) (string, error) {
	b, err := c.Bytes(i)
	if err == nil && !utf8.Valid(b) {
		err = fmt.Errorf("%q is not UTF-8", b[:min(len(b), 40)])
	}
	return string(b), err
}

// Bytes is row i of texts, of bytes, or of lists of integers from 0 to 255, lists
// of lists among them, end to end. It is a view into the column where that is
// possible, and nil where the row has none.
func (c *Column) Bytes(i int) ([]byte, error) {
	d, i, ok := c.place(i)
	if !ok {
		return nil, nil
	}
	switch d.Type.Kind {
	case Text, Bytes:
		return d.blob(i)
	case List:
		from, to := d.span(i, i+1)
		return d.Children[0].small(from, to)
	}
	return nil, fmt.Errorf("its type is %v", *d.Type)
}

func (c *Column) blob(i int) ([]byte, error) {
	switch t := c.Type; {
	case t.View:
		view := c.Values[viewBytes*i:][:viewBytes]
		n := int64(int32(binary.LittleEndian.Uint32(view)))
		if n >= 0 && n <= 12 {
			return view[4 : 4+n : 4+n], nil
		}
		number, at := int64(int32(binary.LittleEndian.Uint32(view[8:]))), int64(int32(binary.LittleEndian.Uint32(view[12:])))
		if n < 0 || number < 0 || number >= int64(len(c.Views)) || at < 0 || at+n > int64(len(c.Views[number])) {
			return nil, fmt.Errorf("it points at bytes %d+%d of buffer %d, of %d", at, n, number, len(c.Views))
		}
		return c.Views[number][at : at+n : at+n], nil
	case t.Size >= 0:
		return c.Values[i*t.Size : (i+1)*t.Size : (i+1)*t.Size], nil
	}
	from, to := c.offset(i), c.offset(i+1)
	return c.Values[from:to:to], nil
}

// span is where the elements of the lists from one up to another lie.
func (c *Column) span(from, to int) (int, int) {
	if c.Type.Size >= 0 {
		return from * c.Type.Size, to * c.Type.Size
	}
	return int(c.offset(from)), int(c.offset(to))
}

// small is the elements from one up to another, each of which is to be a number
// from 0 to 255.
func (c *Column) small(from, to int) ([]byte, error) {
	if c.Valid != nil {
		for i := from; i < to; i++ {
			if !c.valid(i) {
				return nil, fmt.Errorf("its element %d is null", i-from)
			}
		}
	}
	switch t := c.Type; {
	case t.Kind == List && t.Index == nil:
		from, to = c.span(from, to)
		return c.Children[0].small(from, to)
	case t.Kind != Int:
		return nil, fmt.Errorf("its elements are of type %v", *t)
	case t.Bits == 8 && !t.Signed && t.Index == nil:
		return c.Values[from:to:to], nil
	}
	out := make([]byte, 0, to-from)
	for i := from; i < to; i++ {
		v, ok := c.Int(i)
		if !ok || v < 0 || v > 255 {
			return nil, fmt.Errorf("its element %d is %d, want 0 to 255", i-from, v)
		}
		out = append(out, byte(v))
	}
	return out, nil
}

// Ints is row i of lists of integers.
func (c *Column) Ints(i int) ([]int64, error) {
	d, i, ok := c.place(i)
	if !ok || d.Type.Kind != List {
		return nil, fmt.Errorf("it has no list")
	}
	from, to := d.span(i, i+1)
	out := make([]int64, 0, to-from)
	for k := from; k < to; k++ {
		v, ok := d.Children[0].Int(k)
		if !ok {
			return nil, fmt.Errorf("its element %d is null or not an integer", k-from)
		}
		out = append(out, v)
	}
	return out, nil
}

// Child is a struct's field of a name, nil where it has none, and the row of it
// that row i is. It is not ok where the row has no struct.
func (c *Column) Child(i int, name string) (child *Column, row int, ok bool) {
	d, i, ok := c.place(i)
	if !ok || d.Type.Kind != Struct {
		return nil, 0, false
	}
	for k, f := range d.Type.Fields {
		if f.Name == name {
			return d.Children[k], i, true
		}
	}
	return nil, i, true
}
