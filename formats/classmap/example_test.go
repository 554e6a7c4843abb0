package classmap_test

import (
	"fmt"
	"testing/fstest"

	"github.com/pipa-uda/pipa/formats/classmap"
)

// A map says what a label's values are, and which label is an image's.
func Example() {
	yard, err := classmap.Parse([]byte(`
name: yard
labels: ids
classes:
  - {name: lawn, ids: [1, 4]}
  - {name: kerb, id: 2}
ignore: [0]
splits:
  train: {images: "**/*_photo.jpg", labels: "{1}/marks/{2}.png"}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	files := fstest.MapFS{"may/01_photo.jpg": {}, "may/marks/01.png": {}, "june/07_photo.jpg": {}, "june/marks/08.png": {}}
	listing, err := yard.List(files, "train", false)
	for _, p := range listing.Pairs {
		fmt.Println(p.Image, p.Label, p.Missing)
	}
	fmt.Println(listing.Strays, err)
	class, ok := listing.Labels[0].Encoding.OfID(4)
	fmt.Println(yard.Classes[class], ok)
	// Unordered output:
	// lawn true
	// june/07_photo.jpg june/marks/07.png true
	// may/01_photo.jpg may/marks/01.png false
	// [{june/marks/08.png june/marks/08.png}] <nil>
}
