{{- /* Everything that the controller may do with Apps, Environments and their children. */ -}}
{{- define "towpath.rules.all" -}}
{{- range list "declared" "revisions" "workloads" "configuration" "routes" "doors" "events" }}
{{ include (printf "towpath.rules.%s" .) $ }}
{{- end }}
{{- end }}
