package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// What a pickle holds becomes nil, bool, int, *big.Int, float64, string (of
// bytes too), *tuple, *list, *dict, the values below, and what they make. No
// value is ever printed: a few bytes can hold one string thousands of times.
type (
	tuple struct{ items []any }
	list  struct{ items []any }
	dict  struct{ items []entry }
	entry struct{ key, value any }
)

// class is a class or a function, by name. None is loaded or called.
type class struct{ module, name string }

// object stands for whatever a class or a function outside the short list of
// [call] makes. What the pickle puts into it is kept: modules hold their tensors
// there.
type object struct {
	items []entry
	state any
}

// call is what REDUCE does.
func call(function any, args []any) (any, error) {
	f, ok := function.(class)
	if !ok {
		if _, ok := function.(*object); ok {
			return &object{}, nil
		}
		return nil, errors.New("the pickle calls what is not a function")
	}
	switch f {
	case class{"collections", "OrderedDict"}:
		return pairs(args)
	case class{"collections", "defaultdict"}: // (the default's class)
		return &dict{}, nil
	case class{"torch._tensor", "_rebuild_from_type_v2"}, class{"torch._tensor", "_rebuild_from_type"}: // (function, subclass, arguments, state)
		if len(args) > 2 {
			inner, ok1 := args[0].(class)
			of, ok2 := args[2].(*tuple)
			if ok1 && ok2 && inner.module == "torch._utils" {
				return call(inner, of.items)
			}
		}
	}
	if f.module != "torch._utils" {
		return &object{}, nil
	}
	switch f.name {
	case "_rebuild_tensor", "_rebuild_tensor_v2":
		return newView(args)
	case "_rebuild_tensor_v3": // with the type as its seventh
		if len(args) < 7 {
			return nil, errors.New("a tensor has too few fields")
		}
		dtype, _ := args[6].(class)
		v, err := newView(args)
		if err == nil {
			v.cast(dtype.name)
		}
		return v, err
	case "_rebuild_parameter", "_rebuild_parameter_with_state": // (tensor, …)
		if len(args) == 0 {
			return nil, errors.New("a parameter has no tensor")
		}
		return args[0], nil
	case "_rebuild_qtensor":
		v, err := newView(args)
		if err == nil {
			v.odd = "quantized"
		}
		return v, err
	}
	if len(args) > 0 && f.name == "_rebuild_wrapper_subclass" { // such as DTensor
		if of, ok := args[0].(class); ok {
			return &view{odd: of.name}, nil
		}
	}
	if kind, ok := strings.CutPrefix(f.name, "_rebuild_"); ok { // sparse, nested, meta, of other devices
		return &view{odd: strings.ReplaceAll(kind, "_", " ")}, nil
	}
	return &object{}, nil
}

// pairs is an OrderedDict of its argument, a list of pairs: how Python 2 wrote
// one. Usually there is no argument, and the entries follow.
func pairs(args []any) (*dict, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	of, ok := args[0].(*list)
	if !ok || len(args) > 1 {
		return nil, errors.New("an OrderedDict is not made of a list of pairs")
	}
	for _, item := range of.items {
		var pair []any
		switch p := item.(type) {
		case *list:
			pair = p.items
		case *tuple:
			pair = p.items
		}
		if len(pair) != 2 {
			return nil, errors.New("an OrderedDict is not made of a list of pairs")
		}
		d.items = append(d.items, entry{pair[0], pair[1]})
	}
	return d, nil
}

// maxDims bounds a tensor's dimensions. Those of networks have at most 5.
const maxDims = 8

// newView is _rebuild_tensor_v2(storage, offset, size, stride, …).
func newView(args []any) (*view, error) {
	if len(args) < 4 {
		return nil, errors.New("a tensor has too few fields")
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := ints(args[2])
	stride, ok4 := ints(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(stride) {
		return nil, fmt.Errorf("a tensor's fields have unexpected types, or it has more than %d dimensions", maxDims)
	}
	return &view{storage: s, element: s.element, offset: offset, shape: shape, stride: stride}, nil
}

func ints(v any) ([]int, bool) {
	t, ok := v.(*tuple)
	if !ok || len(t.items) > maxDims {
		return nil, false
	}
	out := make([]int, len(t.items))
	for i, item := range t.items {
		n, ok := item.(int)
		if !ok || n < 0 {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}

var errCut = errors.New("the pickle is cut off")

// unpickler is the machine of Python's pickle (Lib/pickletools.py has its
// operations) for what torch.save writes: protocols 2 to 5. An operation of n
// bytes takes memory in proportion to n.
type unpickler struct {
	data  []byte
	at    int
	stack []any
	marks []int // where in the stack
	memo  map[uint64]any
	load  func(id *tuple) (any, error) // turns a persistent id into a storage; nil where there is none
}

// unpickle reads one pickle, and tells where it ends.
func unpickle(data []byte, load func(id *tuple) (any, error)) (value any, end int, err error) {
	u := &unpickler{data: data, memo: map[uint64]any{}, load: load}
	for {
		op, err := u.take(1)
		if err != nil {
			return nil, 0, err
		}
		if op[0] == '.' {
			value, err := u.pop()
			return value, u.at, err
		}
		if err := u.do(op[0]); err != nil {
			return nil, 0, err
		}
	}
}

// width is the bytes of an operation's number, or of its argument's length.
func width(op byte) int {
	switch op {
	case 'h', 'q', 'K', '\x8a', 'U', 'C', '\x8c':
		return 1
	case 'M':
		return 2
	case '\x8d', '\x8e', '\x95':
		return 8
	}
	return 4
}

// take is the next n bytes.
func (u *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(u.data)-u.at) {
		return nil, errCut
	}
	b := u.data[u.at : u.at+int(n)]
	u.at += int(n)
	return b, nil
}

// number is the next little-endian number of some bytes.
func (u *unpickler) number(bytes int) (uint64, error) {
	b, err := u.take(uint64(bytes))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// sized is what a length of some bytes goes before.
func (u *unpickler) sized(bytes int) ([]byte, error) {
	n, err := u.number(bytes)
	if err != nil {
		return nil, err
	}
	return u.take(n)
}

func (u *unpickler) line() (string, error) {
	n := bytes.IndexByte(u.data[u.at:], '\n')
	if n < 0 {
		return "", errCut
	}
	b, err := u.take(uint64(n) + 1)
	return string(b[:n]), err
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// floor is how far down values may be taken: to the last mark.
func (u *unpickler) floor() int {
	if len(u.marks) == 0 {
		return 0
	}
	return u.marks[len(u.marks)-1]
}

// popped are the last n values, oldest first, taken off.
func (u *unpickler) popped(n int) ([]any, error) {
	from := len(u.stack) - n
	if from < u.floor() {
		return nil, errors.New("the pickle takes values that it does not have")
	}
	values := slices.Clone(u.stack[from:])
	u.stack = u.stack[:from]
	return values, nil
}

func (u *unpickler) pop() (any, error) {
	values, err := u.popped(1)
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// marked are the values since the last mark, which is taken off too.
func (u *unpickler) marked() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, errors.New("the pickle lacks a mark")
	}
	values, err := u.popped(len(u.stack) - u.floor())
	u.marks = u.marks[:len(u.marks)-1]
	return values, err
}

// last is the value on top, which stays.
func (u *unpickler) last() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, errors.New("the pickle fills what it does not have")
	}
	return u.stack[len(u.stack)-1], nil
}

// do is one operation.
func (u *unpickler) do(op byte) error {
	switch op {
	case '\x80': // PROTO
		_, err := u.take(1)
		return err
	case '\x95': // FRAME: what it holds follows
		n, err := u.number(width(op))
		if err == nil && n > uint64(len(u.data)-u.at) {
			err = errCut
		}
		return err
	case '(':
		u.marks = append(u.marks, len(u.stack))
		return nil
	case '0': // POP, of a value or a mark
		if len(u.marks) > 0 && u.floor() == len(u.stack) {
			u.marks = u.marks[:len(u.marks)-1]
			return nil
		}
		_, err := u.pop()
		return err
	case '1': // POP_MARK
		_, err := u.marked()
		return err
	case '2': // DUP
		v, err := u.last()
		if err == nil {
			u.push(v)
		}
		return err
	case 'h', 'j': // BINGET, LONG_BINGET
		i, err := u.number(width(op))
		if err != nil {
			return err
		}
		v, known := u.memo[i]
		if !known {
			return errors.New("the pickle reads what it has not kept")
		}
		u.push(v)
		return nil
	case 'q', 'r', '\x94': // BINPUT, LONG_BINPUT, MEMOIZE
		i, err := uint64(len(u.memo)), error(nil)
		if op != '\x94' {
			i, err = u.number(width(op))
		}
		if err != nil {
			return err
		}
		u.memo[i], err = u.last()
		return err
	case 'a', 'e', '\x90', 's', 'u', 'b':
		return u.fill(op)
	}
	v, err := u.value(op)
	if err != nil {
		return err
	}
	u.push(v)
	return nil
}

// fill is the operations that change the value on top: APPEND, APPENDS,
// ADDITEMS, SETITEM, SETITEMS, and BUILD, which sets attributes.
func (u *unpickler) fill(op byte) error {
	var values []any
	var err error
	switch op {
	case 'a', 'b':
		values, err = u.popped(1)
	case 's':
		values, err = u.popped(2)
	default:
		values, err = u.marked()
	}
	if err != nil {
		return err
	}
	target, err := u.last()
	if err != nil {
		return err
	}
	switch to := target.(type) {
	case *list:
		if op == 'a' || op == 'e' {
			to.items = append(to.items, values...)
			return nil
		}
	case *dict:
		if op == 'b' { // such as _metadata
			return nil
		}
		if (op == 's' || op == 'u') && len(values)%2 == 0 {
			for i := 0; i < len(values); i += 2 {
				to.items = append(to.items, entry{values[i], values[i+1]})
			}
			return nil
		}
	case *object:
		switch {
		case op == 'b':
			to.state = values[0]
		case (op == 's' || op == 'u') && len(values)%2 == 0:
			for i := 0; i < len(values); i += 2 {
				to.items = append(to.items, entry{values[i], values[i+1]})
			}
		}
		return nil
	default:
		if op == 'b' { // such as a tensor's attributes
			return nil
		}
	}
	return errors.New("the pickle fills a value with what it cannot hold")
}

// value is the operations that make one.
func (u *unpickler) value(op byte) (any, error) {
	switch op {
	case 'N':
		return nil, nil
	case '\x88', '\x89': // NEWTRUE, NEWFALSE
		return op == '\x88', nil
	case 'K', 'M', 'J': // BININT1, BININT2, BININT
		n, err := u.number(width(op))
		if op == 'J' {
			return int(int32(n)), err
		}
		return int(n), err
	case '\x8a', '\x8b': // LONG1, LONG4
		b, err := u.sized(width(op))
		return long(b), err
	case 'G': // BINFLOAT, the other way round
		b, err := u.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case 'U', 'T', 'C', 'B', '\x8e', '\x8c', 'X', '\x8d': // strings, bytes, Unicode
		b, err := u.sized(width(op))
		return string(b), err
	case ')', '\x85', '\x86', '\x87': // EMPTY_TUPLE, TUPLE1 to TUPLE3
		items, err := u.popped(max(int(op)-'\x84', 0))
		return &tuple{items}, err
	case 't', 'l': // TUPLE, LIST
		items, err := u.marked()
		if op == 'l' {
			return &list{items}, err
		}
		return &tuple{items}, err
	case ']':
		return &list{}, nil
	case '}':
		return &dict{}, nil
	case 'd': // DICT
		items, err := u.marked()
		if err != nil || len(items)%2 != 0 {
			return nil, errors.Join(err, errors.New("the pickle has a key without a value"))
		}
		d := &dict{}
		for i := 0; i < len(items); i += 2 {
			d.items = append(d.items, entry{items[i], items[i+1]})
		}
		return d, nil
	case '\x8f': // EMPTY_SET
		return &object{}, nil
	case '\x91', 'o': // FROZENSET, OBJ
		_, err := u.marked()
		return &object{}, err
	case '\x81': // NEWOBJ
		_, err := u.popped(2)
		return &object{}, err
	case '\x92': // NEWOBJ_EX
		_, err := u.popped(3)
		return &object{}, err
	case 'c': // GLOBAL
		module, err := u.line()
		if err != nil {
			return nil, err
		}
		name, err := u.line()
		return class{module, name}, err
	case '\x93': // STACK_GLOBAL
		names, err := u.popped(2)
		if err != nil {
			return nil, err
		}
		module, ok1 := names[0].(string)
		name, ok2 := names[1].(string)
		if !ok1 || !ok2 {
			return nil, errors.New("the pickle has a class whose name is not text")
		}
		return class{module, name}, nil
	case 'R': // REDUCE
		what, err := u.popped(2)
		if err != nil {
			return nil, err
		}
		args, ok := what[1].(*tuple)
		if !ok {
			return nil, errors.New("the pickle calls something without a tuple")
		}
		return call(what[0], args.items)
	case 'Q': // BINPERSID
		v, err := u.pop()
		if err != nil {
			return nil, err
		}
		id, ok := v.(*tuple)
		if !ok || u.load == nil {
			return nil, errors.New("unexpected persistent id")
		}
		return u.load(id)
	}
	return nil, fmt.Errorf("pickle opcode 0x%02x is not supported: save the checkpoint by torch.save's default protocol", op)
}

// long is a little-endian number in two's complement: an int where it fits.
func long(b []byte) any {
	flipped := slices.Clone(b)
	slices.Reverse(flipped)
	n := new(big.Int).SetBytes(flipped)
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if n.IsInt64() {
		return int(n.Int64())
	}
	return n
}
