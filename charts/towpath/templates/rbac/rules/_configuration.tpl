{{- /* What apps are told, and where their data is. */ -}}
{{- define "towpath.rules.configuration" -}}
# Copies of ConfigMaps go when no revision names them any more.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
# A user's Secrets are watched one by one, by the names that Apps and Environments use; those that the controller makes, by
# their label. RBAC can say neither: names are not known beforehand, and no selector narrows a rule. So whoever may run a pod
# as this ServiceAccount reads every Secret in reach; `watchNamespaces` narrows what is in reach. Secrets are data: the
# garbage collector deletes them after `deletionPolicy: Delete`, and the controller only the URLs of a preview's database that
# was made anew.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# So are volumes.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
{{- end }}
