package pipeline

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// A Key names one place where random numbers are drawn: (seed, epoch, stage,
// sample). Equal keys draw equal numbers, whatever the worker count, shard
// split, pipe or resume; no stage shares a generator with another.
type Key struct{ hi, lo uint64 }

// NewKey hashes its arguments (xxh3-128 over a length-prefixed encoding, so
// that no two argument lists collide by concatenation).
func NewKey(seed, epoch uint64, stage, id string) Key {
	b := make([]byte, 0, 32+len(stage)+len(id))
	b = binary.LittleEndian.AppendUint64(b, seed)
	b = binary.LittleEndian.AppendUint64(b, epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(stage)))
	b = append(b, stage...)
	b = append(b, id...)
	h := xxh3.Hash128(b)
	return Key{h.Hi, h.Lo}
}

// Sub derives the key of a part, such as one crop of a pair.
func (k Key) Sub(part string) Key { return NewKey(k.hi, k.lo, "sub", part) }

// Rand returns a fresh generator for this key; calling it twice gives two
// generators with the same sequence.
func (k Key) Rand() *rand.Rand { return rand.New(rand.NewPCG(k.hi, k.lo)) }

// Uint64 is a single draw, for handing the key to a generator elsewhere (such
// as the tensor library's).
func (k Key) Uint64() uint64 { return k.hi ^ bits.RotateLeft64(k.lo, 32) }

// A Permutation is a keyed bijection of 0..n-1 that needs no memory: a
// four-round Feistel network on the next power of four, walked until the
// value falls below n (cycle walking; Black and Rogaway, "Ciphers with
// Arbitrary Finite Domains", CT-RSA 2002).
type Permutation struct {
	n     uint64
	half  uint
	round [4]uint64
}

// NewPermutation returns the order that key gives to n items; n may be 0.
func NewPermutation(key Key, n int) Permutation {
	p := Permutation{n: uint64(max(n, 0))}
	width := uint(bits.Len64(max(p.n, 2) - 1))
	p.half = (width + 1) / 2
	r := key.Rand()
	for i := range p.round {
		p.round[i] = r.Uint64()
	}
	return p
}

// At is the item at position i of the order, 0 <= i < n.
func (p Permutation) At(i int) int {
	v := uint64(i)
	if v >= p.n {
		panic("pipeline: permutation index out of range")
	}
	mask := uint64(1)<<p.half - 1
	for {
		left, right := v>>p.half, v&mask
		for _, k := range p.round {
			// splitmix64's finaliser (Steele, Lea, Flood 2014) as round function.
			x := right ^ k
			x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
			x = (x ^ x>>27) * 0x94d049bb133111eb
			x ^= x >> 31
			left, right = right, left^(x&mask)
		}
		if v = left<<p.half | right; v < p.n {
			return int(v)
		}
	}
}
