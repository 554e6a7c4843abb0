package raster

// CityscapesClasses are the names of the 19 train IDs (cityscapesScripts,
// cityscapesscripts/helpers/labels.py).
func CityscapesClasses() []string {
	return []string{
		"road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
		"sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
	}
}

// CityscapesColors are the RGB colors of the 19 train IDs (same source).
func CityscapesColors() [][3]uint8 {
	return [][3]uint8{
		{128, 64, 128}, {244, 35, 232}, {70, 70, 70}, {102, 102, 156}, {190, 153, 153}, {153, 153, 153}, {250, 170, 30},
		{220, 220, 0}, {107, 142, 35}, {152, 251, 152}, {70, 130, 180}, {220, 20, 60}, {255, 0, 0}, {0, 0, 142}, {0, 0, 70},
		{0, 60, 100}, {0, 80, 100}, {0, 0, 230}, {119, 11, 32},
	}
}
