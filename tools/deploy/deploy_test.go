// Package deploy reads what configs/ ships for Kubernetes with the tools and types of
// Kubernetes. It knows the files, and of noecho only how a configuration is read.
package deploy

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"noecho/proxy/config"
)

const configs = "../../configs/"

// objects are the objects of one deployment, by kind.
type objects map[string]any

// decode reads the documents of a manifest. It fails on a kind that is not known here, and
// on a member that Kubernetes does not know.
func decode(t *testing.T, text string) objects {
	t.Helper()
	all := objects{}
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if head.Kind == "" { // a template that made nothing
			continue
		}
		object, ok := map[string]any{
			"ConfigMap":     &corev1.ConfigMap{},
			"Deployment":    &appsv1.Deployment{},
			"Job":           &batchv1.Job{},
			"NetworkPolicy": &networkingv1.NetworkPolicy{},
			"PodMonitor":    &monitoringv1.PodMonitor{},
			"Service":       &corev1.Service{},
		}[head.Kind]
		if !ok {
			t.Fatalf("kind %q", head.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		all[head.Kind] = object
	}
	return all
}

func kinds(all objects) []string { return slices.Sorted(maps.Keys(all)) }

func kustomize(t *testing.T, dir string) objects {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), configs+dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(text))
}

// helm renders the chart with values that change its defaults.
func helm(t *testing.T, release string, values map[string]any) objects {
	t.Helper()
	chart, err := loader.Load(configs + "helm/noecho")
	if err != nil {
		t.Fatal(err)
	}
	if err := chart.Validate(); err != nil {
		t.Fatal(err)
	}
	top, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: release, Namespace: "support"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Engine{Strict: true}.Render(chart, top)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			all = append(all, files[name])
		}
	}
	return decode(t, strings.Join(all, "\n---\n"))
}

// noecho returns the one container of noecho in a deployment, and checks the pod around it:
// the files that it names are mounted, and nobody but noecho may be asked from outside.
func noecho(t *testing.T, all objects) corev1.Container {
	t.Helper()
	pod := all["Deployment"].(*appsv1.Deployment).Spec.Template.Spec
	var c corev1.Container
	for _, x := range slices.Concat(pod.InitContainers, pod.Containers) {
		if x.Name == "noecho" {
			c = x
		} else if len(x.Ports) > 0 || !strings.Contains(strings.Join(x.Args, " "), "--host 127.0.0.1") {
			t.Errorf("container %s may be asked without noecho", x.Name)
		}
	}
	s := c.SecurityContext
	if s == nil || !*s.RunAsNonRoot || *s.RunAsUser != 65532 || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Capabilities.Drop[0] != "ALL" {
		t.Errorf("security context %v", s)
	}
	if c.StartupProbe == nil || c.StartupProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/livez" {
		t.Errorf("probes %v %v", c.StartupProbe, c.LivenessProbe)
	}
	var text string
	for _, text = range all["ConfigMap"].(*corev1.ConfigMap).Data {
	}
	cfg, err := config.Load("config.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Complete(); err != nil {
		t.Error(err)
	}
	if cfg.Listen != "0.0.0.0:8711" || cfg.Admin.Listen != "0.0.0.0:8712" {
		t.Errorf("listens at %s and %s", cfg.Listen, cfg.Admin.Listen)
	}
	var mounts []string
	for _, m := range c.VolumeMounts {
		if mounts = append(mounts, m.MountPath); !m.ReadOnly {
			t.Errorf("%s may be written", m.MountPath)
		}
	}
	for _, file := range []string{c.Args[2], cfg.Admin.TokenFile, cfg.PrincipalKeyFile, cfg.Index[0].Path} {
		if !slices.Contains(mounts, filepath.Dir(file)) {
			t.Errorf("%s is not mounted", file)
		}
	}
	for _, p := range all["Service"].(*corev1.Service).Spec.Ports {
		if p.TargetPort.IntValue() != 8711 {
			t.Errorf("the service opens port %v", p.TargetPort)
		}
	}
	return c
}

// TestKustomize builds the base, and the example with the PodMonitor.
func TestKustomize(t *testing.T) {
	base, example := kustomize(t, "kubernetes/base"), kustomize(t, "kubernetes/example")
	want := []string{"ConfigMap", "Deployment", "NetworkPolicy", "Service"}
	if diff := cmp.Diff(want, kinds(base)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ConfigMap", "Deployment", "NetworkPolicy", "PodMonitor", "Service"}, kinds(example)); diff != "" {
		t.Error(diff)
	}
	noecho(t, base)
	c := noecho(t, example)
	if !strings.Contains(c.Image, "@sha256:") {
		t.Errorf("image %s", c.Image)
	}
	checkMonitor(t, example, c)
}

// checkMonitor checks that a PodMonitor finds the port and the token.
func checkMonitor(t *testing.T, all objects, c corev1.Container) {
	t.Helper()
	m := all["PodMonitor"].(*monitoringv1.PodMonitor)
	e := m.Spec.PodMetricsEndpoints[0]
	if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == *e.Port && p.ContainerPort == 8712 }) {
		t.Errorf("no port %s", *e.Port)
	}
	labels := all["Deployment"].(*appsv1.Deployment).Spec.Template.Labels
	for k, v := range m.Spec.Selector.MatchLabels {
		if labels[k] != v {
			t.Errorf("no pod has %s=%s", k, v)
		}
	}
	if !strings.HasSuffix(m.Name, "noecho") { // as the rules of Prometheus expect
		t.Errorf("name %s", m.Name)
	}
}

// TestHelm: by default the chart makes what the base of Kustomize has.
func TestHelm(t *testing.T) {
	base, chart := kustomize(t, "kubernetes/base"), helm(t, "noecho", nil)
	if diff := cmp.Diff(kinds(base), kinds(chart)); diff != "" {
		t.Error(diff)
	}
	noecho(t, chart)
	a, b := base["Deployment"].(*appsv1.Deployment).Spec.Template.Spec, chart["Deployment"].(*appsv1.Deployment).Spec.Template.Spec
	a.Volumes[0].ConfigMap.Name = b.Volumes[0].ConfigMap.Name // Kustomize adds a hash
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the pods of Kustomize and Helm differ:\n%s", diff)
	}
	if diff := cmp.Diff(base["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.Ingress, chart["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.Ingress); diff != "" {
		t.Error(diff)
	}
	text := base["ConfigMap"].(*corev1.ConfigMap).Data["config.yaml"]
	want, err := config.Load("base", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load("chart", []byte(chart["ConfigMap"].(*corev1.ConfigMap).Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the configurations differ:\n%s", diff)
	}
}

// TestHelmValues renders the chart without a model server in the pod, and with a PodMonitor.
func TestHelmValues(t *testing.T) {
	all := helm(t, "support", map[string]any{
		"model":      nil,
		"podMonitor": true,
		"config":     map[string]any{"upstream": map[string]any{"url": "https://models.example.com"}},
		"networkPolicy": map[string]any{
			"egress": []any{map[string]any{"ports": []any{map[string]any{"port": 443}}}},
		},
	})
	c := noecho(t, all)
	pod := all["Deployment"].(*appsv1.Deployment).Spec.Template.Spec
	if len(pod.InitContainers) != 0 || len(pod.Containers) != 1 || c.RestartPolicy != nil {
		t.Errorf("containers %v", pod.Containers)
	}
	checkMonitor(t, all, c)
	if all = helm(t, "support", map[string]any{"networkPolicy": map[string]any{"enabled": false}}); all["NetworkPolicy"] != nil {
		t.Error("there is a NetworkPolicy")
	}
	if name := all["Service"].(*corev1.Service).Name; name != "support-noecho" {
		t.Error(name)
	}
}

// TestHelmSchema: the chart refuses a value that it does not know.
func TestHelmSchema(t *testing.T) {
	chart, err := loader.Load(configs + "helm/noecho")
	if err != nil {
		t.Fatal(err)
	}
	_, err = chartutil.ToRenderValues(chart, map[string]any{"images": "x"}, chartutil.ReleaseOptions{Name: "noecho"}, nil)
	if err == nil || !strings.Contains(err.Error(), "images") {
		t.Error(err)
	}
}

// TestJobs reads the jobs that build an index.
func TestJobs(t *testing.T) {
	text, err := os.ReadFile(configs + "kubernetes/index-job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if all := decode(t, string(bytes.TrimSpace(text))); len(all) != 1 {
		t.Errorf("%v", kinds(all))
	}
}
