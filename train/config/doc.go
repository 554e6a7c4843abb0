// Package config has what a run is told: its keys, the published recipes, and
// what values may be. It knows nothing of tensors, and opens no data.
//
// A configuration is resolved in layers. Under all of them lies the reference,
// which has a value for every key; then a recipe, for a pair of datasets; then a
// YAML file; then single settings:
//
//	cfg, err := config.Resolve("gta2cs-daformer-pipa", "mine.yaml", []string{"patch.weight=0.05"})
//	cfg.Source.Dir, cfg.Target.Dir = "data/gta", "data/cityscapes"
//	err = cfg.Validate()
//
// What of it depends on the network, such as the multiple that a crop's sides
// must be of, is asked with the network's answers: [Config.Fits].
package config
