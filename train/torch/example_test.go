package torch_test

import (
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/train/torch"
)

// Tensors belong to a scope, and their memory is given back when it ends.
func Example() {
	lib, err := torch.Load("") // wants the backend: make torch
	if err != nil {
		log.Fatal(err)
	}
	err = lib.Run(torch.CPU, func(s *torch.Scope) error {
		x := s.FromFloat32([]float32{1, 2, 3, 4}, 2, 2).SetRequiresGrad(true)
		x.Mul(x).Sum().Backward()
		fmt.Println(x.Grad(s).Float32s())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lib.LiveTensors(), "tensors are left")
	// Output:
	// [2 4 6 8]
	// 0 tensors are left
}
