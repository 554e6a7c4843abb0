package main

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestEveryOptionHasAFlag: what a stage can do is done from the command line. Every
// flag is set to a value, and read into a field of the options; what no flag sets
// is 0.
func TestEveryOptionHasAFlag(t *testing.T) {
	for name, c := range map[string]struct {
		flags []cli.Flag
		read  func(c *cli.Context) (any, error)
		set   map[string]string // flags that 0.5 is no value of
	}{
		"augment": {augmentFlags(), func(c *cli.Context) (any, error) { return augmentationOf(c) },
			map[string]string{"resize": "64x128", "crop": "32x32", "jitter": "0.4,0.4,0.4,0.1", "filter": "gaussian_blur:1.5"}},
		"crops": {cropFlags(), func(c *cli.Context) (any, error) { return croppingOf(c) },
			map[string]string{"size": "64", "base": "128", "stride": "8", "scale": "1,2", "iou": "0.1,1", "jitter": "0.4,0.4,0.4,0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{name}
			for _, f := range c.flags {
				flag := f.Names()[0]
				value, special := c.set[flag]
				if !special {
					value = "0.5"
				}
				args = append(args, "--"+flag, value)
			}
			app := &cli.App{Name: name, Flags: c.flags, Writer: io.Discard, ErrWriter: io.Discard, Action: func(ctx *cli.Context) error {
				o, err := c.read(ctx)
				var check func(v reflect.Value)
				check = func(v reflect.Value) {
					for i := range v.NumField() {
						f, name := v.Field(i), v.Type().Field(i).Name
						if f.IsZero() {
							t.Errorf("%s has no flag that sets it", name)
						} else if f.Kind() == reflect.Struct {
							check(f)
						}
					}
				}
				check(reflect.ValueOf(o))
				return err
			}}
			if err := app.Run(args); err != nil {
				t.Errorf("%s: %v", strings.Join(args, " "), err)
			}
		})
	}
}
