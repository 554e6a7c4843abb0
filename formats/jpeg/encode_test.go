package jpeg

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// A testImage is a JPEG of coefficients that are drawn by its seed: a walk of DC, and
// AC that is rarer and smaller the higher it is, as in photographs.
type testImage struct {
	name          string
	height, width int
	sampling      []int // of each component, 0xHV
	progressive   bool
	separate      bool // a scan for each component
	interval      int  // MCUs between restart markers
	noTables      bool // leaves the standard's Huffman tables out, as Motion JPEG does
	ids           []byte
	adobe         int // the marker's transform plus 1, 0 for no marker
	jfif          bool
	density       int // of coefficients, 0 for 8
	seed          uint64
}

// A testScan is what the encoder keeps of a scan.
type testScan struct {
	out    []byte
	acc    uint64
	n      uint
	codes  [2][2][256]testCode // class, table
	eobRun int
	later  []byte // bits that follow the end-of-block run
}

type testCode struct {
	code uint64
	size uint
}

func (m testImage) encode() []byte {
	out := []byte{0xFF, markerSOI}
	segment := func(marker byte, body ...byte) {
		out = append(binary.BigEndian.AppendUint16(append(out, 0xFF, marker), uint16(len(body)+2)), body...)
	}
	if m.jfif {
		segment(markerAPP0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")...)
	}
	if m.adobe > 0 {
		segment(markerAPPE, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), byte(m.adobe-1))...)
	}
	for id := range byte(2) {
		table := []byte{id}
		for k := range 64 {
			table = append(table, 3+byte(k)/(4-2*id)+id)
		}
		segment(markerDQT, table...)
	}
	n := len(m.sampling)
	frame := binary.BigEndian.AppendUint16([]byte{8}, uint16(m.height))
	frame = append(binary.BigEndian.AppendUint16(frame, uint16(m.width)), byte(n))
	hMax, vMax := 1, 1
	for i, s := range m.sampling {
		frame = append(frame, m.id(i), byte(s), byte(min(i, 1)))
		hMax, vMax = max(hMax, s>>4), max(vMax, s&15)
	}
	kind := byte(markerSOF0)
	if m.progressive {
		kind = markerSOF2
	}
	segment(kind, frame...)
	if m.interval > 0 {
		segment(markerDRI, byte(m.interval>>8), byte(m.interval))
	}
	s := testScan{}
	for class := range 2 {
		for id := range 2 {
			counts, symbols := []byte(standardCodes[class][id].counts), []byte(standardCodes[class][id].symbols)
			if m.progressive { // every symbol, some with long codes
				counts, symbols = make([]byte, 16), nil
				counts[7], counts[12] = 200, 56
				for v := range 256 {
					symbols = append(symbols, byte(v))
				}
				if class == 0 {
					counts, symbols = append(make([]byte, 3), append([]byte{12}, make([]byte, 12)...)...), symbols[:12]
				}
			}
			code, at := uint64(0), 0
			for length, c := range counts {
				for range c {
					s.codes[class][id][symbols[at]] = testCode{code, uint(length + 1)}
					code++
					at++
				}
				code <<= 1
			}
			if !m.noTables {
				segment(markerDHT, slices.Concat([]byte{byte(class<<4 | id)}, counts, symbols)...)
			}
		}
	}

	// The blocks of each component, padded to whole MCUs.
	r := rand.New(rand.NewPCG(m.seed, 1))
	mcusX, mcusY := ceil(m.width, 8*hMax), ceil(m.height, 8*vMax)
	if n == 1 {
		hMax, vMax = m.sampling[0]>>4, m.sampling[0]&15
		mcusX, mcusY = ceil(m.width, 8), ceil(m.height, 8)
	}
	blocks := make([][][64]int, n)
	for i, hv := range m.sampling {
		h, v := hv>>4, hv&15
		if n == 1 {
			h, v = 1, 1
		}
		blocks[i] = make([][64]int, mcusX*h*mcusY*v)
		dc := 0
		for j := range blocks[i] {
			blocks[i][j] = drawBlock(r, &dc, m.density)
		}
	}
	scan := func(components []int, first, last, high, low int) {
		header := []byte{byte(len(components))}
		for _, i := range components {
			header = append(header, m.id(i), byte(min(i, 1)*0x11))
		}
		segment(markerSOS, append(header, byte(first), byte(last), byte(high<<4|low))...)
		s.out = out
		s.eobRun, s.later = 0, nil
		pred := [4]int{}
		left, number := m.interval, byte(0)
		unitsX, unitsY := mcusX, mcusY
		alone := len(components) == 1
		if alone {
			hv := m.sampling[components[0]]
			unitsX, unitsY = ceil(ceil(m.width*(hv>>4), hMax), 8), ceil(ceil(m.height*(hv&15), vMax), 8)
		}
		for y := range unitsY {
			for x := range unitsX {
				if m.interval > 0 && left == 0 {
					s.endOfRun(0)
					s.flush()
					s.out = append(s.out, 0xFF, markerRST0+number)
					number, left, pred = (number+1)&7, m.interval, [4]int{}
				}
				left--
				for _, i := range components {
					h, v := m.sampling[i]>>4, m.sampling[i]&15
					perRow := mcusX * h
					if n == 1 {
						perRow = mcusX
					}
					if alone {
						h, v = 1, 1
					}
					for j := range v {
						for k := range h {
							b := &blocks[i][(y*v+j)*perRow+x*h+k]
							s.block(b, &pred[i], min(i, 1), m.progressive, first, last, high, low)
						}
					}
				}
			}
		}
		s.endOfRun(min(components[0], 1))
		s.flush()
		out = s.out
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	switch {
	case m.progressive:
		scan(all, 0, 0, 0, 1)
		for i := range n {
			scan([]int{i}, 1, 5, 0, 2)
			scan([]int{i}, 6, 63, 0, 2)
			scan([]int{i}, 1, 63, 2, 1)
		}
		scan(all, 0, 0, 1, 0)
		for i := range n {
			scan([]int{i}, 1, 63, 1, 0)
		}
	case m.separate:
		for i := range n {
			scan([]int{i}, 0, 63, 0, 0)
		}
	default:
		scan(all, 0, 63, 0, 0)
	}
	return append(out, 0xFF, markerEOI)
}

func (m testImage) id(i int) byte {
	if m.ids != nil {
		return m.ids[i]
	}
	return byte(i + 1)
}

// drawBlock draws coefficients in the file's order.
func drawBlock(r *rand.Rand, dc *int, density int) (b [64]int) {
	if density == 0 {
		density = 8
	}
	*dc = max(-250, min(*dc+r.IntN(41)-20, 250))
	b[0] = *dc
	end := r.IntN(64)
	if r.IntN(4) > 0 {
		end /= 4
	}
	for k := 1; k <= end; k++ {
		if r.IntN(k+density) < density {
			b[k] = int(r.NormFloat64() * 60 / float64(k+2))
		}
	}
	return b
}

func (s *testScan) put(v uint64, n uint) {
	for ; n > 0; n-- {
		s.acc = s.acc<<1 | v>>(n-1)&1
		if s.n++; s.n == 8 {
			s.out = append(s.out, byte(s.acc))
			if byte(s.acc) == 0xFF {
				s.out = append(s.out, 0)
			}
			s.acc, s.n = 0, 0
		}
	}
}

func (s *testScan) flush() {
	for s.n > 0 {
		s.put(1, 1)
	}
}

func (s *testScan) symbol(class, table, symbol int) {
	c := s.codes[class][table][symbol]
	if c.size == 0 {
		panic("no code")
	}
	s.put(c.code, c.size)
}

// value writes a symbol of a run and a value's size, then the value.
func (s *testScan) value(class, table, run, v int) {
	size := bits.Len(uint(max(v, -v)))
	s.symbol(class, table, run<<4|size)
	if v < 0 {
		v += 1<<size - 1
	}
	s.put(uint64(v), uint(size))
}

// block writes a block's part in a scan (T.81, F.1.2 and G.1.2).
func (s *testScan) block(b *[64]int, pred *int, table int, progressive bool, first, last, high, low int) {
	if first == 0 {
		if high > 0 {
			s.put(uint64(b[0]>>low)&1, 1)
			return
		}
		dc := b[0] >> low
		s.value(0, table, 0, dc-*pred)
		*pred = dc
		if last == 0 {
			return
		}
		first = 1
	}
	if high > 0 {
		s.refine(b, table, first, last, low)
		return
	}
	run := 0
	for k := first; k <= last; k++ {
		v := b[k] / (1 << low)
		if v == 0 {
			run++
			continue
		}
		s.endOfRun(table)
		for ; run > 15; run -= 16 {
			s.symbol(1, table, 0xF0)
		}
		s.value(1, table, run, v)
		run = 0
	}
	switch {
	case run > 0 && progressive:
		s.endOfBlock(table)
	case run > 0:
		s.symbol(1, table, 0)
	}
}

func (s *testScan) refine(b *[64]int, table, first, last, low int) {
	abs := func(k int) int { return max(b[k], -b[k]) >> low }
	end := 0
	for k := first; k <= last; k++ {
		if abs(k) == 1 {
			end = k
		}
	}
	run, later := 0, []byte{}
	write := func() {
		for _, bit := range later {
			s.put(uint64(bit), 1)
		}
		later = later[:0]
	}
	for k := first; k <= last; k++ {
		switch a := abs(k); {
		case a == 0:
			run++
			continue
		default:
			for run > 15 && k <= end {
				s.endOfRun(table)
				s.symbol(1, table, 0xF0)
				run -= 16
				write()
			}
			if a > 1 {
				later = append(later, byte(a&1))
				continue
			}
		}
		s.endOfRun(table)
		s.symbol(1, table, run<<4|1)
		sign := uint64(1)
		if b[k] < 0 {
			sign = 0
		}
		s.put(sign, 1)
		write()
		run = 0
	}
	if run > 0 || len(later) > 0 {
		s.later = append(s.later, later...)
		s.endOfBlock(table)
	}
}

// endOfBlock adds a block to the run of those that have no more.
func (s *testScan) endOfBlock(table int) {
	if s.eobRun++; s.eobRun == 1<<15-1 {
		s.endOfRun(table)
	}
}

func (s *testScan) endOfRun(table int) {
	if s.eobRun == 0 {
		return
	}
	n := bits.Len(uint(s.eobRun)) - 1
	s.symbol(1, table, n<<4)
	s.put(uint64(s.eobRun)&(1<<n-1), uint(n))
	for _, bit := range s.later {
		s.put(uint64(bit), 1)
	}
	s.eobRun, s.later = 0, nil
}
