package arrowio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The bounds of one message.
const (
	maxBody = 96 << 20 // of a record batch of several rows, or a dictionary
	// maxRowBody is that of one row. The largest is a pair of crops of
	// raster.MaxPixels: 8 bytes a pixel.
	maxRowBody  = 800_000_000 + 1<<20
	maxMetadata = 4 << 20
)

const continuation = 0xFFFFFFFF

// fileMagic begins and ends an Arrow IPC file.
var fileMagic = []byte("ARROW1")

// A message is one encapsulated IPC message.
type message struct {
	prefix [8]byte // continuation marker and metadata length
	meta   []byte  // the flatbuffer, padded
	body   []byte
}

// ErrNotArrow is wrapped where the bytes are not an Arrow IPC stream, ErrEmpty,
// which wraps it, where there are none.
var (
	ErrNotArrow = errors.New("not an Arrow IPC stream")
	ErrEmpty    = fmt.Errorf("%w: the input is empty; did the command before it fail?", ErrNotArrow)
)

// scanner splits a stream into messages.
type scanner struct {
	r     *bufio.Reader
	where int64 // bytes read so far
	most  int64 // bytes that a body may declare
	had   int   // the longest part read so far
	file  bool
	spare *spare
}

// spare keeps the memory of bodies that are done with. Clearing and mapping new
// memory costs as much as reading into it.
type spare struct {
	mu     sync.Mutex
	bodies [][]byte
}

// maxSpare bounds how many bodies are kept: a consumer's and a producer's.
const maxSpare = 2

func (s *spare) put(b []byte) {
	if poisoned {
		for i := range b {
			b[i] = 0xA5
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bodies) < maxSpare {
		s.bodies = append(s.bodies, b)
	}
}

// take returns n bytes, of anything, or nil where no spare body is of about
// that size.
func (s *spare) take(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.bodies {
		if cap(b) >= n && cap(b)/4 <= n {
			s.bodies = append(s.bodies[:i], s.bodies[i+1:]...)
			return b[:n]
		}
	}
	return nil
}

// next returns the next message, or io.EOF at the end: after a stream's end
// marker, before a file's footer (arrow/go v15 writes no marker into files).
// Input that ends without either is io.ErrUnexpectedEOF.
func (s *scanner) next() (message, error) {
	var m message
	if s.file {
		if head, err := s.r.Peek(4); err == nil && binary.LittleEndian.Uint32(head) != continuation {
			return m, io.EOF
		}
	}
	if err := s.fill(m.prefix[:]); err != nil {
		return m, err
	}
	if binary.LittleEndian.Uint32(m.prefix[:]) != continuation {
		return m, fmt.Errorf("%w: no message begins at byte %d", ErrNotArrow, s.where-8)
	}
	n := binary.LittleEndian.Uint32(m.prefix[4:])
	if n == 0 {
		return m, io.EOF
	}
	if n > maxMetadata || n%8 != 0 {
		return m, fmt.Errorf("message at byte %d declares %d bytes of metadata", s.where-8, n)
	}
	var err error
	if m.meta, err = s.read(int(n)); err != nil {
		return m, err
	}
	h, err := parseMessage(m.meta)
	if err != nil {
		return m, fmt.Errorf("message at byte %d: %w", s.where-8-int64(n), err)
	}
	if err := h.checkBody(s.most); err != nil {
		return m, fmt.Errorf("message at byte %d %w", s.where-8-int64(n), err)
	}
	if h.bodyLength%8 != 0 {
		return m, fmt.Errorf("message at byte %d declares a body of %d bytes", s.where-8-int64(n), h.bodyLength)
	}
	if m.body = s.spare.take(int(h.bodyLength)); m.body != nil {
		return m, s.fill(m.body)
	}
	m.body, err = s.read(int(h.bodyLength))
	return m, err
}

// fill reads exactly len(b) bytes.
func (s *scanner) fill(b []byte) error {
	n, err := io.ReadFull(s.r, b)
	s.where += int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// read reads n bytes. A length is trusted up to the longest part that the input
// really had, and 1 MiB at first: one that lies costs no more memory than eight
// times what was read.
func (s *scanner) read(n int) ([]byte, error) {
	const trusted = 1 << 20
	b := make([]byte, min(n, max(trusted, s.had)))
	if err := s.fill(b); err != nil {
		return nil, err
	}
	for len(b) < n {
		grown := make([]byte, min(n, 8*len(b)))
		copy(grown, b)
		if err := s.fill(grown[len(b):]); err != nil {
			return nil, err
		}
		b = grown
	}
	s.had = max(s.had, n)
	return b, nil
}

// sniff looks at the first bytes, tells a file from a stream, and steps over
// its magic.
func (s *scanner) sniff() error {
	head, err := s.r.Peek(8)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return ErrEmpty
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read its first bytes: %w", err)
	}
	if bytes.HasPrefix(head, fileMagic) && len(head) == 8 {
		if head[6] != 0 || head[7] != 0 {
			return fmt.Errorf("%w: the file's magic is damaged", ErrNotArrow)
		}
		s.file = true
		s.where += 8
		_, err := s.r.Discard(8)
		return err
	}
	if len(head) < 8 || binary.LittleEndian.Uint32(head) != continuation {
		return fmt.Errorf("%w: it begins with %q", ErrNotArrow, head)
	}
	return nil
}

// finish checks what follows the end marker: nothing in a stream, a footer in
// a file. It returns the file's tail for comparison.
func (s *scanner) finish() ([]byte, error) {
	tail, err := io.ReadAll(io.LimitReader(s.r, maxMetadata))
	if err != nil {
		return nil, err
	}
	if !s.file {
		if len(tail) > 0 {
			return nil, fmt.Errorf("%d bytes or more follow the end marker", len(tail))
		}
		return nil, nil
	}
	return tail, checkFooter(tail)
}

// checkFooter checks what follows a file's end marker: the footer, its length,
// the magic.
func checkFooter(tail []byte) error {
	n := len(tail)
	if n < 10 || !bytes.Equal(tail[n-6:], fileMagic) {
		return fmt.Errorf("the file's footer is cut off or damaged")
	}
	if size := binary.LittleEndian.Uint32(tail[n-10:]); int64(size) != int64(n-10) {
		return fmt.Errorf("the file's footer declares %d bytes, has %d", size, n-10)
	}
	return nil
}
