package pipeline

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeBytes is what a pipe of record batches should hold: Linux's limit for
// users without privileges. With the default of 64 KiB reader and writer wake
// each other 16 times as often, which costs a stream up to a third of its speed.
const pipeBytes = 1 << 20

// widen lets a pipe hold more. What is not a pipe, or may not be widened, stays as
// it is: only speed depends on it.
func widen(end any) {
	f, ok := end.(*os.File)
	if !ok {
		return
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) })
	}
}
