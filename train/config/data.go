package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// custom is the format of custom datasets, which a class map describes.
const custom = "folder"

// ClassMap is the class map of a custom dataset: its format is folder:MAP.yaml.
func (c Data) ClassMap() (file string, ok bool) { return strings.CutPrefix(c.Format, custom+":") }

// Given reports whether the side has data: a folder or stream, or a class map
// that says where they lie.
func (c Data) Given() bool {
	_, mapped := c.ClassMap()
	return mapped || c.Dir != ""
}

// Streamed reports whether the samples come as a stream on standard input or
// through a pipe.
func (c Data) Streamed() bool { return c.Dir == "-" || strings.HasPrefix(c.Dir, "/dev/") }

// Absolute makes the paths independent of the working directory, so that a run
// can be resumed from anywhere.
func (c *Config) Absolute() error {
	absolute := func(path string) (string, error) {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("resolve %s: %w", path, err)
		}
		return abs, nil
	}
	for _, p := range []*string{&c.Source.Dir, &c.Target.Dir, &c.Source.Stats, &c.Patch.Pairs, &c.Network.Weights, &c.Network.Init} {
		if *p == "" || *p == "-" || strings.HasPrefix(*p, "/dev/") {
			continue
		}
		abs, err := absolute(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	for _, d := range []*Data{&c.Source, &c.Target} {
		file, ok := d.ClassMap()
		if !ok {
			continue
		}
		abs, err := absolute(file)
		if err != nil {
			return err
		}
		d.Format = custom + ":" + abs
	}
	return nil
}
