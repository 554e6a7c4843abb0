// Package optim has the method's optimizer: AdamW with parameter groups chosen
// by name, and the polynomial schedule with a linear warm-up.
package optim
