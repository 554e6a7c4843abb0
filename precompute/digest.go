package precompute

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/zeebo/xxh3"
)

// A plan's digest is that of its text, not of the Go value that it is read into:
// an option that is added later, and changes nothing where it is left out, leaves
// the digests of the plans before it as they are.

// digestOf hashes what of a plan's JSON decides the rows: all members in their
// order, without white space, but for the digest itself, which is "", the limit on
// pixels, which is left out, and each input's place, which is "", and its
// quarantine, which is null.
func digestOf(plan []byte) (string, error) {
	text, err := edited(plan, func(m *member) (keep bool, err error) {
		switch m.key {
		case "max_pixels":
			return false, nil
		case "digest":
			m.value = []byte(`""`)
		case "source", "mixed":
			m.value, err = edited(m.value, func(m *member) (bool, error) {
				switch m.key {
				case "dir":
					m.value = []byte(`""`)
				case "quarantined":
					m.value = []byte("null")
				}
				return true, nil
			})
		}
		return true, err
	})
	if err != nil {
		return "", fmt.Errorf("hash plan: %w", err)
	}
	return fmt.Sprintf("%016x", xxh3.Hash(text)), nil
}

// member is one of a JSON object's.
type member struct {
	key   string
	value json.RawMessage
}

// edited is a JSON object, compact, whose members edit may change or leave out.
func edited(object []byte, edit func(*member) (keep bool, err error)) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('{') {
		return nil, fmt.Errorf("%v, want an object", t)
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: key.(string)} // a JSON object's keys are strings
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		keep, err := edit(&m)
		if err != nil {
			return nil, err
		}
		if !keep {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		if err := json.Compact(&out, m.value); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
