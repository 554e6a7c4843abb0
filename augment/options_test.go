package augment

import (
	"math"
	"reflect"
	"testing"
)

// TestEveryNumberOfTheOptionsIsChecked: none may be NaN or below 0.
func TestEveryNumberOfTheOptionsIsChecked(t *testing.T) {
	var o Options
	fields := 0
	var check func(v reflect.Value)
	check = func(v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			switch f.Kind() {
			case reflect.Struct:
				check(f)
			case reflect.Float64:
				fields++
				for _, bad := range []float64{math.NaN(), -1, 1 << 20} {
					f.SetFloat(bad)
					if o.Validate() == nil {
						t.Errorf("%s may be %v", name, bad)
					}
				}
				f.SetFloat(0)
			case reflect.Int:
				fields++
				for _, bad := range []int64{-1, 1 << 20} {
					f.SetInt(bad)
					if o.Validate() == nil {
						t.Errorf("%s may be %v", name, bad)
					}
				}
				f.SetInt(0)
			}
		}
	}
	check(reflect.ValueOf(&o).Elem())
	if fields < 5 || o.Validate() != nil {
		t.Errorf("%d numbers are looked at; %v", fields, o.Validate())
	}
}
