package formats

import "github.com/pipa-uda/pipa/formats/labels"

// RELLIS is RELLIS-3D (Jiang et al., 2021), the camera's frames of a robot off the
// road. Its labels are ids of its ontology, 0 is void (two loaders have the same
// table). Its lists train.lst, val.lst and test.lst select frames.
func RELLIS() Layout {
	e := encodingOf(labels.Bytes, rellisClasses(), class{ids: []int{0}})
	splits := listedSplits(splitOf("", "*/pylon_camera_node/*.jpg", "{1}/{2}", e, "{1}/pylon_camera_node_label_id/{2}.png"))
	for i, s := range splits {
		splits[i].Lists = append([]string{s.Name + ".lst"}, s.Lists...)
	}
	return withClasses(Layout{
		Name:        "rellis",
		Splits:      splits,
		FollowLinks: true,
		Folders:     []string{"*/pylon_camera_node", "*/pylon_camera_node_label_id"},
		License:     "CC BY-NC-SA 3.0",
		URL:         "https://github.com/unmannedlab/RELLIS-3D",
		Note:        "The folder is the one that has 00000 to 00004.",
	}, rellisClasses())
}

func rellisClasses() []class {
	return []class{
		{name: "dirt", ids: []int{1}},
		{name: "grass", ids: []int{3}},
		{name: "tree", ids: []int{4}},
		{name: "pole", ids: []int{5}},
		{name: "water", ids: []int{6}},
		{name: "sky", ids: []int{7}},
		{name: "vehicle", ids: []int{8}},
		{name: "object", ids: []int{9}},
		{name: "asphalt", ids: []int{10}},
		{name: "building", ids: []int{12}},
		{name: "log", ids: []int{15}},
		{name: "person", ids: []int{17}},
		{name: "fence", ids: []int{18}},
		{name: "bush", ids: []int{19}},
		{name: "concrete", ids: []int{23}},
		{name: "barrier", ids: []int{27}},
		{name: "puddle", ids: []int{31}},
		{name: "mud", ids: []int{33}},
		{name: "rubble", ids: []int{34}},
	}
}
