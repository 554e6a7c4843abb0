package files

import "testing"

func TestText(t *testing.T) {
	for name, data := range map[string]string{
		"plain":         "é 1\r\n",
		"a mark":        "\ufeffé 1\r\n",
		"little-endian": "\xff\xfe\xe9\x00 \x001\x00\r\x00\n\x00",
		"big-endian":    "\xfe\xff\x00\xe9\x00 \x001\x00\r\x00\n",
	} {
		if got, err := Text([]byte(data)); err != nil || got != "é 1\r\n" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, data := range map[string]string{"UTF-16 without a mark": "1\x00\n\x00", "half a character": "\xff\xfe1"} {
		if got, err := Text([]byte(data)); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}
