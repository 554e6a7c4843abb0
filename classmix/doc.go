// Package classmix mixes labeled source images with target images on the CPU,
// as a stage between streams: half of the classes that the source image shows
// are pasted over the target (Olsson et al., "ClassMix", 2021; DACS).
//
// Training mixes on the device instead, with the classes of a whole batch and
// fresh pseudo-labels; see train/uda.
package classmix
