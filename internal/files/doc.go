// Package files reads and writes files that others may break: names that only ever
// hold whole contents, also after a power cut; folders from elsewhere, out of which
// no link leads; pipes and devices that would be waited for; locks with an owner's
// name; mapped files that are cut while they are read.
package files
