package formats

import (
	"maps"
	"slices"

	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Datasets with classes of their own keep them, and are read as Cityscapes' 19 too
// where they show streets: NAME has its own, NAME-19 the 19.

// trainIDs are labels whose ids are Cityscapes' train IDs, and 255.
func trainIDs() labels.Encoding {
	ids := map[int]raster.TrainID{255: raster.Ignore}
	for t := range raster.CityscapesClasses() {
		ids[t] = raster.TrainID(t)
	}
	return labels.Encoding{Codec: labels.Bytes, IDs: ids}
}

// nineteen is a layout whose classes are Cityscapes' 19.
func nineteen(l Layout) Layout {
	l.Classes, l.Colors = raster.CityscapesClasses(), raster.CityscapesColors()
	return l
}

// A class is one of a dataset's own.
type class struct {
	name   string
	as     string     // the one of Cityscapes' 19 that it is, empty for none
	ids    []int      // that labels have for it
	colors [][3]uint8 // that labels have for it, or the one that it is shown in
}

// encodingOf is what labels of these classes mean; those that are named ignored have
// no train ID.
func encodingOf(codec labels.Codec, classes []class, ignored ...class) labels.Encoding {
	e := labels.Encoding{Codec: codec}
	enter := func(c class, t raster.TrainID) {
		for _, id := range c.ids {
			e.IDs[id] = t
		}
	}
	if codec == labels.Colors {
		e.Colors = map[[3]uint8]raster.TrainID{}
		enter = func(c class, t raster.TrainID) {
			for _, color := range c.colors {
				e.Colors[color] = t
			}
		}
	} else {
		e.IDs = map[int]raster.TrainID{}
	}
	for t, c := range classes {
		enter(c, raster.TrainID(t))
	}
	for _, c := range ignored {
		enter(c, raster.Ignore)
	}
	return e
}

// withClasses is a layout of these classes, which are shown in their labels' colors.
func withClasses(l Layout, classes []class) Layout {
	given := map[string][3]uint8{}
	for _, c := range classes {
		l.Classes = append(l.Classes, c.name)
		if len(c.colors) > 0 {
			given[c.name] = c.colors[0]
		}
	}
	l.Colors = raster.Palette(l.Classes, given)
	return l
}

// asNineteen is a dataset read as Cityscapes' 19 classes, by their names; the others
// are ignored. It has to be named: its folder looks like the dataset's.
func asNineteen(l Layout, name string, classes []class) Layout {
	train := make([]raster.TrainID, len(classes))
	for i, c := range classes {
		train[i] = raster.Ignore
		if t := slices.Index(raster.CityscapesClasses(), c.as); t >= 0 {
			train[i] = raster.TrainID(t)
		}
	}
	of := func(t raster.TrainID) raster.TrainID {
		if t != raster.Ignore {
			t = train[t]
		}
		return t
	}
	l = nineteen(l)
	l.Name, l.Folders = name, nil
	l.Splits = slices.Clone(l.Splits)
	for i := range l.Splits {
		l.Splits[i].Labels = slices.Clone(l.Splits[i].Labels) // splits may share them
		for k := range l.Splits[i].Labels {
			e := &l.Splits[i].Labels[k].Encoding
			e.IDs, e.Colors = mapped(e.IDs, of), mapped(e.Colors, of)
		}
	}
	return l
}

// mapped is what values mean by other train IDs.
func mapped[V comparable](means map[V]raster.TrainID, of func(raster.TrainID) raster.TrainID) map[V]raster.TrainID {
	out := maps.Clone(means)
	for v, t := range means {
		out[v] = of(t)
	}
	return out
}

// splitOf is a split of labeled images.
func splitOf(name, images, sample string, encoding labels.Encoding, files ...string) Split {
	s := Split{Name: name, Images: images, Sample: sample}
	for _, f := range files {
		s.Labels = append(s.Labels, Labels{Files: f, Encoding: encoding})
	}
	return s
}
