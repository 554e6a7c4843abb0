package files

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// ErrFault is wrapped where a page of a mapped file cannot be had.
var ErrFault = errors.New("the file was cut short, or its disk fails")

// Map maps a file of a size, above 0, into memory, for reading alone. The memory is the
// caller's to unmap, and is looked into with [Mapped].
func Map(f *os.File, size int64) ([]byte, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	return data, nil
}

// Mapped calls read, which looks into files that are mapped into memory, and
// turns a fault into an error: pages that cannot be had, because a file was cut
// after it was mapped or its disk fails, would end the process otherwise. name
// says what is read. Only what read does in this goroutine is watched.
func Mapped(name string, read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // a runtime.Error that has it is a fault's
			err = fmt.Errorf("%s cannot be read any more: %w", name, ErrFault)
		default:
			panic(fault)
		}
	}()
	return read()
}
