package torch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// libraryName is the adapter's file name.
const libraryName = "libpipatorch.so"

// ErrNotFound is wrapped by Load's error where no backend library was found.
var ErrNotFound = errors.New("libtorch backend not found")

// A TrustError says why a backend library was not loaded: it would run as the user,
// and somebody else may have written it.
type TrustError struct {
	Library string
	Path    string // the library, or a folder above it
	Reason  string
}

func (e *TrustError) Error() string {
	if e.Path == e.Library {
		return fmt.Sprintf("load %s: %s, so that another user's code may run as you", e.Library, e.Reason)
	}
	return fmt.Sprintf("load %s: %s above it %s, so that another user's code may run as you", e.Library, e.Path, e.Reason)
}

// find is the library that Load opens where none is named. Nothing is looked for by
// the working folder: what lies there may be anybody's.
func find() (string, error) {
	places := Places()
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w (looked at %s): build it with \"make torch\" (needs libtorch: Debian's libtorch-dev, or PyTorch for Python 3), or point PIPA_TORCH at %s",
		ErrNotFound, strings.Join(places, ", "), libraryName)
}

// Places are where the library is looked for, the first first: where PIPA_TORCH says,
// and nowhere else then; beside the executable; for one in a folder bin, in lib/pipa,
// lib and build beside that; in the user's cache.
func Places() (paths []string) {
	if p := os.Getenv("PIPA_TORCH"); p != "" {
		return []string{p}
	}
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		paths = append(paths, filepath.Join(dir, libraryName))
		if filepath.Base(dir) == "bin" {
			for _, sub := range []string{"lib/pipa", "lib", "build"} {
				paths = append(paths, filepath.Join(filepath.Dir(dir), sub, libraryName))
			}
		}
	}
	if cache, err := os.UserCacheDir(); err == nil && filepath.IsAbs(cache) {
		paths = append(paths, filepath.Join(cache, "pipa", libraryName))
	}
	return paths
}

// trusted is the library's path without links, where nobody can have written it but
// root, the user, and who owns the program itself.
func trusted(library string) (string, error) {
	path, err := filepath.Abs(library)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", err
	}
	owners := []uint32{0, uint32(os.Geteuid())}
	if exe, err := os.Executable(); err == nil {
		if s, err := status(exe); err == nil {
			owners = append(owners, s.Uid)
		}
	}
	for at := path; ; at = filepath.Dir(at) {
		s, err := status(at)
		if err != nil {
			return "", err
		}
		if reason := others(s, owners); reason != "" {
			return "", &TrustError{Library: path, Path: at, Reason: reason}
		}
		if at == filepath.Dir(at) {
			return path, nil
		}
	}
}

func status(path string) (s unix.Stat_t, err error) {
	if err = unix.Stat(path, &s); err != nil {
		err = &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return s, err
}

// others says how others than the owners can write a file or what a folder holds; ""
// where they cannot. In a folder with the sticky bit, as /tmp, they cannot replace
// what is not theirs. A group that has its owner's number is that user's alone, as
// Linux makes them; root's has members.
func others(s unix.Stat_t, owners []uint32) string {
	mode := fs.FileMode(s.Mode & 0o777)
	sticky := s.Mode&unix.S_IFMT == unix.S_IFDIR && s.Mode&unix.S_ISVTX != 0
	switch {
	case !slices.Contains(owners, s.Uid):
		return fmt.Sprintf("belongs to user %d", s.Uid)
	case sticky:
		return ""
	case mode&0o002 != 0:
		return fmt.Sprintf("can be written by everybody (%v)", mode)
	case mode&0o020 != 0 && (s.Gid != s.Uid || s.Uid == 0):
		return fmt.Sprintf("can be written by group %d (%v)", s.Gid, mode)
	}
	return ""
}
