// Package model has the networks: the MiT encoders, the DAFormer decoder, the
// segmentor they make, and the heads of the two contrasts. Parameter names are
// those of the published state dicts, so their weights load as they are.
//
// It has no losses and no training rules; see loss and uda.
package model
