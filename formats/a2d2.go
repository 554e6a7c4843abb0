package formats

import "github.com/pipa-uda/pipa/formats/labels"

// A2D2 is the Audi Autonomous Driving Dataset (Geyer et al., 2020), the part with
// labels of pixels, all its cameras. A label's colors are those of class_list.json, in
// which several of a kind have a color each: Car 1 to Car 4 are one class here (two
// loaders of it have the same table).
func A2D2() Layout {
	e := encodingOf(labels.Colors, a2d2Classes())
	images, label := "*/camera/*/*_camera_*.png", "{1}/label/{2}/{3}_label_{4}.png"
	return withClasses(Layout{
		Name:        "a2d2",
		Splits:      listedSplits(splitOf("", images, "{1}/{3}_camera_{4}", e, label)),
		FollowLinks: true,
		Folders:     []string{"*/camera/cam_front_center", "*/label/cam_front_center"},
		License:     "CC BY-ND 4.0",
		Commercial:  true,
		URL:         "https://www.a2d2.audi/",
		Note:        "The folder is the one that has the recordings, camera_lidar_semantic.",
	}, a2d2Classes())
}

// A2D219 is A2D2 as the 19 classes. Small vehicles are motorcycles; terrain, wall,
// rider, bus and train do not occur (a converter to Cityscapes' train IDs, without what
// its author doubted).
func A2D219() Layout {
	l := asNineteen(A2D2(), "a2d2-19", a2d2Classes())
	l.Note = "Markings are road, small vehicles motorcycle; wall, terrain, rider, bus and train do not occur."
	return l
}

// a2d2Classes are those of class_list.json, without the numbers.
func a2d2Classes() []class {
	return []class{
		{name: "Car", as: "car", colors: [][3]uint8{{255, 0, 0}, {200, 0, 0}, {150, 0, 0}, {128, 0, 0}}},
		{name: "Bicycle", as: "bicycle", colors: [][3]uint8{{182, 89, 6}, {150, 50, 4}, {90, 30, 1}, {90, 30, 30}}},
		{name: "Pedestrian", as: "person", colors: [][3]uint8{{204, 153, 255}, {189, 73, 155}, {239, 89, 191}}},
		{name: "Truck", as: "truck", colors: [][3]uint8{{255, 128, 0}, {200, 128, 0}, {150, 128, 0}}},
		{name: "Small vehicles", as: "motorcycle", colors: [][3]uint8{{0, 255, 0}, {0, 200, 0}, {0, 150, 0}}},
		{name: "Traffic signal", as: "traffic light", colors: [][3]uint8{{0, 128, 255}, {30, 28, 158}, {60, 28, 100}}},
		{name: "Traffic sign", as: "traffic sign", colors: [][3]uint8{{0, 255, 255}, {30, 220, 220}, {60, 157, 199}}},
		{name: "Utility vehicle", colors: [][3]uint8{{255, 255, 0}, {255, 255, 200}}},
		{name: "Sidebars", colors: [][3]uint8{{233, 100, 0}}},
		{name: "Speed bumper", as: "road", colors: [][3]uint8{{110, 110, 0}}},
		{name: "Curbstone", as: "sidewalk", colors: [][3]uint8{{128, 128, 0}}},
		{name: "Solid line", as: "road", colors: [][3]uint8{{255, 193, 37}}},
		{name: "Irrelevant signs", colors: [][3]uint8{{64, 0, 64}}},
		{name: "Road blocks", as: "fence", colors: [][3]uint8{{185, 122, 87}}},
		{name: "Tractor", colors: [][3]uint8{{0, 0, 100}}},
		{name: "Non-drivable street", as: "road", colors: [][3]uint8{{139, 99, 108}}},
		{name: "Zebra crossing", as: "road", colors: [][3]uint8{{210, 50, 115}}},
		{name: "Obstacles / trash", colors: [][3]uint8{{255, 0, 128}}},
		{name: "Poles", as: "pole", colors: [][3]uint8{{255, 246, 143}}},
		{name: "RD restricted area", as: "road", colors: [][3]uint8{{150, 0, 150}}},
		{name: "Animals", colors: [][3]uint8{{204, 255, 153}}},
		{name: "Grid structure", colors: [][3]uint8{{238, 162, 173}}},
		{name: "Signal corpus", as: "traffic light", colors: [][3]uint8{{33, 44, 177}}},
		{name: "Drivable cobblestone", as: "road", colors: [][3]uint8{{180, 50, 180}}},
		{name: "Electronic traffic", colors: [][3]uint8{{255, 70, 185}}},
		{name: "Slow drive area", as: "road", colors: [][3]uint8{{238, 233, 191}}},
		{name: "Nature object", as: "vegetation", colors: [][3]uint8{{147, 253, 194}}},
		{name: "Parking area", as: "road", colors: [][3]uint8{{150, 150, 200}}},
		{name: "Sidewalk", as: "sidewalk", colors: [][3]uint8{{180, 150, 200}}},
		{name: "Ego car", colors: [][3]uint8{{72, 209, 204}}},
		{name: "Painted driv. instr.", as: "road", colors: [][3]uint8{{200, 125, 210}}},
		{name: "Traffic guide obj.", colors: [][3]uint8{{159, 121, 238}}},
		{name: "Dashed line", as: "road", colors: [][3]uint8{{128, 0, 255}}},
		{name: "RD normal street", as: "road", colors: [][3]uint8{{255, 0, 255}}},
		{name: "Sky", as: "sky", colors: [][3]uint8{{135, 206, 255}}},
		{name: "Buildings", as: "building", colors: [][3]uint8{{241, 230, 255}}},
		{name: "Blurred area", colors: [][3]uint8{{96, 69, 143}}},
		{name: "Rain dirt", colors: [][3]uint8{{53, 46, 82}}},
	}
}
