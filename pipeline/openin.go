package pipeline

import (
	"fmt"
	"os"
	"strings"
)

// OpenIn opens a file by a name that comes from elsewhere, as a manifest's does:
// relative to dir, and out of which neither ".." nor a symbolic link leads. Links
// that stay inside are followed.
func OpenIn(dir, name string) (*os.File, error) {
	f, err := os.OpenInRoot(dir, name)
	if err != nil && strings.Contains(err.Error(), "path escapes") {
		return nil, fmt.Errorf("%w: a link leads out of %s, and is not followed: put what it names into the folder", err, dir)
	}
	return f, err
}
