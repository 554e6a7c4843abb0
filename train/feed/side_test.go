package feed

import (
	"strings"
	"testing"
)

func TestSameClasses(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []string
		want string
	}{
		{"the same", []string{"road", "sky"}, []string{"road", "sky"}, ""},
		{"another order", []string{"road", "sky"}, []string{"sky", "road"}, `number 0 is "road" in one and "sky" in the other`},
		{"one more", []string{"road"}, []string{"road", "sky"}, `a has 1 classes and b has 2, and number 1 is none in one and "sky" in the other`},
		{"none", []string{"road"}, nil, `number 0 is "road" in one and none in the other`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := SameClasses("a", c.a, "b", c.b)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
