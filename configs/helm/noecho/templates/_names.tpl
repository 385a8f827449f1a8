{{/* The name of every object: that of the release, which ends in noecho. */}}
{{- define "noecho.name" -}}
{{- if hasSuffix "noecho" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-noecho" (trunc 56 .Release.Name) }}{{ end }}
{{- end }}

{{- define "noecho.selector" -}}
app.kubernetes.io/name: noecho
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "noecho.metadata" -}}
name: {{ include "noecho.name" . }}
labels:
  {{- include "noecho.selector" . | nindent 2 }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
