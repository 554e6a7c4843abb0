// Package arrowio keeps Arrow's IPC format at arm's length: everything that
// trusts arrow/go v15 with bytes, or works around it, is here, so that moving
// to another Arrow is this package's change alone.
//
// Writing goes through Arrow's own writer. Reading does not: arrow/go v15
// allocates what a damaged length asks for, copies every buffer, and takes a
// cut stream for a whole one. [Reader] scans the messages itself, checks every
// length before it allocates, builds the arrays over the bytes as read, and
// accepts a stream that this module wrote only if encoding the records again
// gives the same bytes, padding included.
package arrowio
