//go:build unix

package format

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ownership names the owner and the mode of a file, and the user of this process.
func ownership(st fs.FileInfo) string {
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf(": the file has mode %04o and belongs to user %d, group %d; noecho runs as user %d, group %d",
		st.Mode().Perm(), owner.Uid, owner.Gid, os.Geteuid(), os.Getegid())
}
