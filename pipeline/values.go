package pipeline

import (
	"encoding/binary"
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A row's Validate needs no header. Here are the values of labels, masks and
// classes too: a label of another class would end a process that counts or trains
// by it. Readers and builders check every row.

// maxFrame is the longest side of a resized frame, in which crops lie: the largest
// base of the crops' options times the largest scale.
const maxFrame = 1 << 19

// maxClasses is the most that a list of a mix's may have: each once.
const maxClasses = 255

// CheckSample fails where a sample is not valid, or has values that a stream with
// this header does not have: a label above the classes but 255.
func (h Header) CheckSample(s *Sample) error {
	if err := s.Validate(); err != nil {
		return err
	}
	return h.checkLabel(KindSample, s.ID, "label", s.Label)
}

// CheckMix is CheckSample for a mix: its mask is of 0 and 1, its classes rise.
func (h Header) CheckMix(m *Mix) error {
	if err := m.Validate(); err != nil {
		return err
	}
	if at := outsideMask(m.Mask.Pix()); at >= 0 {
		x, y := m.Mask.At(at)
		return fmt.Errorf("mix %q: mask: pixel x %d y %d is %d, want 0 or 1", m.ID, x, y, m.Mask.Pix()[at])
	}
	for i, id := range m.Classes {
		if i > 0 && id <= m.Classes[i-1] || len(h.Classes) > 0 && int(id) >= len(h.Classes) {
			return fmt.Errorf("mix %q: classes has %d after %v, want rising train IDs below %d", m.ID, id, m.Classes[:min(i, 8)], len(h.Classes))
		}
	}
	return h.checkLabel(KindMix, m.ID, "label", m.Label)
}

// CheckPair is CheckSample for a pair.
func (h Header) CheckPair(p *Pair) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if err := h.checkLabel(KindPair, p.ID, "label_a", p.A.Label); err != nil {
		return err
	}
	return h.checkLabel(KindPair, p.ID, "label_b", p.B.Label)
}

// checkLabel fails where a label has a value that is neither a class's nor
// [raster.Ignore]. A stream that names no classes says nothing about its labels.
func (h Header) checkLabel(kind Kind, id, column string, label raster.Raster) error {
	n := len(h.Classes)
	if n == 0 {
		return nil
	}
	at := outsideClasses(label.Pix(), n)
	if at < 0 {
		return nil
	}
	x, y := label.At(at)
	return fmt.Errorf("%s %q: %s: pixel x %d y %d is %d, want a train ID below %d, or %d", kind, id, column, x, y, label.Pix()[at], n, raster.Ignore)
}

// The loops over pixels look at 8 at a time, as bytes of a number.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// outsideMask is the index of the first value that is neither 0 nor 1, or -1.
func outsideMask(pix []byte) int {
	var seen uint64
	rest := pix
	for ; len(rest) >= 32; rest = rest[32:] {
		v0, v1, v2, v3 := four(rest)
		seen |= v0 | v1 | v2 | v3
	}
	if seen&^ones != 0 {
		rest = pix
	}
	for i, v := range rest {
		if v > 1 {
			return len(pix) - len(rest) + i
		}
	}
	return -1
}

// outsideClasses is the index of the first value that is neither below n, 1 to 254,
// nor 255; or -1.
func outsideClasses(pix []byte, n int) int {
	rest := pix
	if n <= 128 {
		// A byte is n or more where its lower 7 bits and 128-n reach the highest bit, or
		// it is there; and 255 where these bits and 1 reach it, and it is there.
		add := uint64(128-n) * ones
		var seen, last uint64
		for ; len(rest) >= 32; rest = rest[32:] {
			v0, v1, v2, v3 := four(rest)
			if (v0^last)|(v1^last)|(v2^last)|(v3^last) == 0 {
				continue // a class goes on, as it mostly does; 0 is one
			}
			last = v3
			l0, l1, l2, l3 := v0&^high, v1&^high, v2&^high, v3&^high
			seen |= (l0+add|v0)&^((l0+ones)&v0) | (l1+add|v1)&^((l1+ones)&v1) |
				(l2+add|v2)&^((l2+ones)&v2) | (l3+add|v3)&^((l3+ones)&v3)
		}
		if seen&high != 0 {
			rest = pix
		}
	}
	for i, v := range rest {
		if int(v) >= n && v != byte(raster.Ignore) {
			return len(pix) - len(rest) + i
		}
	}
	return -1
}

// four are the first 32 bytes.
func four(b []byte) (v0, v1, v2, v3 uint64) {
	p := (*[32]byte)(b)
	return binary.LittleEndian.Uint64(p[0:]), binary.LittleEndian.Uint64(p[8:]), binary.LittleEndian.Uint64(p[16:]), binary.LittleEndian.Uint64(p[24:])
}
