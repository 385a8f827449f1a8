//go:build !unix

package format

import "io/fs"

// ownership returns nothing: these systems have no numbers of users and groups.
func ownership(fs.FileInfo) string { return "" }
