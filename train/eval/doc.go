// Package eval scores segmentations by the Cityscapes protocol: intersections
// and unions summed over all images, pixels labeled 255 left out.
package eval
