package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// compact walks a struct in Thrift's compact protocol (apache/thrift,
// doc/specs/thrift-compact-protocol.md) without building it, and fails where a
// length goes past the data. Arrow's reader allocates what lengths ask for; it
// is given only what has been walked.
type compact struct {
	data []byte
	at   int
}

// maxNesting bounds structs and lists within each other; Parquet's metadata
// needs 8.
const maxNesting = 24

var errThrift = errors.New("its Thrift metadata is damaged")

// The compact protocol's types.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// walk reads one struct. visit is called with the number of each field that is
// an integer or a boolean, with its value, or a list, with its length; parent is the number
// of the field of the outermost struct that it lies in, or 0.
func (c *compact) walk(visit func(parent, id int16, v int64) error) error {
	return c.structure(0, 0, visit)
}

func (c *compact) structure(parent int16, depth int, visit func(parent, id int16, v int64) error) error {
	var id int16
	for {
		head, err := c.byte()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			v, err := c.signed()
			if err != nil {
				return err
			}
			id = int16(v)
		}
		at := func(v int64) error {
			if depth > 1 { // deeper than anyone asks
				return nil
			}
			return visit(parent, id, v)
		}
		inner := parent
		if depth == 0 {
			inner = id
		}
		if err := c.value(head&15, inner, depth, false, at, visit); err != nil {
			return err
		}
	}
}

// value reads a value of a type. Booleans are in the type of a field, and a
// byte in a list.
func (c *compact) value(typ byte, parent int16, depth int, element bool, at func(int64) error, visit func(parent, id int16, v int64) error) error {
	if depth > maxNesting {
		return errThrift
	}
	switch typ {
	case thriftTrue, thriftFalse:
		if element {
			return c.skip(1)
		}
		if at == nil {
			return nil
		}
		return at(int64(thriftFalse - typ)) // 1 and 0
	case thriftByte:
		return c.skip(1)
	case thriftI16, thriftI32, thriftI64:
		v, err := c.signed()
		if err != nil || at == nil {
			return err
		}
		return at(v)
	case thriftDouble:
		return c.skip(8)
	case thriftBinary:
		n, err := c.unsigned()
		if err != nil {
			return err
		}
		return c.skip(n)
	case thriftList, thriftSet:
		head, err := c.byte()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = c.unsigned(); err != nil {
				return err
			}
		}
		return c.elements(n, []byte{head & 15}, parent, depth, at, visit)
	case thriftMap:
		n, err := c.unsigned()
		if err != nil || n == 0 {
			return err
		}
		types, err := c.byte()
		if err != nil {
			return err
		}
		return c.elements(n, []byte{types >> 4, types & 15}, parent, depth, at, visit)
	case thriftStruct:
		return c.structure(parent, depth+1, visit)
	}
	return errThrift
}

// elements reads n values of each of the types. A value takes a byte at least.
func (c *compact) elements(n uint64, types []byte, parent int16, depth int, at func(int64) error, visit func(parent, id int16, v int64) error) error {
	if n > uint64(len(c.data)-c.at) {
		return fmt.Errorf("%w: a list of %d values in %d bytes", errThrift, n, len(c.data)-c.at)
	}
	if at != nil {
		if err := at(int64(n)); err != nil {
			return err
		}
	}
	for range n {
		for _, t := range types {
			if err := c.value(t, parent, depth+1, true, nil, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compact) byte() (byte, error) {
	if c.at >= len(c.data) {
		return 0, fmt.Errorf("%w: it ends early", errThrift)
	}
	c.at++
	return c.data[c.at-1], nil
}

func (c *compact) skip(n uint64) error {
	if n > uint64(len(c.data)-c.at) {
		return fmt.Errorf("%w: %d bytes are declared, %d are left", errThrift, n, len(c.data)-c.at)
	}
	c.at += int(n)
	return nil
}

func (c *compact) unsigned() (uint64, error) {
	v, n := binary.Uvarint(c.data[c.at:])
	if n <= 0 {
		return 0, errThrift
	}
	c.at += n
	return v, nil
}

// signed reads a zigzag number.
func (c *compact) signed() (int64, error) {
	v, err := c.unsigned()
	return int64(v>>1) ^ -int64(v&1), err
}
