// Package memory foretells what a training needs before it starts: a dry run. It
// runs the method's phases on made-up inputs of small sizes, and extrapolates.
// What phases there are, and what they compute, it asks of the method.
package memory
