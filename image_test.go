package noecho_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestImage checks the Dockerfile without an engine: the image that it starts from, the
// command that builds the program, and the user that runs it.
func TestImage(t *testing.T) {
	t.Parallel()
	stages := readDockerfile(t)
	if len(stages) != 2 {
		t.Fatalf("%d stages, want one that builds and one that runs", len(stages))
	}
	builder, runs := stages[0], stages[1]

	pinned := regexp.MustCompile(` golang:(\d+\.\d+\.\d+)-[a-z]+ AS build$`)
	if !pinned.MatchString(builder[0]) {
		t.Errorf("%q: the base has no exact version", builder[0])
	}
	if got := runs[0]; got != "FROM scratch" {
		t.Errorf("the last stage starts with %q", got)
	}
	for _, want := range []string{
		"USER 65532:65532",
		`ENTRYPOINT ["/noecho"]`,
		`CMD ["serve"]`,
		"ENV NOECHO_LISTEN=0.0.0.0:8711 NOECHO_ADMIN=0.0.0.0:8712",
		"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
		"COPY --from=build /out/noecho /noecho",
	} {
		if !slices.Contains(runs, want) {
			t.Errorf("the last stage lacks %q", want)
		}
	}
	for _, line := range runs {
		if strings.HasPrefix(line, "RUN ") {
			t.Errorf("%q: scratch has no shell", line)
		}
	}
	checkBuildLine(t, builder)
}

// checkBuildLine checks that the image is built like `make build`.
func checkBuildLine(t *testing.T, builder []string) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^BUILD := (.+)$`).FindStringSubmatch(string(makefile))
	if m == nil {
		t.Fatal("the Makefile says nowhere how to build")
	}
	same := strings.NewReplacer("$(GO)", "go", "$(VERSION)", "$VERSION", "'", `"`)
	want := "RUN " + same.Replace(m[1]) + " -o /out/noecho ./cmd/noecho"
	var got []string
	for _, line := range builder {
		if strings.Contains(line, "go build") {
			got = append(got, strings.Replace(line, "GOOS=$TARGETOS GOARCH=$TARGETARCH ", "", 1))
		}
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("the image is built by %q, the Makefile builds by %q", got, want)
	}
}

// readDockerfile returns the instructions of every stage, each on one line.
func readDockerfile(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"FROM", "ARG", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "EXPOSE", "USER", "ENTRYPOINT", "CMD"}
	var stages [][]string
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, _, _ := strings.Cut(line, " ")
		if !slices.Contains(known, verb) {
			t.Errorf("%q: not an instruction that the image needs", line)
		}
		if verb == "FROM" {
			stages = append(stages, nil)
		}
		if len(stages) == 0 {
			t.Fatalf("%q stands before any FROM", line)
		}
		stages[len(stages)-1] = append(stages[len(stages)-1], line)
	}
	return stages
}
