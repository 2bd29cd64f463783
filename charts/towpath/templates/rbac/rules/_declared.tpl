{{- /* What people declare is read; only its status is written, because Git may own the rest. Environments that Previews own are
made here, and what became known of a Preview is noted in its annotations. */ -}}
{{- define "towpath.rules.declared" -}}
- apiGroups: [towpath.dev]
  resources: [towpathapps]
  verbs: [list, watch]
- apiGroups: [towpath.dev]
  resources: [environments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [towpath.dev]
  resources: [previews]
  verbs: [get, list, watch, patch]
- apiGroups: [towpath.dev]
  resources: [environments/status, previews/status]
  verbs: [patch]
# Children name their Environment with `blockOwnerDeletion`. Where the admission plugin
# OwnerReferencesPermissionEnforcement is on, as in OpenShift, that asks for this right; nothing else uses it.
- apiGroups: [towpath.dev]
  resources: [environments/finalizers, previews/finalizers]
  verbs: [update]
{{- end }}
