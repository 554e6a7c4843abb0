// Command pipa adapts a semantic-segmentation network from synthetic streets
// to real ones with PiPa. Its commands read datasets into streams of Arrow
// record batches, transform, store and show streams, and train on them:
//
//	pipa read gta data/gta | pipa augment --crop 512x512 |
//	  pipa classmix --target <(pipa read cityscapes data/cityscapes --unlabelled | pipa augment --crop 512x512) |
//	  pipa view -o mixed.png
//
// The commands only wire: flags, files, progress and exit codes. What they do
// lies in the packages of the same names. Data goes to standard output,
// progress and logs to standard error. Exit codes: 0 done, 1 failed, 2 wrong
// usage, 3 bad data, 130 and 143 interrupted.
package main
