package config_test

import (
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/train/config"
)

// A configuration is a preset, with lines of it overridden.
func ExampleResolve() {
	cfg, err := config.Resolve("gta2cs-daformer-pipa", "", []string{"patch.mode=official", "optimizer.lr=3e-5"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cfg.Patch.Mode, cfg.Optimizer.LR, cfg.Pixel.Weight)
	_, err = config.Resolve("gta2cs-daformer-pipa", "", []string{"patch.weigth=0.1"})
	fmt.Println(err) // keys are strict
	// Output:
	// official 3e-05 0.1
	// configuration: unknown key patch.weigth: did you mean patch.weight?
}
