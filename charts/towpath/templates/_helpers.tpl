{{- define "towpath.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "towpath.fullname" -}}
{{- $name := include "towpath.name" . -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "towpath.selector" -}}
app.kubernetes.io/name: {{ include "towpath.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "towpath.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "towpath.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "towpath.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "towpath.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* A digest wins over a tag; both are written when both were asked for. */ -}}
{{- define "towpath.image" -}}
{{- with .Values.image }}
{{- .repository }}
{{- if .digest }}
{{- with .tag }}:{{ . }}{{ end }}@{{ .digest }}
{{- else }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Subject of every binding. */ -}}
{{- define "towpath.subjects" -}}
- kind: ServiceAccount
  name: {{ include "towpath.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "towpath.postgres" -}}
{{- printf "%s-postgres" (include "towpath.fullname" . | trunc 54 | trimSuffix "-") }}
{{- end }}

{{- define "towpath.postgres.selector" -}}
app.kubernetes.io/name: {{ include "towpath.postgres" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The configuration, with the shared server and the activator of this release. */ -}}
{{- define "towpath.config" -}}
{{- $config := deepCopy .Values.config }}
{{- with .Values.postgresServer }}
{{- if .enabled }}
{{- $name := include "towpath.postgres" $ }}
{{- $server := dict "name" .name "secretRef" (dict "name" $name) "host" (printf "%s.%s.svc" $name $.Release.Namespace) "generate" true
  "namespaces" .namespaces "connectionLimit" (int .connectionLimit) }}
{{- if kindIs "slice" .templates }}
{{- $_ := set $server "templates" .templates }}
{{- end }}
{{- $postgres := $config.postgres | default dict }}
{{- $_ := set $postgres "servers" (append ($postgres.servers | default list) $server) }}
{{- $_ := set $config "postgres" $postgres }}
{{- end }}
{{- end }}
{{- if .Values.activator.enabled }}
{{- $_ := set $config "activator" (dict "service" (include "towpath.activator" .)) }}
{{- end }}
{{- toYaml $config }}
{{- end }}
