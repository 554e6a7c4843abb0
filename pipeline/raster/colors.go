package raster

import "math"

// Palette returns a color for each class: the one that is given for its name,
// else the published one for names that Cityscapes has, and a generated one,
// distinct from all others, where there is neither or another class was given
// it. The same arguments give the same colors. given may be nil.
func Palette(classes []string, given map[string][3]uint8) [][3]uint8 {
	known := map[string][3]uint8{}
	taken := map[[3]uint8]bool{{0, 0, 0}: true} // black is what is ignored
	for _, c := range given {
		taken[c] = true
	}
	for i, name := range CityscapesClasses() {
		if c := CityscapesColors()[i]; !taken[c] {
			known[name] = c
			taken[c] = true
		}
	}
	for name, c := range given {
		known[name] = c
	}
	out := make([][3]uint8, len(classes))
	next := 0
	for i, name := range classes {
		if c, ok := known[name]; ok {
			out[i] = c
			continue
		}
		for {
			out[i] = generated(next)
			next++
			if !taken[out[i]] {
				taken[out[i]] = true
				break
			}
		}
	}
	return out
}

// generated is the i-th color of an endless sequence: hues a golden angle
// apart, so that any run of them is spread around the circle, and lightness
// and chroma that change from one to the next, in OKLCH (Ottosson, "A
// perceptual color space for image processing", 2020).
func generated(i int) [3]uint8 {
	lightness := [...]float64{0.66, 0.84, 0.5}[i%3]
	chroma := [...]float64{0.17, 0.11}[i%2]
	hue := 0.45 + float64(i)*math.Pi*(3-math.Sqrt(5))
	a, b := chroma*math.Cos(hue), chroma*math.Sin(hue)
	l := cube(lightness + 0.3963377774*a + 0.2158037573*b)
	m := cube(lightness - 0.1055613458*a - 0.0638541728*b)
	s := cube(lightness - 0.0894841775*a - 1.2914855480*b)
	return [3]uint8{
		srgb(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		srgb(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		srgb(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
	}
}

func cube(x float64) float64 { return x * x * x }

// srgb encodes linear light, clipped to the gamut (IEC 61966-2-1).
func srgb(x float64) uint8 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 255
	case x <= 0.0031308:
		return uint8(math.Round(255 * 12.92 * x))
	}
	return uint8(math.Round(255 * (1.055*math.Pow(x, 1/2.4) - 0.055)))
}
