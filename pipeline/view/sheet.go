package view

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Options say how a sheet looks. The zero value suits every stream.
type Options struct {
	// Limit is how many rows are shown at most, 1..1024; 0 means 64.
	Limit int
	// Columns is how many rows stand side by side; 0 chooses.
	Columns int
	// Width is that of one picture in pixels, 32..2048; 0 chooses by the
	// number of rows. Heights follow from the first row's picture.
	Width int
	// Colors are the classes' colors by train ID; nil means the stream's.
	Colors [][3]uint8
	// Opacity is that of labels over images, 0..1; 0 means 0.5.
	Opacity float64
}

// Validate checks the options. Errors name the field, its value and the
// allowed range.
func (o *Options) Validate() error {
	switch {
	case o.Limit < 0 || o.Limit > 1024:
		return fmt.Errorf("view: Limit is %d, want 1..1024, or 0 for 64", o.Limit)
	case o.Columns < 0:
		return fmt.Errorf("view: Columns is %d, want 1 or more, or 0 to choose", o.Columns)
	case o.Width != 0 && (o.Width < 32 || o.Width > 2048):
		return fmt.Errorf("view: Width is %d, want 32..2048, or 0 to choose", o.Width)
	case !(o.Opacity >= 0 && o.Opacity <= 1):
		return fmt.Errorf("view: Opacity is %v, want 0..1", o.Opacity)
	}
	return nil
}

// ErrEmpty is what [Sheet] fails with when the stream has no rows.
var ErrEmpty = errors.New("the stream has no rows to show")

// Sheet reads rows of a stream, up to the limit, and draws them: samples as
// image, colored label and overlay; mixes as mixed image, label and mask;
// pairs as both crops with their overlap outlined and flips noted, and their
// labels. The rest of the stream is left unread. It holds pictures no larger
// than they will be shown, not the rows.
func Sheet(ctx context.Context, stream pipeline.Stream, o Options) (image.Image, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Limit == 0 {
		o.Limit = 64
	}
	if o.Opacity == 0 {
		o.Opacity = 0.5
	}
	if o.Colors == nil {
		o.Colors = stream.Header.Palette()
	}
	faces, err := loadTypefaces()
	if err != nil {
		return nil, err
	}
	s := &sheet{options: o, header: stream.Header, faces: faces}
	if err := s.collect(ctx, stream); err != nil {
		return nil, fmt.Errorf("draw a contact sheet: %w", err)
	}
	if len(s.tiles) == 0 {
		return nil, fmt.Errorf("draw a contact sheet: %w", ErrEmpty)
	}
	return s.draw(), nil
}

// A sheet is a contact sheet in the making.
type sheet struct {
	options Options
	header  pipeline.Header
	faces   typefaces
	tiles   []tile
	seen    [256]bool // train IDs that occur
	full    bool      // the limit was reached
}

// collect makes tiles of the stream's rows. How large they will be shown is
// known only at the end, but never larger than the rows so far allow.
func (s *sheet) collect(ctx context.Context, stream pipeline.Stream) error {
	t := &tiler{header: s.header, colors: s.options.Colors, opacity: s.options.Opacity, seen: &s.seen}
	for batch, err := range stream.Batches {
		if err != nil {
			return err
		}
		err = s.add(ctx, t, batch)
		batch.Release()
		if err != nil || s.full {
			return err
		}
	}
	return ctx.Err()
}

func (s *sheet) add(ctx context.Context, t *tiler, b *pipeline.Batch) error {
	for i := range b.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.width = s.options.Width; t.width == 0 {
			t.width = pictureWidth(len(s.tiles) + 1)
		}
		made, err := t.tile(b, i)
		if err != nil {
			return fmt.Errorf("row %d: %w", len(s.tiles), err)
		}
		s.tiles = append(s.tiles, made)
		if s.full = len(s.tiles) >= s.options.Limit; s.full {
			return nil
		}
	}
	return nil
}

// draw sets heading, captions, tiles and legend.
func (s *sheet) draw() image.Image {
	body, title := s.faces.body, s.faces.title
	l := s.layout()
	width := l.sheetWidth()
	legend := s.legend(width - 2*margin)
	top := margin + title.height + body.height + 10 + body.height + 4
	height := top + l.bodyHeight() + 16 + len(legend)*(body.height+4) + margin
	dst := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)

	heading, detail := s.heading()
	title.draw(dst, margin, margin, title.fit(heading, width-2*margin), ink)
	body.draw(dst, margin, margin+title.height, body.fit(detail, width-2*margin), faint)
	for i := range s.tiles {
		x := margin + i%l.columns*(l.tileWidth()+gutter)
		y := top + i/l.columns*(l.tileHeight()+leading)
		if i < l.columns {
			for j, caption := range captions(s.header) {
				body.draw(dst, x+j*(l.width+between), y-body.height-4, body.fit(caption, l.width), faint)
			}
		}
		s.tile(dst, &s.tiles[i], l, x, y)
	}
	y := top + l.bodyHeight() + 16
	for _, line := range legend {
		x := margin
		for _, e := range line {
			swatch := image.Rect(x, y+2, x+14, y+16)
			fill(dst, swatch, contrast)
			fill(dst, swatch.Inset(1), e.color)
			body.draw(dst, x+20, y, e.name, ink)
			x += e.width
		}
		y += body.height + 4
	}
	return dst
}

// layout sizes pictures and arranges tiles.
func (s *sheet) layout() layout {
	first := s.tiles[0].pictures[0]
	width := s.options.Width
	if width == 0 {
		// Small crops are enlarged, by whole factors, so that pixels stay even.
		width = pictureWidth(len(s.tiles))
		if first.width < width {
			width = first.width * max(1, min(4, width/first.width))
		}
	}
	width = max(width, 32)
	l := layout{
		width: width, height: max(1, (first.height*width+first.width/2)/first.width),
		pictures: len(captions(s.header)), notes: len(s.tiles[0].notes), noteHeight: s.faces.body.height,
	}
	// A tower of a picture is held to a square's height.
	l.height = min(l.height, 2*l.width)
	return l.arrange(len(s.tiles), s.options.Columns)
}

// heading is the sheet's title and the line below it: how the stream came to
// be.
func (s *sheet) heading() (title, detail string) {
	rows := "1 row"
	if n := len(s.tiles); n > 1 {
		rows = fmt.Sprintf("%d rows", n)
		if s.full {
			rows = fmt.Sprintf("first %d rows", n)
		}
	}
	first := s.tiles[0].pictures[0]
	size := fmt.Sprintf("%d×%d", first.width, first.height)
	if slices.ContainsFunc(s.tiles, func(t tile) bool { return t.pictures[0].width != first.width || t.pictures[0].height != first.height }) {
		size = "sizes vary"
	}
	title = fmt.Sprintf("%s · %s · %s", s.header.Kind, rows, size)
	var stages []string
	for _, step := range s.header.History {
		stages = append(stages, step.Stage)
	}
	detail = fmt.Sprintf("seed %d · %d classes", s.header.Seed, len(s.header.Classes))
	if len(stages) > 0 {
		detail = strings.Join(stages, " → ") + " · " + detail
	}
	return title, detail
}

// tile draws one row at (x, y).
func (s *sheet) tile(dst *image.NRGBA, t *tile, l layout, x, y int) {
	for i, p := range t.pictures {
		frame := image.Rect(0, 0, l.width, l.height).Add(image.Pt(x+i*(l.width+between), y))
		fill(dst, frame, empty)
		if p.image == nil {
			const none = "no label"
			s.faces.body.draw(dst, frame.Min.X+(l.width-s.faces.body.width(none))/2, frame.Min.Y+(l.height-s.faces.body.height)/2, none, faint)
			continue
		}
		s.picture(dst, &p, frame)
	}
	for i, note := range t.notes {
		c := ink
		if i > 0 {
			c = faint
		}
		s.faces.body.draw(dst, x, y+l.height+4+i*l.noteHeight, s.faces.body.fit(note, l.tileWidth()), c)
	}
}

// picture draws p as large as fits in the middle of a frame.
func (s *sheet) picture(dst *image.NRGBA, p *picture, frame image.Rectangle) {
	k := min(float64(frame.Dx())/float64(p.width), float64(frame.Dy())/float64(p.height))
	w, h := max(1, min(frame.Dx(), int(float64(p.width)*k+0.5))), max(1, min(frame.Dy(), int(float64(p.height)*k+0.5)))
	at := image.Rect(0, 0, w, h).Add(frame.Min.Add(image.Pt((frame.Dx()-w)/2, (frame.Dy()-h)/2)))
	draw.Draw(dst, at, scale(p.image, w, h, p.class), image.Point{}, draw.Src)
	if !p.box.Empty() {
		place := func(v, size, length int) int { return (v*length + size/2) / size }
		r := image.Rect(
			place(p.box.X0, p.width, w), place(p.box.Y0, p.height, h), place(p.box.X1, p.width, w), place(p.box.Y1, p.height, h),
		).Add(at.Min)
		outline(dst, r, 3, contrast)
		outline(dst, r, 2, overlap)
	}
	if p.tag != "" {
		body := s.faces.body
		label := image.Rect(0, 0, body.width(p.tag)+10, body.height+2).Add(at.Min.Add(image.Pt(4, 4)))
		fill(dst, label.Intersect(at), contrast)
		if label.In(at) {
			body.draw(dst, label.Min.X+5, label.Min.Y+1, p.tag, paper)
		}
	}
}

// An entry is one class of a legend.
type entry struct {
	name  string
	color color.NRGBA
	width int
}

// legend lists the classes in lines of at most width pixels. A stream with
// many classes gets those that occur.
func (s *sheet) legend(width int) [][]entry {
	var entries []entry
	add := func(name string, c [3]uint8) {
		name = s.faces.body.fit(name, width-20)
		entries = append(entries, entry{name, color.NRGBA{c[0], c[1], c[2], 255}, s.faces.body.width(name) + 20 + 16})
	}
	if s.header.Labeled || s.header.Kind == pipeline.KindMix {
		table := lookup(s.options.Colors)
		for id, name := range s.header.Classes {
			if len(s.header.Classes) <= 40 || s.seen[id] {
				add(name, table[id])
			}
		}
		if s.seen[raster.Ignore] {
			add("ignore", table[raster.Ignore])
		}
		for id := len(s.header.Classes); id < int(raster.Ignore); id++ {
			if s.seen[id] {
				add(fmt.Sprintf("class %d", id), table[id])
			}
		}
	}
	switch s.header.Kind {
	case pipeline.KindMix:
		add("mask: from the source", fromSource)
		add("mask: from the target", fromTarget)
	case pipeline.KindPair:
		add("overlap", [3]uint8{overlap.R, overlap.G, overlap.B})
	}
	var lines [][]entry
	used := 0
	for _, e := range entries {
		if len(lines) == 0 || used+e.width-16 > width {
			lines = append(lines, nil)
			used = 0
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], e)
		used += e.width
	}
	return lines
}

func fill(dst draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// outline draws a rectangle's border inwards.
func outline(dst draw.Image, r image.Rectangle, thick int, c color.Color) {
	thick = min(thick, (min(r.Dx(), r.Dy())+1)/2)
	fill(dst, image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+thick), c)
	fill(dst, image.Rect(r.Min.X, r.Max.Y-thick, r.Max.X, r.Max.Y), c)
	fill(dst, image.Rect(r.Min.X, r.Min.Y, r.Min.X+thick, r.Max.Y), c)
	fill(dst, image.Rect(r.Max.X-thick, r.Min.Y, r.Max.X, r.Max.Y), c)
}
