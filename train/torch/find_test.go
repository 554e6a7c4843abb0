package torch

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhoElseCanWrite: a user with the number 1000, whose program root has installed.
func TestWhoElseCanWrite(t *testing.T) {
	const file, folder = unix.S_IFREG, unix.S_IFDIR
	for _, c := range []struct {
		what     string
		mode     uint32
		uid, gid uint32
		want     string
	}{
		{"the user's own", file | 0o644, 1000, 1000, ""},
		{"the user's, and of the user's private group", file | 0o664, 1000, 1000, ""},
		{"the user's, and of a group of others", file | 0o664, 1000, 100, "can be written by group 100 (-rw-rw-r--)"},
		{"everybody's", file | 0o666, 1000, 1000, "can be written by everybody (-rw-rw-rw-)"},
		{"root's", folder | 0o755, 0, 0, ""},
		{"root's, and of its group", folder | 0o775, 0, 0, "can be written by group 0 (-rwxrwxr-x)"},
		{"a folder for all, as /tmp", folder | unix.S_ISVTX | 0o777, 0, 0, ""},
		{"a folder for all, in which all may replace everything", folder | 0o777, 0, 0, "can be written by everybody (-rwxrwxrwx)"},
		{"another user's", file | 0o600, 1001, 1000, "belongs to user 1001"},
		{"another user's folder for all", folder | unix.S_ISVTX | 0o777, 1001, 1001, "belongs to user 1001"},
		{"a file for all: its sticky bit means nothing", file | unix.S_ISVTX | 0o666, 0, 0, "can be written by everybody (-rw-rw-rw-)"},
	} {
		if got := others(unix.Stat_t{Mode: c.mode, Uid: c.uid, Gid: c.gid}, []uint32{0, 1000}); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
