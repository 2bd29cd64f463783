{{- /* What apps are told, and where their data is. */ -}}
{{- define "towpath.rules.configuration" -}}
# Secrets of a namespace are read one by one, by the names that its Apps and Environments use, and those of databases are
# made. RBAC can say neither: names are not known beforehand, and no label or field selector narrows a rule. So whoever may
# run a pod as this ServiceAccount reads every Secret in reach; `watchNamespaces` narrows what is in reach.
- apiGroups: [""]
  resources: [configmaps, secrets]
  verbs: [get, list, watch, create, patch, delete]
# Volumes are data: they are never deleted by the controller, only by the garbage collector after `deletionPolicy: Delete`.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
{{- end }}
