{{- /* What the controller has for itself, in its own namespace. `create` cannot be narrowed to a name. */ -}}
{{- define "towpath.rules.self" -}}
# Which of several controllers works.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [towpath]
  verbs: [get, update]
# The random key under which values of Secrets are compared, and the passwords of the release's own server: made once.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- $names := list "towpath-hash-key" }}
{{- range .Values.config.registries }}
{{- $names = concat $names (compact (list .authSecret .caSecret)) }}
{{- end }}
{{- range (.Values.config.git | default dict).hosts }}
{{- $names = concat $names (compact (list .caSecret .webhookSecret)) }}
{{- end }}
{{- $config := include "towpath.config" . | fromYaml }}
{{- range ($config.postgres | default dict).servers }}
{{- $names = append $names .secretRef.name }}
{{- end }}
{{- if and .Values.activator.enabled .Values.watchNamespaces }}
# Where the activator takes requests.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
# That key, and what the configuration names for registries, Git hosts and shared database servers.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ $names | uniq | join ", " }}]
  verbs: [get]
{{- end }}
