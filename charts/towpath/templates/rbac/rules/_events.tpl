{{- /* What happened, once; a repetition is counted on the event that is there. */ -}}
{{- define "towpath.rules.events" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
