{{- /* What people declare is read; its spec is never written, because Git may own it. Environments that Previews own and Previews
of pull requests are made here, what became known of a Preview is noted in its annotations, and a finalizer holds it until its
Git host was told. */ -}}
{{- define "towpath.rules.declared" -}}
- apiGroups: [towpath.dev]
  resources: [towpathapps]
  verbs: [get, list, watch]
- apiGroups: [towpath.dev]
  resources: [environments]
  verbs: [get, list, watch]
# A finalizer holds an Environment until its database on a shared server is dropped; those of Previews are made and deleted here.
# RBAC cannot narrow this.
- apiGroups: [towpath.dev]
  resources: [environments]
  verbs: [create, patch, delete]
- apiGroups: [towpath.dev]
  resources: [previews]
  verbs: [get, list, watch, patch]
# Of pull requests, as the source of an App says; those of others are never deleted. RBAC cannot narrow this.
- apiGroups: [towpath.dev]
  resources: [previews]
  verbs: [create, delete]
- apiGroups: [towpath.dev]
  resources: [towpathapps/status, environments/status, previews/status]
  verbs: [patch]
# Children name their Environment with `blockOwnerDeletion`. Where the admission plugin
# OwnerReferencesPermissionEnforcement is on, as in OpenShift, that asks for this right; nothing else uses it.
- apiGroups: [towpath.dev]
  resources: [environments/finalizers, previews/finalizers]
  verbs: [update]
{{- end }}
