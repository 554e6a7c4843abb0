// Command pipa adapts a semantic-segmentation network from synthetic streets
// to real ones with PiPa. Its commands read datasets into streams of Arrow
// record batches, transform, store and show streams, and train on them:
//
//	pipa read gta data/gta | pipa augment --crop 512x512 |
//	  pipa classmix --target <(pipa read cityscapes data/cityscapes --unlabelled | pipa augment --crop 512x512) |
//	  pipa view -o mixed.png
//
// The commands only wire. Each has a file, cmd_NAME.go: a struct of its options,
// its flags, and run, which takes a context and the options and knows no command
// line. What they do lies in the packages of the same names. app.go puts them
// together, streams.go opens what they read and write, and hints.go says what a
// library's error means: its exit code (docs/commands.md), and the flag that helps.
// Data goes to standard output, progress and logs to standard error.
package main
