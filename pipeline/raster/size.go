package raster

// Size is a height and a width in pixels; the zero Size means "varies".
type Size struct{ Height, Width int }

// Fixed reports whether every raster has this size.
func (s Size) Fixed() bool { return s.Height > 0 && s.Width > 0 }
