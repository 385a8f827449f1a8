// Command release packs the programs that `make release` built: an image for several
// platforms, the SHA-256 digests of all files, and a statement that says from which source
// and modules they were built.
//
// It reads the last stage of the Dockerfile, so that an image which is made without a Docker
// engine is the same as one which an engine builds. It knows only the instructions that this
// stage has. The same files give the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A release is a folder of files that belong together.
type release struct {
	root    string // of the repository
	dist    string // the folder: it has the programs, named noecho-OS-ARCH
	version string
	commit  string
	time    time.Time // of the commit
	certs   string    // file with the public certificate authorities
}

func main() {
	var r release
	var epoch int64
	flag.StringVar(&r.root, "root", ".", "root of the repository")
	flag.StringVar(&r.dist, "dist", "dist", "folder with the programs, and for the results")
	flag.StringVar(&r.version, "version", "dev", "version of noecho")
	flag.StringVar(&r.commit, "commit", "", "commit of the source")
	flag.Int64Var(&epoch, "epoch", 0, "time of the commit, in seconds since 1970")
	flag.StringVar(&r.certs, "certs", "/etc/ssl/certs/ca-certificates.crt", "file with the public certificate authorities")
	flag.Parse()
	r.time = time.Unix(epoch, 0).UTC()
	if err := r.pack(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// pack writes the image of the given platforms, such as linux/amd64, then the provenance and
// the digests.
func (r *release) pack(platforms []string) error {
	if len(platforms) == 0 {
		return fmt.Errorf("name the platforms of the image, such as linux/amd64")
	}
	digest, err := r.image(platforms)
	if err != nil {
		return err
	}
	name := filepath.Join(r.dist, "IMAGE-DIGEST")
	if err := os.WriteFile(name, []byte(digest+"\n"), 0o644); err != nil {
		return err
	}
	if err := r.provenance(digest); err != nil {
		return err
	}
	return r.sums()
}
