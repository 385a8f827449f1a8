package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestIndexJobManifest parses the arguments of the shipped Kubernetes jobs: every flag
// exists.
func TestIndexJobManifest(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../configs/kubernetes/index-job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for part := range bytes.SplitSeq(b, []byte("\n---\n")) {
		var job struct {
			Kind string
			Spec struct {
				CompletionMode string `yaml:"completionMode"`
				Template       struct {
					Spec struct{ Containers []struct{ Args []string } }
				}
			}
		}
		if err := yaml.Unmarshal(part, &job); err != nil {
			t.Fatal(err)
		}
		if job.Kind != "Job" || len(job.Spec.Template.Spec.Containers) != 1 {
			t.Fatalf("kind %q with %d containers", job.Kind, len(job.Spec.Template.Spec.Containers))
		}
		args := job.Spec.Template.Spec.Containers[0].Args
		root := newRootCommand(&app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
		cmd, rest, err := root.Find(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", cmd.CommandPath(), err)
		}
		commands = append(commands, cmd.Name()+" "+job.Spec.CompletionMode)
	}
	if strings.Join(commands, ",") != "build Indexed,merge " {
		t.Errorf("commands %q", commands)
	}
}
