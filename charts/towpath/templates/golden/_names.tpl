{{- /* At most 52 characters, as the name of a CronJob must have. */ -}}
{{- define "towpath.golden" -}}
{{- printf "%s-golden-%s" (include "towpath.fullname" .root | trunc 24 | trimSuffix "-") .name }}
{{- end }}

{{- /* Another name than the controller's: nothing that selects the one selects the other. */ -}}
{{- define "towpath.golden.labels" -}}
{{- with .root.Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
app.kubernetes.io/name: {{ include "towpath.name" .root | trunc 56 }}-golden
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- /* Secret and key of a server's URL, as YAML. */ -}}
{{- define "towpath.golden.secret" -}}
{{- $found := dict }}
{{- range dig "postgres" "servers" list .root.Values.config }}
{{- if eq .name $.server }}
{{- $found = dict "name" .secretRef.name "key" (.urlKey | default "url") }}
{{- end }}
{{- end }}
{{- with .root.Values.postgresServer }}
{{- if and .enabled (eq .name $.server) }}
{{- $found = dict "name" (include "towpath.postgres" $.root) "key" "url" }}
{{- end }}
{{- end }}
{{- if not $found }}
{{- fail (printf "goldenDatabases[].server must be the name of one of config.postgres.servers, or of the postgresServer that is enabled: %s names '%s'" .name .server) }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{- /* One of both ends: what the image of this chart does before and after the filling. */ -}}
{{- define "towpath.golden.step" -}}
- name: {{ .step }}
  image: {{ include "towpath.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
  - golden
  - {{ .step }}
  - --template={{ .template }}
  - --url-file=/etc/towpath/server/url
  - --directory=/run/towpath/golden
  resources:
    requests:
      cpu: 10m
      memory: 16Mi
    limits:
      memory: 64Mi
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  volumeMounts:
  - name: server
    mountPath: /etc/towpath/server
    readOnly: true
  - name: golden
    mountPath: /run/towpath/golden
{{- end }}

{{- /* What fills the database: a command, or the tool for a dump. */ -}}
{{- define "towpath.golden.command" -}}
{{- if .command }}
{{- toYaml .command }}
{{- else if hasSuffix ".sql" .dump.path }}
- psql
- --no-psqlrc
- --quiet
- --output=/dev/null
- --set=ON_ERROR_STOP=1
- --single-transaction
- --dbname=service=golden
- --file=/dump/{{ .dump.path }}
{{- else }}
- pg_restore
- --no-owner
- --no-acl
- --exit-on-error
- --dbname=service=golden
- /dump/{{ .dump.path }}
{{- end }}
{{- end }}
