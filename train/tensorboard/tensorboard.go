// Package tensorboard writes scalars in the format of TensorBoard's event files.
//
//	log, err := tensorboard.Open("runs/pipa", time.Now())
//	err = log.Write(time.Now(), step, map[string]float64{"loss/source": 0.7})
package tensorboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"
)

// A Log is an event file: TFRecord framing
// (tensorflow/core/lib/io/record_writer.h: length, masked CRC-32C of the
// length, data, masked CRC-32C of the data) around Event messages
// (tensorflow/core/util/event.proto).
type Log struct{ f *os.File }

// Open starts a new event file in dir. TensorBoard reads all of a
// folder's files in the order of their names, which begin with the time; this one
// is the last, whatever the clock says.
func Open(dir string, now time.Time) (*Log, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	// Who made the run may have put a link or a pipe where the file will be.
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open TensorBoard events: %w", err)
	}
	named := func(seconds int64) string {
		return fmt.Sprintf("events.out.tfevents.%010d.%s.%d", seconds, host, os.Getpid())
	}
	name := named(now.Unix())
	for _, e := range entries {
		var earlier int64
		if _, err := fmt.Sscanf(e.Name(), "events.out.tfevents.%d.", &earlier); err == nil && e.Name() > name {
			name = named(earlier + 1)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o666)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("open TensorBoard events: %s is a link, which is not followed: move it away", filepath.Join(dir, name))
	}
	if err != nil {
		return nil, fmt.Errorf("open TensorBoard events: %w", err)
	}
	l := &Log{f}
	// Event.file_version, the first record of every file.
	if err := l.record(now, 0, func(e []byte) []byte {
		e = protowire.AppendTag(e, 3, protowire.BytesType)
		return protowire.AppendString(e, "brain.Event:2")
	}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Write adds one event with the scalars, in the order of their tags.
func (l *Log) Write(now time.Time, step int, scalars map[string]float64) error {
	tags := make([]string, 0, len(scalars))
	for tag := range scalars {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	var summary []byte
	for _, tag := range tags {
		var value []byte // Summary.Value: tag = 1, simple_value = 2
		value = protowire.AppendTag(value, 1, protowire.BytesType)
		value = protowire.AppendString(value, tag)
		value = protowire.AppendTag(value, 2, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(scalars[tag])))
		summary = protowire.AppendTag(summary, 1, protowire.BytesType)
		summary = protowire.AppendBytes(summary, value)
	}
	return l.record(now, step, func(e []byte) []byte {
		e = protowire.AppendTag(e, 5, protowire.BytesType) // Event.summary
		return protowire.AppendBytes(e, summary)
	})
}

// Restart says that the run goes on from a step: readers drop what earlier files
// have of it and of later ones (tensorboard/backend/event_processing/
// event_accumulator.py, _CheckForRestartAndMaybePurge).
func (l *Log) Restart(now time.Time, step int) error {
	return l.record(now, step, func(e []byte) []byte {
		session := protowire.AppendTag(nil, 1, protowire.VarintType) // SessionLog.status
		session = protowire.AppendVarint(session, 1)                 // START
		e = protowire.AppendTag(e, 7, protowire.BytesType)           // Event.session_log
		return protowire.AppendBytes(e, session)
	})
}

// record appends one framed Event: wall_time = 1, step = 2, and what fill adds.
func (l *Log) record(now time.Time, step int, fill func([]byte) []byte) error {
	var event []byte
	event = protowire.AppendTag(event, 1, protowire.Fixed64Type)
	event = protowire.AppendFixed64(event, math.Float64bits(float64(now.UnixNano())/1e9))
	event = protowire.AppendTag(event, 2, protowire.VarintType)
	event = protowire.AppendVarint(event, uint64(step))
	event = fill(event)

	frame := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	frame = binary.LittleEndian.AppendUint32(frame, maskedCRC(frame))
	frame = append(frame, event...)
	frame = binary.LittleEndian.AppendUint32(frame, maskedCRC(event))
	if _, err := l.f.Write(frame); err != nil {
		return fmt.Errorf("write TensorBoard event: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }

// maskedCRC is TFRecord's checksum (tensorflow/core/lib/hash/crc32c.h, Mask).
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
