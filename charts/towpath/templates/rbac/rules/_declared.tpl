{{- /* What people declare is read; only its status is written, because Git may own the rest. */ -}}
{{- define "towpath.rules.declared" -}}
- apiGroups: [towpath.dev]
  resources: [towpathapps]
  verbs: [list, watch]
- apiGroups: [towpath.dev]
  resources: [environments]
  verbs: [get, list, watch]
- apiGroups: [towpath.dev]
  resources: [environments/status]
  verbs: [patch]
# Children name their Environment with `blockOwnerDeletion`. Where the admission plugin
# OwnerReferencesPermissionEnforcement is on, as in OpenShift, that asks for this right; nothing else uses it.
- apiGroups: [towpath.dev]
  resources: [environments/finalizers]
  verbs: [update]
{{- end }}
