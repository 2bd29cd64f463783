{{- /* What people declare is read; its spec is never written, because Git may own it. */ -}}
{{- define "towpath.rules.declared" -}}
- apiGroups: [towpath.dev]
  resources: [towpathapps]
  verbs: [list, watch]
- apiGroups: [towpath.dev]
  resources: [environments]
  verbs: [get, list, watch]
# A finalizer holds an Environment until its database on a shared server is dropped. RBAC cannot narrow this to metadata.
- apiGroups: [towpath.dev]
  resources: [environments]
  verbs: [patch]
- apiGroups: [towpath.dev]
  resources: [environments/status]
  verbs: [patch]
# Children name their Environment with `blockOwnerDeletion`. Where the admission plugin
# OwnerReferencesPermissionEnforcement is on, as in OpenShift, that asks for this right; nothing else uses it.
- apiGroups: [towpath.dev]
  resources: [environments/finalizers]
  verbs: [update]
{{- end }}
