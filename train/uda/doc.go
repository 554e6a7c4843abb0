// Package uda has the rules of self-training that DACS, DAFormer and PiPa
// share: the EMA teacher, its pseudo-labels, ClassMix between the two domains,
// and the strong augmentation of the mixed images. All of it runs on the
// device; random choices are plain values drawn beforehand.
package uda
