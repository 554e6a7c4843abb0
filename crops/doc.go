// Package crops cuts pairs of partially overlapping crops for the patch
// contrast: the geometry of PiPa's loader (chen742/PiPa dataloaders/city.py and
// base/base_dataset.py) and the stage from samples to pairs.
package crops
