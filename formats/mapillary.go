package formats

import "github.com/pipa-uda/pipa/formats/labels"

// Mapillary is Mapillary Vistas (Neuhold et al., 2017) with the labels of version 1.2,
// which the download of 2.0 has too, or of 1.1. Labels are palette indices, the classes
// in the order of config_v1.2.json (open-mmlab/mmsegmentation
// projects/mapillary_dataset/mmseg/datasets/mapillary_v1_2.py, and copies of the file).
func Mapillary() Layout {
	l := mapillary("mapillary", "v1.2/labels", "labels", mapillaryClasses(func(c mapillaryClass) string { return c.narrow }))
	l.Folders = []string{"training/images", "validation/images"}
	l.Note = "Versions 1.1 and 1.2. mapillary-v2 reads the labels of 2.0 in the same folder."
	return l
}

// Two maps to the 19 classes are in use, and scores by one are not scores by the other.

// Mapillary19 is Mapillary by the narrow map, in which a class is what Cityscapes
// calls it (tue-mps/vfm-uda-plusplus datasets/utils/mappings.py).
func Mapillary19() Layout {
	l := asNineteen(Mapillary(), "mapillary-19", mapillaryClasses(func(c mapillaryClass) string { return c.narrow }))
	l.Note = "The narrow map, of VFM-UDA: curbs are sidewalk, manholes and lane markings road. Scores by mapillary-19-rein are others."
	return l
}

// Mapillary19Rein is Mapillary by the wide map, which goes by parts of the names: of
// Rein, HRDA for domain generalization and openseg (w1oves/Rein
// tools/convert_datasets/mapillary2cityscape.py).
func Mapillary19Rein() Layout {
	l := asNineteen(Mapillary(), "mapillary-19-rein", mapillaryClasses(func(c mapillaryClass) string { return c.wide }))
	l.Note = "The wide map, of Rein, HRDA-DG and openseg: signs' backs and frames are sign, street lights pole, parking and all lanes road, curb cuts and pedestrian areas sidewalk. Rein scores halved images."
	return l
}

// MapillaryV2 is Mapillary Vistas with the labels of version 2.0: palette indices, the
// classes in the order of config_v2.0.json, by whose names they are called (two
// programs' copies of that file).
func MapillaryV2() Layout {
	l := mapillary("mapillary-v2", "v2.0/labels", "", mapillaryV2Classes())
	l.Folders = []string{"training/v2.0/labels"}
	l.Note = "The labels of version 2.0."
	return l
}

// MapillaryV219 is MapillaryV2 by the narrow map, carried to the finer names.
func MapillaryV219() Layout {
	l := asNineteen(MapillaryV2(), "mapillary-v2-19", mapillaryV2Classes())
	l.Note = "The narrow map of mapillary-19, carried to the finer names of version 2.0."
	return l
}

// mapillary is a version of Mapillary, whose labels lie in one of two folders.
func mapillary(name, folder, older string, classes []class) Layout {
	e := encodingOf(labels.Bytes, classes, class{ids: []int{len(classes)}}) // Unlabeled is the last
	l := withClasses(Layout{
		Name:        name,
		FollowLinks: true,
		License:     "CC BY-NC-SA 4.0",
		URL:         "https://www.mapillary.com/dataset/vistas",
	}, classes)
	for _, split := range []string{"train", "val"} {
		dir := map[string]string{"train": "training", "val": "validation"}[split]
		files := []string{dir + "/" + folder + "/{1}.png"}
		if older != "" {
			files = append(files, dir+"/"+older+"/{1}.png")
		}
		l.Splits = append(l.Splits, splitOf(split, dir+"/images/*.jpg", "{1}", e, files...))
	}
	l.Splits = append(l.Splits, Split{Name: "test", Images: "testing/images/*.jpg", Sample: "{1}"})
	return l
}

// A mapillaryClass is one of version 1.2, and which of the 19 it is by each map.
type mapillaryClass struct{ name, narrow, wide string }

func mapillaryClasses(as func(mapillaryClass) string) []class {
	var out []class
	for id, c := range mapillaryV12 {
		out = append(out, class{name: c.name, as: as(c), ids: []int{id}})
	}
	return out
}

var mapillaryV12 = []mapillaryClass{
	{"Bird", "", ""},
	{"Ground Animal", "", ""},
	{"Curb", "sidewalk", "sidewalk"},
	{"Fence", "fence", "fence"},
	{"Guard Rail", "", ""},
	{"Barrier", "", ""},
	{"Wall", "wall", "wall"},
	{"Bike Lane", "", "road"},
	{"Crosswalk - Plain", "", "road"},
	{"Curb Cut", "", "sidewalk"},
	{"Parking", "", "road"},
	{"Pedestrian Area", "", "sidewalk"},
	{"Rail Track", "", ""},
	{"Road", "road", "road"},
	{"Service Lane", "", "road"},
	{"Sidewalk", "sidewalk", "sidewalk"},
	{"Bridge", "", ""},
	{"Building", "building", "building"},
	{"Tunnel", "", ""},
	{"Person", "person", "person"},
	{"Bicyclist", "rider", "rider"},
	{"Motorcyclist", "rider", "rider"},
	{"Other Rider", "rider", "rider"},
	{"Lane Marking - Crosswalk", "", "road"},
	{"Lane Marking - General", "road", "road"},
	{"Mountain", "", ""},
	{"Sand", "", ""},
	{"Sky", "sky", "sky"},
	{"Snow", "", ""},
	{"Terrain", "terrain", "terrain"},
	{"Vegetation", "vegetation", "vegetation"},
	{"Water", "", ""},
	{"Banner", "", ""},
	{"Bench", "", ""},
	{"Bike Rack", "", ""},
	{"Billboard", "", ""},
	{"Catch Basin", "", ""},
	{"CCTV Camera", "", ""},
	{"Fire Hydrant", "", ""},
	{"Junction Box", "", ""},
	{"Mailbox", "", ""},
	{"Manhole", "road", ""},
	{"Phone Booth", "", ""},
	{"Pothole", "", ""},
	{"Street Light", "", "pole"},
	{"Pole", "pole", "pole"},
	{"Traffic Sign Frame", "", "traffic sign"},
	{"Utility Pole", "pole", "pole"},
	{"Traffic Light", "traffic light", "traffic light"},
	{"Traffic Sign (Back)", "", "traffic sign"},
	{"Traffic Sign (Front)", "traffic sign", "traffic sign"},
	{"Trash Can", "", ""},
	{"Bicycle", "bicycle", "bicycle"},
	{"Boat", "", ""},
	{"Bus", "bus", "bus"},
	{"Car", "car", "car"},
	{"Caravan", "", ""},
	{"Motorcycle", "motorcycle", "motorcycle"},
	{"On Rails", "train", "train"},
	{"Other Vehicle", "", ""},
	{"Trailer", "", ""},
	{"Truck", "truck", "truck"},
	{"Wheeled Slow", "", ""},
	{"Car Mount", "", ""},
	{"Ego Vehicle", "", ""},
}

// mapillaryV2Classes are those of version 2.0.
func mapillaryV2Classes() []class {
	var out []class
	for id, c := range mapillaryV20 {
		out = append(out, class{name: c[0], as: c[1], ids: []int{id}})
	}
	return out
}

// mapillaryV20 are the names, and which of the 19 they are.
var mapillaryV20 = [][2]string{
	{"animal--bird", ""},
	{"animal--ground-animal", ""},
	{"construction--barrier--ambiguous", ""},
	{"construction--barrier--concrete-block", ""},
	{"construction--barrier--curb", "sidewalk"},
	{"construction--barrier--fence", "fence"},
	{"construction--barrier--guard-rail", ""},
	{"construction--barrier--other-barrier", ""},
	{"construction--barrier--road-median", ""},
	{"construction--barrier--road-side", ""},
	{"construction--barrier--separator", ""},
	{"construction--barrier--temporary", ""},
	{"construction--barrier--wall", "wall"},
	{"construction--flat--bike-lane", ""},
	{"construction--flat--crosswalk-plain", ""},
	{"construction--flat--curb-cut", ""},
	{"construction--flat--driveway", ""},
	{"construction--flat--parking", ""},
	{"construction--flat--parking-aisle", ""},
	{"construction--flat--pedestrian-area", ""},
	{"construction--flat--rail-track", ""},
	{"construction--flat--road", "road"},
	{"construction--flat--road-shoulder", ""},
	{"construction--flat--service-lane", ""},
	{"construction--flat--sidewalk", "sidewalk"},
	{"construction--flat--traffic-island", ""},
	{"construction--structure--bridge", ""},
	{"construction--structure--building", "building"},
	{"construction--structure--garage", ""},
	{"construction--structure--tunnel", ""},
	{"human--person--individual", "person"},
	{"human--person--person-group", "person"},
	{"human--rider--bicyclist", "rider"},
	{"human--rider--motorcyclist", "rider"},
	{"human--rider--other-rider", "rider"},
	{"marking--continuous--dashed", "road"},
	{"marking--continuous--solid", "road"},
	{"marking--continuous--zigzag", "road"},
	{"marking--discrete--ambiguous", "road"},
	{"marking--discrete--arrow--left", "road"},
	{"marking--discrete--arrow--other", "road"},
	{"marking--discrete--arrow--right", "road"},
	{"marking--discrete--arrow--split-left-or-straight", "road"},
	{"marking--discrete--arrow--split-right-or-straight", "road"},
	{"marking--discrete--arrow--straight", "road"},
	{"marking--discrete--crosswalk-zebra", ""},
	{"marking--discrete--give-way-row", "road"},
	{"marking--discrete--give-way-single", "road"},
	{"marking--discrete--hatched--chevron", "road"},
	{"marking--discrete--hatched--diagonal", "road"},
	{"marking--discrete--other-marking", "road"},
	{"marking--discrete--stop-line", "road"},
	{"marking--discrete--symbol--bicycle", "road"},
	{"marking--discrete--symbol--other", "road"},
	{"marking--discrete--text", "road"},
	{"marking-only--continuous--dashed", "road"},
	{"marking-only--discrete--crosswalk-zebra", ""},
	{"marking-only--discrete--other-marking", "road"},
	{"marking-only--discrete--text", "road"},
	{"nature--mountain", ""},
	{"nature--sand", ""},
	{"nature--sky", "sky"},
	{"nature--snow", ""},
	{"nature--terrain", "terrain"},
	{"nature--vegetation", "vegetation"},
	{"nature--water", ""},
	{"object--banner", ""},
	{"object--bench", ""},
	{"object--bike-rack", ""},
	{"object--catch-basin", ""},
	{"object--cctv-camera", ""},
	{"object--fire-hydrant", ""},
	{"object--junction-box", ""},
	{"object--mailbox", ""},
	{"object--manhole", "road"},
	{"object--parking-meter", ""},
	{"object--phone-booth", ""},
	{"object--pothole", ""},
	{"object--sign--advertisement", ""},
	{"object--sign--ambiguous", ""},
	{"object--sign--back", ""},
	{"object--sign--information", ""},
	{"object--sign--other", ""},
	{"object--sign--store", ""},
	{"object--street-light", ""},
	{"object--support--pole", "pole"},
	{"object--support--pole-group", "pole"},
	{"object--support--traffic-sign-frame", ""},
	{"object--support--utility-pole", "pole"},
	{"object--traffic-cone", ""},
	{"object--traffic-light--cyclists", "traffic light"},
	{"object--traffic-light--general-horizontal", "traffic light"},
	{"object--traffic-light--general-single", "traffic light"},
	{"object--traffic-light--general-upright", "traffic light"},
	{"object--traffic-light--other", "traffic light"},
	{"object--traffic-light--pedestrians", "traffic light"},
	{"object--traffic-sign--ambiguous", ""},
	{"object--traffic-sign--back", ""},
	{"object--traffic-sign--direction-back", ""},
	{"object--traffic-sign--direction-front", "traffic sign"},
	{"object--traffic-sign--front", "traffic sign"},
	{"object--traffic-sign--information-parking", "traffic sign"},
	{"object--traffic-sign--temporary-back", ""},
	{"object--traffic-sign--temporary-front", "traffic sign"},
	{"object--trash-can", ""},
	{"object--vehicle--bicycle", "bicycle"},
	{"object--vehicle--boat", ""},
	{"object--vehicle--bus", "bus"},
	{"object--vehicle--car", "car"},
	{"object--vehicle--caravan", ""},
	{"object--vehicle--motorcycle", "motorcycle"},
	{"object--vehicle--on-rails", "train"},
	{"object--vehicle--other-vehicle", ""},
	{"object--vehicle--trailer", ""},
	{"object--vehicle--truck", "truck"},
	{"object--vehicle--vehicle-group", ""},
	{"object--vehicle--wheeled-slow", ""},
	{"object--water-valve", ""},
	{"void--car-mount", ""},
	{"void--dynamic", ""},
	{"void--ego-vehicle", ""},
	{"void--ground", ""},
	{"void--static", ""},
}
