// Package report turns a run's directory into one HTML page that needs nothing
// else: curves, per-class IoU, the confusion matrix, panels, the configuration
// and the data's digests.
package report
