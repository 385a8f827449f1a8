package main

import (
	"bytes"
	"runtime/debug"
	"testing"
)

func TestBuildInfoPrefersTheLinker(t *testing.T) {
	t.Parallel()
	info := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	f := func(linked string, info *debug.BuildInfo, want buildInfo) {
		t.Helper()
		b := buildInfo{Version: linked}
		b.merge(info)
		if b != want {
			t.Errorf("%q and %+v: got %+v, want %+v", linked, info, b, want)
		}
	}
	f("v1.2.3", info("v9.9.9"), buildInfo{Version: "v1.2.3"})
	f("", info("v9.9.9"), buildInfo{Version: "v9.9.9"})
	f("dev", info("v9.9.9"), buildInfo{Version: "v9.9.9"})
	f("dev", info("(devel)"), buildInfo{Version: "dev"})
	f("v1.2.3", info("(devel)", debug.BuildSetting{Key: "vcs.revision", Value: "abc"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
		buildInfo{Version: "v1.2.3", Commit: "abc", Modified: true})
}

func TestBuildInfoInWords(t *testing.T) {
	t.Parallel()
	b := buildInfo{Version: "v1.2.3", Go: "go1.26.8", Platform: "linux/amd64", IndexFormat: 1, Norm: 1, Unicode: "15.0.0"}
	f := func(want string) {
		t.Helper()
		var out bytes.Buffer
		if err := b.print(&out); err != nil || out.String() != want {
			t.Errorf("got %q, %v, want %q", out.String(), err, want)
		}
	}
	f("noecho v1.2.3 (go1.26.8, linux/amd64)\nindex format 1, norm 1, Unicode 15.0.0\n")
	b.Commit = "abc"
	f("noecho v1.2.3 (go1.26.8, linux/amd64, commit abc)\nindex format 1, norm 1, Unicode 15.0.0\n")
	b.Modified = true
	f("noecho v1.2.3 (go1.26.8, linux/amd64, commit abc and changes)\nindex format 1, norm 1, Unicode 15.0.0\n")
}
