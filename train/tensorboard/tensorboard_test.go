package tensorboard

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"
)

// fields splits a protobuf message into its fields' raw values by number.
func fields(t *testing.T, message []byte) map[protowire.Number][]byte {
	t.Helper()
	out := map[protowire.Number][]byte{}
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal("bad tag")
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			t.Fatalf("bad field %d", number)
		}
		value := message[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		out[number] = value
		message = message[n:]
	}
	return out
}

func TestEventFileFollowsThePublishedLayout(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1700000000, 5e8)
	log, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Write(now, 300, map[string]float64{"loss/source": 1.5}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "events.out.tfevents.1700000000.*"))
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var events [][]byte
	for len(data) > 0 {
		n := binary.LittleEndian.Uint64(data)
		if got, want := binary.LittleEndian.Uint32(data[8:]), maskedCRC(data[:8]); got != want {
			t.Fatalf("length checksum %08x, want %08x", got, want)
		}
		event := data[12 : 12+n]
		if got, want := binary.LittleEndian.Uint32(data[12+n:]), maskedCRC(event); got != want {
			t.Fatalf("data checksum %08x, want %08x", got, want)
		}
		events = append(events, event)
		data = data[16+n:]
	}
	if len(events) != 2 {
		t.Fatalf("%d events, want the version and one of scalars", len(events))
	}
	if version := fields(t, events[0])[3]; string(version) != "brain.Event:2" {
		t.Errorf("version %q", version)
	}
	e := fields(t, events[1])
	if wall := math.Float64frombits(binary.LittleEndian.Uint64(e[1])); wall != 1700000000.5 {
		t.Errorf("wall time %v", wall)
	}
	if step, _ := protowire.ConsumeVarint(e[2]); step != 300 {
		t.Errorf("step %d", step)
	}
	value := fields(t, fields(t, e[5])[1])
	if tag := string(value[1]); tag != "loss/source" {
		t.Errorf("tag %q", tag)
	}
	if v := math.Float32frombits(binary.LittleEndian.Uint32(value[2])); v != 1.5 {
		t.Errorf("value %v", v)
	}
}

// TestMaskedCRC pins the checksum: CRC-32C of "123456789" is e3069283 (RFC
// 3720, B.4), masked by the published rotation and constant.
func TestMaskedCRC(t *testing.T) {
	if got := maskedCRC([]byte("123456789")); got != (uint32(0xe3069283)>>15|uint32(0xe3069283&0x7fff)<<17)+0xa282ead8 {
		t.Errorf("%08x", got)
	}
}

// The events' name is known beforehand to whoever knows the time and guesses the
// process's number: a link or a pipe that has it is not opened.
func TestEventsAreNotWrittenThroughALink(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1700000000, 0)
	log, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	path := log.f.Name()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(dir, "precious")
	if err := os.Rename(path, precious); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(precious)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("precious", path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, now); err == nil || !strings.Contains(err.Error(), path+" is a link, which is not followed: move it away") {
		t.Errorf("a link: %v", err)
	}
	if after, err := os.ReadFile(precious); err != nil || string(after) != string(before) {
		t.Errorf("the file has %d bytes, %v; want %d", len(after), err, len(before))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, now); err == nil {
		t.Error("a pipe is opened")
	}
}

// TestARestartIsTheLastFile: it says SessionLog.START at its step, in a file that is
// read after all others, even where the clock went back.
func TestARestartIsTheLastFile(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1700000000, 0)
	later := filepath.Join(dir, "events.out.tfevents.1700000900.a.1")
	if err := os.WriteFile(later, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(log.Restart(now, 40), log.Close()); err != nil {
		t.Fatal(err)
	}
	if name := log.f.Name(); name <= later {
		t.Errorf("the file is %s", name)
	}
	data, err := os.ReadFile(log.f.Name())
	if err != nil {
		t.Fatal(err)
	}
	first := 16 + binary.LittleEndian.Uint64(data) // the version
	event := fields(t, data[first+12:len(data)-4])
	if step, _ := protowire.ConsumeVarint(event[2]); step != 40 {
		t.Errorf("step %d", step)
	}
	if status, _ := protowire.ConsumeVarint(fields(t, event[7])[1]); status != 1 {
		t.Errorf("status %d, want 1, which is START", status)
	}
}
