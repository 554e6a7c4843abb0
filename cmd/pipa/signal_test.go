package main

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// TestAHangUpEndsAsATerminationDoes: the state is saved when a terminal or a
// connection goes, which says so more than once.
func TestAHangUpEndsAsATerminationDoes(t *testing.T) {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	for range 2 {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on")
		}
	}
	time.Sleep(50 * time.Millisecond) // in which a second one would end the process
	if s := (signalError{}); !errors.As(context.Cause(ctx), &s) || s.signal != syscall.SIGHUP || report(ctx.Err(), context.Cause(ctx)) != 129 {
		t.Errorf("it ends by %v", context.Cause(ctx))
	}
}
