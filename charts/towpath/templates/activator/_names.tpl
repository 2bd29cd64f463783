{{- define "towpath.activator" -}}
{{- printf "%s-activator" (include "towpath.fullname" . | trunc 53 | trimSuffix "-") }}
{{- end }}

{{- /* Another name than the controller's: nothing that selects the one selects the other. */ -}}
{{- define "towpath.activator.selector" -}}
app.kubernetes.io/name: {{ include "towpath.name" . | trunc 53 }}-activator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "towpath.activator.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "towpath.activator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
