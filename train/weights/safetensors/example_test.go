package safetensors_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

func ExampleParse() {
	var file bytes.Buffer
	weights := []safetensors.Tensor{{Name: "head.weight", DType: "F32", Shape: []int{2, 1}, Data: make([]byte, 8)}}
	if err := safetensors.Write(&file, map[string]string{"format": "pt"}, weights); err != nil {
		log.Fatal(err)
	}
	f, err := safetensors.Parse(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, t.DType, t.Shape)
	}
	// Output: head.weight F32 [2 1]
}
