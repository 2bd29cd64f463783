{{- /* Revisions are the memory of an Environment: made once, annotated later, deleted when enough newer ones are there. */ -}}
{{- define "towpath.rules.revisions" -}}
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
