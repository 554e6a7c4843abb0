package png

import "encoding/binary"

// fastPlain is symbol in a loop while there is input for whole loads and room
// for output: it leaves out the checks for either. It returns at limit, at the
// end of the block, on an error or when in runs low.
//
// The bits in hold are refilled 8 bytes at a time without a branch, in the
// way that Fabian Giesen describes in "Reading bits in far too many ways":
// what is loaded above count is loaded again later.
func (z *inflater) fastPlain(out []byte, at, limit int) (int, error) {
	in, from, hold, count := z.in, z.at, z.hold, uint64(z.count)
	lit, dist := &z.lit, &z.dist
	var err error
	for at < limit && from <= len(in)-fastInput {
		hold |= binary.LittleEndian.Uint64(in[from:]) << (count & 63)
		from += int(63-count) >> 3 & 7
		count |= 56

		e := lit[hold&(1<<litBits-1)]
		if e&entryLits != 0 {
			// 56 bits are enough for four entries of the first table, and for
			// three and a length with its extra bits.
			binary.LittleEndian.PutUint32(out[at:], e>>8)
			at += int(e & entryLits >> 6)
			hold >>= e & entryBits
			count -= uint64(e & entryBits)
			e = lit[hold&(1<<litBits-1)]
			if e&entryLits != 0 {
				binary.LittleEndian.PutUint32(out[at:], e>>8)
				at += int(e & entryLits >> 6)
				hold >>= e & entryBits
				count -= uint64(e & entryBits)
				e = lit[hold&(1<<litBits-1)]
				if e&entryLits != 0 {
					binary.LittleEndian.PutUint32(out[at:], e>>8)
					at += int(e & entryLits >> 6)
					hold >>= e & entryBits
					count -= uint64(e & entryBits)
					continue
				}
			}
		}
		if e&entrySpecial != 0 {
			if e&entryKind == entrySpecial {
				e = lit[uint64(e>>16)+hold>>litBits&(1<<(e>>8&15)-1)]
			}
			if e&entryLits != 0 {
				out[at] = byte(e >> 8)
				at++
				hold >>= e & entryBits
				count -= uint64(e & entryBits)
				continue
			}
			if e&entrySpecial != 0 {
				hold >>= e & entryBits
				count -= uint64(e & entryBits)
				if e&entryKind != entryEnd {
					err = errSymbol
				} else {
					z.state = betweenBlocks
				}
				break
			}
		}
		length := int(e>>16) + extraBits(hold, e)
		hold >>= e & entryBits
		count -= uint64(e & entryBits)

		// A distance takes up to 28 bits.
		if count < 28 {
			hold |= binary.LittleEndian.Uint64(in[from:]) << (count & 63)
			from += int(63-count) >> 3 & 7
			count |= 56
		}
		d := dist[hold&(1<<distBits-1)]
		if d&entrySpecial != 0 {
			if d&entryKind == entrySpecial {
				d = dist[uint64(d>>16)+hold>>distBits&(1<<(d>>8&15)-1)]
			}
			if d&entrySpecial != 0 {
				err = errSymbol
				break
			}
		}
		distance := int(d>>16) + extraBits(hold, d)
		hold >>= d & entryBits
		count -= uint64(d & entryBits)
		if distance > at {
			err = errDistance
			break
		}
		copyMatch(out, at, distance, length)
		at += length
	}
	z.at, z.hold, z.count = from, hold, uint(count)
	return at, err
}

// copyMatch copies length bytes from distance back, byte after byte in effect:
// the source may reach into what is being written. It writes up to 15 bytes
// more.
func copyMatch(out []byte, at, distance, length int) {
	end := at + length
	from := at - distance
	if distance >= 16 {
		for at < end {
			*(*[16]byte)(out[at:]) = *(*[16]byte)(out[from:])
			at += 16
			from += 16
		}
		return
	}
	if distance < 8 {
		// Eight bytes one by one make the pattern; after them the same
		// bytes lie a multiple of the distance back that is at least 8.
		for range 8 {
			out[at] = out[from]
			at++
			from++
		}
		from = at - (distance+7)/distance*distance
		if distance == 1 {
			from = at - 8
		}
	}
	for at < end {
		binary.LittleEndian.PutUint64(out[at:], binary.LittleEndian.Uint64(out[from:]))
		at += 8
		from += 8
	}
}
