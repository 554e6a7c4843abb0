//go:build race

package arrowio

// poisoned: builds with the race detector overwrite memory that is given back,
// so that whoever looks at it too late is found.
const poisoned = true
